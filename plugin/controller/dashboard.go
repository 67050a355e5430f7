package controller

import (
	"context"
	"fmt"
	"net/http"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
)

// dashboard is what the Chaos dashboard shows of the controller: the Schedules
// that runs are started by, and what happened, as Events.
type dashboard struct{ Parts }

// origin is what a run was started by in the dashboard.
type origin struct {
	workflow corev1.ObjectReference
	// schedule has no name when the Workflow was made without one.
	schedule corev1.ObjectReference
}

// origin looks for the Workflow that asks for a run, and for the Schedule that
// made it.
func (d *dashboard) origin(ctx context.Context, named api.Workflow) (*origin, error) {
	name := named.Namespace + "/" + named.Name
	if named.Namespace != d.Namespace {
		return nil, refused("the Workflow %s is not in the controller's namespace %s; start runs from Workflows there", name, d.Namespace)
	}
	workflow := &v1alpha1.Workflow{}
	switch err := d.Cluster.Get(ctx, client.ObjectKey{Namespace: named.Namespace, Name: named.Name}, workflow); {
	case apierrors.IsNotFound(err):
		return nil, refused("there is no Workflow %s; name the one that asks, or none", name)
	case err != nil:
		return nil, fmt.Errorf("look for the Workflow %s: %w", name, err)
	}
	found := &origin{workflow: reference(v1alpha1.KindWorkflow, workflow)}
	schedule, err := d.scheduleOf(ctx, workflow)
	switch {
	case err != nil:
		return nil, err
	case schedule != nil:
		found.schedule = reference(v1alpha1.KindSchedule, schedule)
	case !ours(workflow):
		return nil, refused("the Workflow %s is not emco-chaos's: none of its Schedules made it; give the Workflow the label %s, or name none",
			name, fault.ExperimentLabel)
	}
	return found, nil
}

// refused is the error for what is understood and cannot be run.
func refused(format string, args ...any) error {
	return &statusError{code: http.StatusUnprocessableEntity, text: fmt.Sprintf(format, args...)}
}

// ours reports whether an object is of emco-chaos. Whoever may ask for runs can
// name any Workflow, and is not to have anything written on what is another's.
func ours(object client.Object) bool {
	_, labelled := object.GetLabels()[fault.ExperimentLabel]
	return labelled
}

// scheduleOf returns the Schedule of ours that made the Workflow; nil if none
// did.
func (d *dashboard) scheduleOf(ctx context.Context, workflow *v1alpha1.Workflow) (*v1alpha1.Schedule, error) {
	owner := metav1.GetControllerOf(workflow)
	if owner == nil || owner.Kind != v1alpha1.KindSchedule || owner.APIVersion != fault.GroupVersion {
		return nil, nil
	}
	schedule := &v1alpha1.Schedule{}
	err := d.Cluster.Get(ctx, client.ObjectKey{Namespace: workflow.Namespace, Name: owner.Name}, schedule)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return nil, fmt.Errorf("look for the Schedule %s/%s: %w", workflow.Namespace, owner.Name, err)
	case err != nil || schedule.UID != owner.UID || !ours(schedule):
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
