package controller

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

const (
	// backlog is how many records may wait to be told.
	backlog = 1024
	// statusEvery is the time between two writes of a status, and gathering that
	// from a record to the first write: what follows at once goes with it.
	statusEvery = 300 * time.Millisecond
	gathering   = 50 * time.Millisecond
	// tellLimit is how long the API server may take over one of them.
	tellLimit = 10 * time.Second
	// longestTimeline is the schema's limit.
	longestTimeline = 500
)

// progress tells what happens in the run under way, in its status and as
// Events. The journal waits for neither.
type progress struct {
	*queue
	known   *entry
	records chan journal.Record
	working sync.WaitGroup

	// What follows belongs to the working goroutine until close.
	run, stored *v1alpha1.Run
	// last is the verdict of this attempt so far.
	last journal.Record
	// notStarted are the steps of this attempt that were skipped, and why is the
	// first one's reason.
	notStarted []string
	why        string
	// objects are the chaos objects of this attempt by their steps.
	objects map[string]*corev1.ObjectReference
	// result is what the last step that ended has answered.
	result string
}

// follow begins to tell what happens in a run.
func (q *queue) follow(ctx context.Context, run *v1alpha1.Run, known *entry) *progress {
	p := &progress{
		queue: q, known: known, records: make(chan journal.Record, backlog), run: run, stored: run.DeepCopy(),
		objects: map[string]*corev1.ObjectReference{},
	}
	known.onAll(true, "Begun", fmt.Sprintf("begins %s: %s", known.plan.Experiment, known.plan.Title))
	p.working.Go(func() {
		ctx := context.WithoutCancel(ctx)
		var due <-chan time.Time // when the status is written next; nil while it has nothing new
		var written time.Time
		for {
			select {
			case record, more := <-p.records:
				if !more {
					return
				}
				p.tell(ctx, record)
				if due == nil {
					due = time.After(max(gathering, statusEvery-time.Since(written)))
				}
			case <-due:
				// What is not taken now comes with the next one.
				p.stored = q.progressed(ctx, run, p.stored)
				written, due = time.Now(), nil
			}
		}
	})
	return p
}

// add queues a record and never blocks.
func (p *progress) add(record journal.Record) {
	select {
	case p.records <- record:
	default:
		p.Log.Warn("too much happens at once to tell it all", "run", p.run.Name)
	}
}

// close waits until all is told, but for the status: that is stored with the
// verdict.
func (p *progress) close() {
	close(p.records)
	p.working.Wait()
}

// progressed writes the status of a Run that is under way, and returns what is
// stored then: what was before where it is not taken.
func (q *queue) progressed(ctx context.Context, run, stored *v1alpha1.Run) *v1alpha1.Run {
	ctx, cancel := context.WithTimeout(ctx, tellLimit)
	defer cancel()
	written := run.DeepCopy()
	if err := q.Cluster.Status().Patch(ctx, written.DeepCopy(), client.MergeFrom(stored)); err != nil {
		q.Log.Info("the status of a run was not written", "run", run.Name, "error", err)
		return stored
	}
	return written
}

