package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
)

// RearmLabel, with the value "true", marks the Schedules that are started by
// hand in the Chaos dashboard: the controller arms them again after each start,
// and touches no others.
const RearmLabel = "emco-chaos.io/rearm"

const (
	// armedAge is how long ago an armed Schedule says that it last ran. A
	// yearly one has then missed a time, so that it runs at once when it is
	// started; one that ran by itself less than startedAge ago was started.
	armedAge   = 400 * 24 * time.Hour
	startedAge = 366 * 24 * time.Hour
)

// dashboard is what the Chaos dashboard shows of us: the Schedules that runs
// are started by, and what happened, as Events.
type dashboard struct {
	cluster   client.Client
	namespace string
	holder    string
	log       *slog.Logger
}

// origin is what a run was started by in the dashboard.
type origin struct {
	workflow corev1.ObjectReference
	// schedule has no name when the Workflow was made without one.
	schedule corev1.ObjectReference
}

// find looks for the Workflow that asks for a run, and for the Schedule that
// made it.
func (d *dashboard) find(ctx context.Context, named api.Workflow) (*origin, error) {
	if named.Namespace != d.namespace {
		return nil, &RefusedError{fmt.Sprintf("the Workflow %s/%s is not in the controller's namespace %s; start runs from Workflows there", named.Namespace, named.Name, d.namespace)}
	}
	workflow := &v1alpha1.Workflow{}
	switch err := d.cluster.Get(ctx, client.ObjectKey{Namespace: named.Namespace, Name: named.Name}, workflow); {
	case apierrors.IsNotFound(err):
		return nil, &RefusedError{fmt.Sprintf("there is no Workflow %s/%s; name the one that asks, or none", named.Namespace, named.Name)}
	case err != nil:
		return nil, fmt.Errorf("look for the Workflow %s/%s: %w", named.Namespace, named.Name, err)
	}
	found := &origin{workflow: reference(v1alpha1.KindWorkflow, workflow)}
	schedule, err := d.scheduleOf(ctx, workflow)
	switch {
	case err != nil:
		return nil, err
	case schedule != nil:
		found.schedule = reference(v1alpha1.KindSchedule, schedule)
	case !ours(workflow):
		return nil, &RefusedError{fmt.Sprintf("the Workflow %s/%s is not emco-chaos's: none of its Schedules made it; give the Workflow the label %s, or name none",
			named.Namespace, named.Name, fault.ExperimentLabel)}
	}
	return found, nil
}

// ours says whether an object is of emco-chaos. Whoever may ask for runs can
// name any Workflow, and is not to have anything written on what is another's.
func ours(object client.Object) bool {
	_, labelled := object.GetLabels()[fault.ExperimentLabel]
	return labelled
}

// scheduleOf is the Schedule of ours that made the Workflow; nil if none did.
func (d *dashboard) scheduleOf(ctx context.Context, workflow *v1alpha1.Workflow) (*v1alpha1.Schedule, error) {
	owner := metav1.GetControllerOf(workflow)
	if owner == nil || owner.Kind != v1alpha1.KindSchedule || owner.APIVersion != fault.GroupVersion {
		return nil, nil
	}
	schedule := &v1alpha1.Schedule{}
	switch err := d.cluster.Get(ctx, client.ObjectKey{Namespace: workflow.Namespace, Name: owner.Name}, schedule); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for the Schedule %s/%s: %w", workflow.Namespace, owner.Name, err)
	case schedule.UID != owner.UID || !ours(schedule):
		return nil, nil
	}
	return schedule, nil
}

func reference(kind string, object client.Object) corev1.ObjectReference {
	return corev1.ObjectReference{
		APIVersion: fault.GroupVersion, Kind: kind,
		Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID(),
	}
}

// rearm makes the Schedule ready for the next start, if it has been started.
func (d *dashboard) rearm(ctx context.Context, key client.ObjectKey) error {
	schedule := &v1alpha1.Schedule{}
	switch err := d.cluster.Get(ctx, key, schedule); {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("look for the Schedule %s: %w", key.Name, err)
	}
	if schedule.Labels[RearmLabel] != "true" || schedule.Spec.Type != v1alpha1.ScheduleTypeWorkflow || !spent(schedule) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{v1alpha1.PauseAnnotationKey: "true"}},
		"status":   map[string]any{"time": metav1.NewTime(time.Now().Add(-armedAge))},
	})
	if err != nil {
		return fmt.Errorf("arm the Schedule %s again: %w", key.Name, err)
	}
	if err := d.cluster.Patch(ctx, schedule, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("arm the Schedule %s again: %w", key.Name, err)
	}
	d.log.Info("armed the Schedule", "schedule", key.Name)
	return nil
}

// spent says whether starting the Schedule would start nothing: it has run, or
// never had a time to count from. One that has been started and has not run
// yet is Chaos Mesh's turn.
func spent(schedule *v1alpha1.Schedule) bool {
	last := schedule.Status.LastScheduleTime
	return last.IsZero() || time.Since(last.Time) < startedAge
}

// armer arms the Schedules that nobody asks for a run from: new ones, and those
// whose Workflow never came as far as asking.
type armer struct{ dashboard *dashboard }

// Reconcile arms one Schedule, if it must be.
func (a *armer) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	return reconcile.Result{}, a.dashboard.rearm(ctx, request.NamespacedName)
}
