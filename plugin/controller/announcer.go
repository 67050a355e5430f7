package controller

import (
	"context"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

const (
	// announceLimit is how long the Events of a run that has ended may take.
	announceLimit = 10 * time.Second
	// announceBacklog is how many records may wait to be announced.
	announceBacklog = 512
	// longestMessage is Kubernetes' limit for the message of an Event.
	longestMessage = 1024
)

// announcer writes what happens in one run as Events: on the Workflow and the
// Schedule that started it, and on each chaos object. The dashboard shows an
// Event when it is created, so each has words of its own.
type announcer struct {
	dashboard *dashboard
	run       *run
	records   chan journal.Record
	cancel    context.CancelFunc
	working   sync.WaitGroup

	// What follows belongs to the working goroutine.
	attempt int
	// said counts each message on each object.
	said map[string]int
	// objects are the chaos objects of this attempt by their steps.
	objects map[string]corev1.ObjectReference
}

// open begins to announce a run. The announcer lives on when ctx ends, so that
// the end is announced too.
func (d *dashboard) open(ctx context.Context, r *run) *announcer {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a := &announcer{
		dashboard: d, run: r, cancel: cancel, attempt: 1,
		records: make(chan journal.Record, announceBacklog),
		said:    map[string]int{}, objects: map[string]corev1.ObjectReference{},
	}
	a.working.Go(func() {
		a.onOrigin(ctx, words{reason: "Begun", text: fmt.Sprintf("run %s of %s: %s", r.name, r.plan.Experiment, r.plan.Title)})
		for record := range a.records {
			a.announce(ctx, record)
		}
	})
	return a
}

// closing announces the end of a run that was never made, and returns it.
func (d *dashboard) closing(ctx context.Context, r *run, end api.End) api.End {
	shown := d.open(ctx, r)
	shown.follow(journal.Record{Kind: journal.Verdict, Verdict: end.Verdict, Text: end.Reason, Attempt: 1})
	shown.close()
	return end
}

// follow takes a record in and never blocks.
func (a *announcer) follow(record journal.Record) {
	select {
	case a.records <- record:
	default:
		a.dashboard.log.Warn("too much happens at once to tell it all as Events", "run", a.run.name)
	}
}

// close waits until all is announced.
func (a *announcer) close() {
	close(a.records)
	late := time.AfterFunc(announceLimit, a.cancel)
	a.working.Wait()
	late.Stop()
	a.cancel()
}

// words are what an Event says.
type words struct {
	reason, text string
	warning      bool
}

func (a *announcer) announce(ctx context.Context, record journal.Record) {
	p := a.run.plan
	step, known := p.Find(record.Step)
	text := report.Words(p, record)
	if known {
		text = step.Name + ": " + text
	}
	switch record.Kind {
	case journal.Attempt:
		a.attempt = record.Attempt
		clear(a.objects)
	case journal.Event:
		if known && step.Fault != nil {
			a.onFault(ctx, step, record, text)
		}
	case journal.Result:
		if step.Name != plan.TeardownStep {
			a.onWorkflow(ctx, words{reason: "Answered", text: text})
		}
	case journal.Skipped:
		a.onWorkflow(ctx, words{reason: "NotStarted", text: text, warning: true})
	case journal.Trouble:
		a.onWorkflow(ctx, words{reason: "Trouble", text: text, warning: true})
	case journal.Left:
		a.onWorkflow(ctx, words{reason: "LeftBehind", text: text, warning: true})
	case journal.Verdict:
		reason := record.Text
		if reason == "" {
			reason = p.Title
		}
		a.onOrigin(ctx, words{
			reason: record.Verdict, text: record.Verdict + ": " + reason,
			warning: record.Verdict != string(verdict.Passed),
		})
	}
}

// onFault tells an event of a fault on its object, and on the Workflow all but
// its creation, which is seen there anyway.
func (a *announcer) onFault(ctx context.Context, step plan.Step, record journal.Record, text string) {
	said := words{reason: reasons[record.Event], text: text}
	if record.Event == plan.Created {
		a.objects[step.Name] = a.look(ctx, step)
		said.text = fmt.Sprintf("run %s of %s: %s", a.run.name, a.run.plan.Experiment, text)
	} else {
		a.onWorkflow(ctx, said)
	}
	a.write(ctx, a.objects[step.Name], said)
}

// reasons are the Events' reasons for the events of a fault.
var reasons = map[string]string{
	plan.Created: "Created", plan.Injected: "Injected", plan.Down: "Down", plan.Ready: "Ready", plan.Removed: "Removed",
}

// look finds the chaos object of a step. One that is gone already has no name.
func (a *announcer) look(ctx context.Context, step plan.Step) corev1.ObjectReference {
	object, err := fault.Decode(step.Fault.Object)
	if err == nil {
		fault.Stamp(object, a.run.name, a.attempt, a.run.plan.Experiment, step.Name)
		err = a.dashboard.cluster.Get(ctx, client.ObjectKeyFromObject(object), object)
	}
	if err != nil {
		a.dashboard.log.Warn("a chaos object gets no Events", "run", a.run.name, "step", step.Name, "error", err)
		return corev1.ObjectReference{}
	}
	return reference(step.Fault.Kind, object)
}

func (a *announcer) onWorkflow(ctx context.Context, said words) {
	if a.run.origin != nil {
		a.write(ctx, a.run.origin.workflow, said)
	}
}

// onOrigin tells on the Schedule too, which has many runs.
func (a *announcer) onOrigin(ctx context.Context, said words) {
	if a.run.origin == nil {
		return
	}
	a.write(ctx, a.run.origin.workflow, said)
	if said.reason != "Begun" {
		said.text += fmt.Sprintf(" (run %s)", a.run.name)
	}
	a.write(ctx, a.run.origin.schedule, said)
}

// write creates an Event. What cannot be told is in the log alone: no run is
// spoiled by it.
func (a *announcer) write(ctx context.Context, on corev1.ObjectReference, said words) {
	if on.Name == "" {
		return
	}
	text := shortened(said.text, longestMessage-100)
	if a.attempt > 1 {
		text = fmt.Sprintf("attempt %d: %s", a.attempt, text)
	}
	key := string(on.UID) + " " + text
	if a.said[key]++; a.said[key] > 1 {
		text = fmt.Sprintf("%s (%d)", text, a.said[key])
	}
	kind := corev1.EventTypeNormal
	if said.warning {
		kind = corev1.EventTypeWarning
	}
	now := metav1.Now()
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: "emco-chaos-", Namespace: on.Namespace},
		InvolvedObject: on, Type: kind, Reason: said.reason, Message: text,
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
		Source:              corev1.EventSource{Component: "emco-chaos"},
		ReportingController: "emco-chaos.io/controller", ReportingInstance: a.dashboard.holder,
	}
	if err := a.dashboard.cluster.Create(ctx, event); err != nil {
		a.dashboard.log.Warn("an Event was not written", "on", on.Kind+" "+on.Name, "message", text, "error", err)
	}
}

// shortened cuts text off at a number of bytes.
func shortened(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
