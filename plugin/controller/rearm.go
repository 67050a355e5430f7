package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	chaosmesh "github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// RearmLabel, with the value "true", marks the Schedules that are started by
// hand in the Chaos dashboard: the controller arms them again after each start,
// and touches no others.
const RearmLabel = "emco-chaos.io/rearm"

// Schedules is the ConfigMap that has the UIDs of a namespace's Schedules.
const Schedules = "emco-chaos-schedules"

const (
	// armedAge is how long ago an armed Schedule says that it last ran. A
	// yearly one has then missed a time, so that it runs at once when it is
	// started; one that ran by itself less than startedAge ago was started.
	armedAge   = 400 * 24 * time.Hour
	startedAge = 366 * 24 * time.Hour
)

// rearmer arms Schedules that are new or were started, and tells the UIDs of all.
type rearmer struct {
	Parts
	// told are the UIDs that were told, by the Schedules' names.
	told map[string]types.UID
}

// Reconcile arms a Schedule, and tells its UID.
func (r *rearmer) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	schedule := &chaosmesh.Schedule{}
	if err := r.Cluster.Get(ctx, request.NamespacedName, schedule); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	return reconcile.Result{}, errors.Join(r.arm(ctx, schedule), r.tell(ctx, schedule))
}

// arm makes a Schedule ready for the next start, if it has been started.
func (r *rearmer) arm(ctx context.Context, schedule *chaosmesh.Schedule) error {
	if schedule.Labels[RearmLabel] != "true" || schedule.Spec.Type != chaosmesh.ScheduleTypeWorkflow || !spent(schedule) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{chaosmesh.PauseAnnotationKey: "true"}},
		"status":   map[string]any{"time": metav1.NewTime(time.Now().Add(-armedAge))},
	})
	if err == nil {
		err = r.Cluster.Patch(ctx, schedule, client.RawPatch(types.MergePatchType, patch))
	}
	if err != nil {
		return fmt.Errorf("arm the Schedule %s again: %w", schedule.Name, err)
	}
	r.Log.Info("armed the Schedule", "schedule", schedule.Name)
	return nil
}

// tell writes the UID of a Schedule of ours where the Tasks that it starts get it
// from, if the chart has brought that.
func (r *rearmer) tell(ctx context.Context, schedule *chaosmesh.Schedule) error {
	if !ours(schedule) || r.told[schedule.Name] == schedule.UID {
		return nil
	}
	there := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: Schedules}}
	before := there.DeepCopy()
	there.Data = map[string]string{schedule.Name: string(schedule.UID)}
	if err := client.IgnoreNotFound(r.Cluster.Patch(ctx, there, client.MergeFrom(before))); err != nil {
		return fmt.Errorf("tell the UID of the Schedule %s: %w", schedule.Name, err)
	}
	r.told[schedule.Name] = schedule.UID
	return nil
}

// spent reports whether starting the Schedule would start nothing: it has run,
// or never had a time to count from. One that has been started and has not run
// yet is Chaos Mesh's turn.
func spent(schedule *chaosmesh.Schedule) bool {
	last := schedule.Status.LastScheduleTime
	return last.IsZero() || time.Since(last.Time) < startedAge
}
