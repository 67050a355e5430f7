package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	chaosmesh "github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
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

// rearmer arms Schedules that are new or were started.
type rearmer struct{ Parts }

// Reconcile makes a Schedule ready for the next start, if it has been started.
func (r *rearmer) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	schedule := &chaosmesh.Schedule{}
	switch err := r.Cluster.Get(ctx, request.NamespacedName, schedule); {
	case client.IgnoreNotFound(err) != nil:
		return reconcile.Result{}, fmt.Errorf("look for the Schedule %s: %w", request.Name, err)
	case err != nil || schedule.Labels[RearmLabel] != "true" || schedule.Spec.Type != chaosmesh.ScheduleTypeWorkflow || !spent(schedule):
		return reconcile.Result{}, nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{chaosmesh.PauseAnnotationKey: "true"}},
		"status":   map[string]any{"time": metav1.NewTime(time.Now().Add(-armedAge))},
	})
	if err == nil {
		err = r.Cluster.Patch(ctx, schedule, client.RawPatch(types.MergePatchType, patch))
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("arm the Schedule %s again: %w", request.Name, err)
	}
	r.Log.Info("armed the Schedule", "schedule", request.Name)
	return reconcile.Result{}, nil
}

// spent reports whether starting the Schedule would start nothing: it has run,
// or never had a time to count from. One that has been started and has not run
// yet is Chaos Mesh's turn.
func spent(schedule *chaosmesh.Schedule) bool {
	last := schedule.Status.LastScheduleTime
	return last.IsZero() || time.Since(last.Time) < startedAge
}
