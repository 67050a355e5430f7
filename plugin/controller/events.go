package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	chaosmesh "github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

const (
	// longestMessage is less than Kubernetes' limit of 1024 for an Event.
	longestMessage = 1000
	// settleTick is how long Chaos Mesh has for its last warning, and settleLimit
	// is how long a Schedule's verdict waits for all of it.
	settleTick  = time.Second
	settleLimit = time.Minute
)

// EventSource is what Events are from.
var EventSource = corev1.EventSource{Component: "emco-chaos"}

// newBroadcaster makes the source of a recorder. The dashboard shows an Event
// when it is created and never one whose count goes up, so Events of one reason
// are not put together, and a run may write as many as it has records. It is the
// recorder of core/v1: that of events.k8s.io keeps one note for each reason.
func newBroadcaster() record.EventBroadcaster {
	return record.NewBroadcasterWithCorrelatorOptions(record.CorrelatorOptions{BurstSize: backlog, QPS: 10, MaxEvents: backlog})
}

// teller writes Events on what a Run is seen by: itself and, where it was asked
// for from the dashboard, its Workflow and Schedule.
type teller struct {
	events                  record.EventRecorder
	run, workflow, schedule *corev1.ObjectReference
}

// onRun tells something on the Run and its Workflow.
func (t *teller) onRun(normal bool, reason, text string) {
	t.on(t.run, normal, reason, text)
	t.on(t.workflow, normal, reason, text)
}

// onAll tells something on the Schedule too, which has Events of many Runs.
func (t *teller) onAll(normal bool, reason, text string) {
	t.onRun(normal, reason, text)
	t.onSchedule(normal, reason, text)
}

func (t *teller) onSchedule(normal bool, reason, text string) {
	t.on(t.schedule, normal, reason, fmt.Sprintf("%s (run %s)", document.OneLine(text, longestMessage-80), t.run.Name))
}

func (t *teller) on(object *corev1.ObjectReference, normal bool, reason, text string) {
	if object == nil {
		return
	}
	severity := corev1.EventTypeWarning
	if normal {
		severity = corev1.EventTypeNormal
	}
	t.events.Event(object, severity, reason, document.OneLine(text, longestMessage))
}

// settled waits until a run's Workflow has ended and its Schedule has the last of
// it. Chaos Mesh warns of every change of a Schedule that is paused, also of its
// own when a Workflow ends, and what is said last is at the top of the Schedule's
// page.
func (q *queue) settled(ctx context.Context, told *teller) {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	noted := ""
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		workflow, schedule := &chaosmesh.Workflow{}, &chaosmesh.Schedule{}
		err := q.Cluster.Get(ctx, client.ObjectKey{Namespace: told.workflow.Namespace, Name: told.workflow.Name}, workflow)
		if err == nil {
			err = q.Cluster.Get(ctx, client.ObjectKey{Namespace: told.schedule.Namespace, Name: told.schedule.Name}, schedule)
		}
		ended := slices.ContainsFunc(workflow.Status.Conditions, func(condition chaosmesh.WorkflowCondition) bool {
			return condition.Type == chaosmesh.WorkflowConditionAccomplished && condition.Status == corev1.ConditionTrue
		})
		ended = ended && slices.ContainsFunc(schedule.Status.Active, func(active corev1.ObjectReference) bool {
			return active.UID == workflow.UID && active.ResourceVersion == workflow.ResourceVersion
		})
		// The warning follows within the tick.
		if apierrors.IsNotFound(err) || ended && schedule.ResourceVersion == noted {
			cancel()
		}
		noted = ""
		if ended {
			noted = schedule.ResourceVersion
		}
	}, settleTick)
}

// originError says that a Run names a Workflow that it may not name.
type originError struct{ text string }

func (e *originError) Error() string { return "spec.workflow: " + e.text }

// tellerOf finds what a Run is seen by, and the Workflow that asked for it: nil
// when none did. Whoever may create Runs can name any Workflow, and is not to
// have anything written on what is another's.
func (q *queue) tellerOf(ctx context.Context, run *v1alpha1.Run) (*teller, *chaosmesh.Workflow, error) {
	told := &teller{events: q.Events, run: reference(v1alpha1.GroupVersion.String(), "Run", run)}
	name := run.Spec.Workflow
	if name == "" {
		return told, nil, nil
	}
	workflow := &chaosmesh.Workflow{}
	switch err := q.Cluster.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: name}, workflow); {
	case apierrors.IsNotFound(err):
		return told, nil, &originError{fmt.Sprintf("there is no Workflow %s in this namespace; name the one that asks, or none", document.Shown(name))}
	case err != nil:
		return told, nil, fmt.Errorf("look for the Workflow %s: %w", name, err)
	}
	schedule, err := q.scheduleOf(ctx, workflow)
	switch {
	case err != nil:
		return told, nil, err
	case schedule != nil:
		told.schedule = reference(fault.GroupVersion, chaosmesh.KindSchedule, schedule)
	case !ours(workflow):
		return told, nil, &originError{fmt.Sprintf("the Workflow %s is not emco-chaos's: none of its Schedules made it; give the Workflow the label %s, or name none",
			name, fault.ExperimentLabel)}
	}
	told.workflow = reference(fault.GroupVersion, chaosmesh.KindWorkflow, workflow)
	return told, workflow, nil
}

// ours reports whether an object is of emco-chaos.
func ours(object client.Object) bool {
	_, labelled := object.GetLabels()[fault.ExperimentLabel]
	return labelled
}

// scheduleOf returns the Schedule of ours that made the Workflow; nil if none
// did.
func (q *queue) scheduleOf(ctx context.Context, workflow *chaosmesh.Workflow) (*chaosmesh.Schedule, error) {
	owner := metav1.GetControllerOf(workflow)
	if owner == nil || owner.Kind != chaosmesh.KindSchedule || owner.APIVersion != fault.GroupVersion {
		return nil, nil
	}
	schedule := &chaosmesh.Schedule{}
	err := q.Cluster.Get(ctx, client.ObjectKey{Namespace: workflow.Namespace, Name: owner.Name}, schedule)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return nil, fmt.Errorf("look for the Schedule %s/%s: %w", workflow.Namespace, owner.Name, err)
	case err != nil || schedule.UID != owner.UID || !ours(schedule):
		return nil, nil
	}
	return schedule, nil
}

func reference(version, kind string, object client.Object) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: version, Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID(),
	}
}
