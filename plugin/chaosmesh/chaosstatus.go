package chaosmesh

import (
	"slices"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func all(status *v1alpha1.ChaosStatus, holds func(*v1alpha1.Record) bool) bool {
	records := status.Experiment.Records
	return len(records) > 0 && !slices.ContainsFunc(records, func(record *v1alpha1.Record) bool { return !holds(record) })
}

// isInjected reports whether the fault is on all that it selected. The condition
// AllInjected says the same of the phases, a moment later; that something was
// injected at all, only the count says.
func isInjected(record *v1alpha1.Record) bool {
	return record.InjectedCount > 0 && record.Phase == v1alpha1.Injected
}

func isRecovered(record *v1alpha1.Record) bool {
	return record.RecoveredCount > 0 && record.Phase == v1alpha1.NotInjected
}

// isStillInjected reports whether the fault is on, or on its way on or off.
func isStillInjected(record *v1alpha1.Record) bool {
	return strings.HasPrefix(string(record.Phase), string(v1alpha1.Injected))
}

// selectedNothing reports whether the object is to run and has selected nothing.
// That is so for a moment before it selects, too.
func selectedNothing(status *v1alpha1.ChaosStatus) bool {
	return status.Experiment.DesiredPhase == v1alpha1.RunningPhase && len(status.Experiment.Records) == 0 &&
		slices.ContainsFunc(status.Conditions, func(condition v1alpha1.ChaosCondition) bool {
			return condition.Type == v1alpha1.ConditionSelected && condition.Status == corev1.ConditionFalse
		})
}

// broken is the first record whose latest such operation failed, and why.
func broken(status *v1alpha1.ChaosStatus, operation v1alpha1.RecordEventOperation) (*v1alpha1.Record, string) {
	for _, record := range status.Experiment.Records {
		if operation == v1alpha1.Apply && record.Phase == v1alpha1.Injected {
			continue
		}
		for _, event := range slices.Backward(record.Events) {
			if event.Operation == operation {
				if event.Type == v1alpha1.TypeFailed {
					return record, event.Message
				}
				break
			}
		}
	}
	return nil, ""
}

func failure(status *v1alpha1.ChaosStatus) string {
	_, message := broken(status, v1alpha1.Apply)
	return message
}

// podOf is the pod of a record, whose name is namespace/pod or
// namespace/pod/container.
func podOf(record *v1alpha1.Record) types.NamespacedName {
	namespace, name, _ := strings.Cut(record.Id, "/")
	name, _, _ = strings.Cut(name, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func targets(status *v1alpha1.ChaosStatus) string {
	var list []string
	for _, record := range status.Experiment.Records {
		list = append(list, record.Id)
	}
	return strings.Join(distinct(list), ", ")
}

func distinct(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
