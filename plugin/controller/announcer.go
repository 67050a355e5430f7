package controller

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

const (
	// announceLimit is how long the Events of a run that has ended may take.
	announceLimit = 10 * time.Second
	// announceBacklog is how many records may wait to be announced.
	announceBacklog = 512
	// longestMessage is Kubernetes' limit of 1024 for the message of an Event,
	// less room for what tells it from others.
	longestMessage = 1024 - 100
)

// announcer writes what happens in one run as Events: on the Workflow and the
// Schedule that started it, and on each chaos object. The dashboard shows an
// Event when it is created, and never one whose count goes up: each has a text
// of its own, which client-go's recorder does not see to.
type announcer struct {
	*dashboard
	run     *run
	records chan journal.Record
	cancel  context.CancelFunc
	working sync.WaitGroup

	// What follows belongs to the working goroutine.
	attempt int
	// said counts each message on each object.
	said map[string]int
	// objects are the chaos objects of this attempt by their steps.
	objects map[string]corev1.ObjectReference
}

// announce begins to announce a run. The announcer goes on when ctx ends, so
// that the end is announced too.
func (d *dashboard) announce(ctx context.Context, r *run) *announcer {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a := &announcer{
		dashboard: d, run: r, cancel: cancel, attempt: 1,
		records: make(chan journal.Record, announceBacklog),
		said:    map[string]int{}, objects: map[string]corev1.ObjectReference{},
	}
	a.working.Go(func() {
		text := fmt.Sprintf("run %s of %s: %s", r.name, r.plan.Experiment, r.plan.Title)
		a.onWorkflow(ctx, corev1.EventTypeNormal, "Begun", text)
		a.onSchedule(ctx, corev1.EventTypeNormal, "Begun", text)
		for record := range a.records {
			a.write(ctx, record)
		}
	})
	return a
}

// follow queues a record and never blocks.
func (a *announcer) follow(record journal.Record) {
	select {
	case a.records <- record:
	default:
		a.Log.Warn("too much happens at once to tell it all as Events", "run", a.run.name)
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

// write writes the Events of one record.
func (a *announcer) write(ctx context.Context, record journal.Record) {
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
			a.onFault(ctx, step, record.Event, text)
		}
	case journal.Result, journal.Skipped, journal.Trouble, journal.Left:
		if step.Name != plan.TeardownStep || record.Kind != journal.Result {
			a.onWorkflow(ctx, severity(record.Kind == journal.Result), recordReasons[record.Kind], text)
		}
	case journal.Verdict:
		text, severity := record.Verdict+": "+cmp.Or(record.Text, p.Title), severity(record.Verdict == string(verdict.Passed))
		a.onWorkflow(ctx, severity, record.Verdict, text)
		a.onSchedule(ctx, severity, record.Verdict, fmt.Sprintf("%s (run %s)", text, a.run.name))
	}
}

func severity(normal bool) string {
	if normal {
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}

// recordReasons are the Events' reasons for the records of a journal.
var recordReasons = map[journal.Kind]string{
	journal.Result: "Answered", journal.Skipped: "NotStarted", journal.Trouble: "Trouble", journal.Left: "LeftBehind",
}

// faultReasons are the Events' reasons for the events of a fault.
var faultReasons = map[string]string{
	plan.Created: "Created", plan.Injected: "Injected", plan.Down: "Down", plan.Ready: "Ready", plan.Removed: "Removed",
}

// onFault writes an event of a fault on its object, and on the Workflow all but
// its creation, which is seen there anyway.
func (a *announcer) onFault(ctx context.Context, step plan.Step, event, text string) {
	if event == plan.Created {
		a.objects[step.Name] = a.find(ctx, step)
		text = fmt.Sprintf("run %s of %s: %s", a.run.name, a.run.plan.Experiment, text)
	} else {
		a.onWorkflow(ctx, corev1.EventTypeNormal, faultReasons[event], text)
	}
	a.on(ctx, a.objects[step.Name], corev1.EventTypeNormal, faultReasons[event], text)
}

// find finds the chaos object of a step. One that is gone already has no name.
func (a *announcer) find(ctx context.Context, step plan.Step) corev1.ObjectReference {
	object, err := fault.Decode(step.Fault.Object)
	if err == nil {
		fault.Stamp(object, a.run.name, a.attempt, a.run.plan.Experiment, step.Name)
		err = a.Cluster.Get(ctx, client.ObjectKeyFromObject(object), object)
	}
	if err != nil {
		a.Log.Warn("a chaos object gets no Events", "run", a.run.name, "step", step.Name, "error", err)
		return corev1.ObjectReference{}
	}
	return reference(step.Fault.Kind, object)
}

func (a *announcer) onWorkflow(ctx context.Context, severity, reason, text string) {
	if a.run.origin != nil {
		a.on(ctx, a.run.origin.workflow, severity, reason, text)
	}
}

func (a *announcer) onSchedule(ctx context.Context, severity, reason, text string) {
	if a.run.origin != nil {
		a.on(ctx, a.run.origin.schedule, severity, reason, text)
	}
}

// on creates an Event. One that cannot be created is in the log alone: it spoils
// no run.
func (a *announcer) on(ctx context.Context, object corev1.ObjectReference, severity, reason, text string) {
	if object.Name == "" {
		return
	}
	text = document.Cut(text, longestMessage)
	if a.attempt > 1 {
		text = fmt.Sprintf("attempt %d: %s", a.attempt, text)
	}
	key := string(object.UID) + " " + text
	if a.said[key]++; a.said[key] > 1 {
		text = fmt.Sprintf("%s (%d)", text, a.said[key])
	}
	now := metav1.Now()
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: "emco-chaos-", Namespace: object.Namespace},
		InvolvedObject: object, Type: severity, Reason: reason, Message: text,
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
		Source:              corev1.EventSource{Component: "emco-chaos"},
		ReportingController: "emco-chaos.io/controller", ReportingInstance: a.Holder,
	}
	if err := a.Cluster.Create(ctx, event); err != nil {
		a.Log.Warn("an Event was not written", "on", object.Kind+" "+object.Name, "message", text, "error", err)
	}
}