// tell tells one record.
func (p *progress) tell(ctx context.Context, record journal.Record) {
	compiled, status := p.known.plan, &p.run.Status
	step, known := compiled.Find(record.Step)
	text := report.Words(compiled, record)
	if record.Kind != journal.Resource || record.State == "left" {
		addMoment(status, v1alpha1.Moment{At: metav1.Duration{Duration: record.At.Round(time.Millisecond)}, Step: record.Step, Text: text})
	}
	if known {
		text = step.Name + ": " + text
	}
	switch record.Kind {
	case journal.Attempt:
		if status.Attempt > 0 {
			p.known.onAll(false, p.last.Verdict, fmt.Sprintf("attempt %d of %d %s: %s; the next follows", status.Attempt,
				cmp.Or(int(p.run.Spec.Attempts), compiled.Attempts), strings.ToLower(p.last.Verdict), document.OneLine(p.last.Text, 700)))
		}
		status.Attempt, status.Phase = int32(record.Attempt), v1alpha1.Running
		p.notStarted, p.result = nil, ""
		clear(p.objects)
	case journal.Event:
		if known && step.Fault != nil {
			p.onFault(ctx, step, record.Event, text)
		}
	case journal.Result:
		if step.Name != plan.TeardownStep {
			p.known.onRun(true, "Answered", text)
			p.result = report.Words(compiled, record)
		}
	case journal.Skipped:
		if p.notStarted == nil {
			p.why = record.Text
		}
		p.notStarted = append(p.notStarted, step.Name)
	case journal.Trouble, journal.Left:
		p.known.onRun(false, map[journal.Kind]string{journal.Trouble: "Trouble", journal.Left: "LeftBehind"}[record.Kind], text)
		if record.Kind == journal.Left && len(status.Left) < 100 {
			status.Left = append(status.Left, document.OneLine(record.Text, 1000))
		}
	case journal.Verdict:
		p.last, status.Phase = record, v1alpha1.CleaningUp
		if len(p.notStarted) > 0 {
			p.known.onRun(false, "NotStarted", fmt.Sprintf("not started: %s (%s)", strings.Join(p.notStarted, ", "), document.OneLine(p.why, 400)))
			p.notStarted = nil
		}
	}
}

// addMoment adds a line to a timeline.
func addMoment(status *v1alpha1.RunStatus, moment v1alpha1.Moment) {
	switch len(status.Timeline) {
	case longestTimeline:
		return
	case longestTimeline - 1:
		moment.Step, moment.Text = "", "more than fits here: the journal has it"
	}
	status.Timeline = append(status.Timeline, moment)
}

// onFault tells an event of a fault on its object too, and its creation there
// alone: elsewhere it is seen anyway.
func (p *progress) onFault(ctx context.Context, step plan.Step, event, text string) {
	reason := strings.ToUpper(event[:1]) + event[1:]
	if event == plan.Created {
		p.objects[step.Name] = p.find(ctx, step)
		text = fmt.Sprintf("run %s of %s: %s", p.run.Name, p.known.plan.Experiment, text)
	} else {
		p.known.onRun(true, reason, text)
	}
	p.known.on(p.objects[step.Name], true, reason, text)
}

// find finds the chaos object of a step; nil when it is gone already.
func (p *progress) find(ctx context.Context, step plan.Step) *corev1.ObjectReference {
	ctx, cancel := context.WithTimeout(ctx, tellLimit)
	defer cancel()
	object, err := fault.Decode(step.Fault.Object)
	if err == nil {
		fault.Stamp(object, p.run.Status.ID, int(p.run.Status.Attempt), p.known.plan.Experiment, step.Name)
		err = p.Cluster.Get(ctx, client.ObjectKeyFromObject(object), object)
	}
	if err != nil {
		p.Log.Info("a chaos object gets no Events", "run", p.run.Name, "step", step.Name, "error", err)
		return nil
	}
	return reference(fault.GroupVersion, step.Fault.Kind, object)
}

// outcome puts what a run found into its status, and returns it in a line.
func (p *progress) outcome(made report.Run, outage, recovered time.Duration) string {
	status, held := &p.run.Status, 0
	for _, claim := range made.Claims() {
		if claim.Holds {
			held++
		}
		status.Evidence = append(status.Evidence, v1alpha1.Claim{
			Text: document.OneLine(claim.Text, 1000), Holds: claim.Holds, Missing: document.OneLine(claim.Missing, 1000),
		})
	}
	status.Outage = duration(outage)
	text := document.OneLine(made.Reason, 900)
	if made.Verdict == verdict.Passed {
		status.RecoveredIn = duration(recovered)
		text = "recovered: " + p.result
	}
	for _, recovery := range made.Recoveries() {
		for _, phase := range recovery.Phases {
			if phase.Name == plan.Ready && !phase.Sure() {
				text += fmt.Sprintf("; since %s was down: %s", recovery.Fault, phase)
			}
		}
	}
	return fmt.Sprintf("%s; %d of %d", text, held, len(status.Evidence))
}

func duration(d time.Duration) *metav1.Duration {
	if d <= 0 {
		return nil
	}
	return &metav1.Duration{Duration: d.Round(time.Millisecond)}
}
