package chaosmesh

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// remainder is a fault that may still be on a pod although its object is gone.
type remainder struct {
	identity
	err error
}

// remains says that the fault may still be on, although its object is gone: it
// was freed before Chaos Mesh had taken the fault off. The driver remembers
// that for as long as the pods are there.
func (r *removal) remains() error {
	d := r.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	on, ruled := r.stillOn()
	if len(on)+len(ruled) == 0 {
		for _, left := range d.remaining {
			if left.identity == r.identity {
				return left.err
			}
		}
		return nil
	}
	var why []string
	if len(on) > 0 {
		why = append(why, "Chaos Mesh has not taken the fault off: it may still be on")
	}
	if len(ruled) > 0 {
		why = append(why, "its rules stay with its pods: Chaos Mesh may yet carry them out, and no duration takes them off")
	}
	var remedy []string
	for _, pod := range append(on, ruled...) {
		remedy = append(remedy, fmt.Sprintf("kubectl --namespace %s delete pod %s", pod.Namespace, pod.Name))
	}
	slices.Sort(remedy)
	err := fmt.Errorf("its object is gone, and %s; a new pod is free of it: %s",
		strings.Join(why, "; and "), strings.Join(slices.Compact(remedy), "; "))
	for _, pod := range append(on, ruled...) {
		d.remaining[pod.UID] = remainder{r.identity, err}
	}
	return err
}

// stillOn are the pods that the fault is on by what was said last of it, and
// those that still have its rules. Chaos Mesh itself lets an object go only
// when the fault is off everything: that it is not is believed of an object
// that was freed by force, or that was seen as it went.
func (r *removal) stillOn() (on, ruled []*corev1.Pod) {
	last := r.leaving.last
	if last == nil {
		last = r.last
	}
	if last == nil || last.IsOneShot() {
		return nil, nil
	}
	if !r.forced && !r.leaving.final {
		return nil, nil
	}
	for _, record := range lingering(status(last)) {
		namespace, name := podOf(record)
		on = append(on, r.driver.podNamed(namespace, name)...)
	}
	for _, record := range status(last).Experiment.Records {
		namespace, name := podOf(record)
		if record.Phase != v1alpha1.NotInjected && slices.Contains(r.ruled, types.NamespacedName{Namespace: namespace, Name: name}) {
			ruled = append(ruled, r.driver.podNamed(namespace, name)...)
		}
	}
	return on, ruled
}

// podNamed is the pod of that name, if it is there.
func (d *Driver) podNamed(namespace, name string) []*corev1.Pod {
	var list []*corev1.Pod
	for _, pod := range d.pods {
		if pod.Namespace == namespace && pod.Name == name {
			list = append(list, pod)
		}
	}
	return list
}

// remainders says which faults may still be on although their objects are gone.
func (d *Driver) remainders() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	texts := map[string]error{}
	for _, left := range d.remaining {
		texts[left.String()] = fmt.Errorf("%s was removed: %w", left, left.err)
	}
	var errs []error
	for _, text := range slices.Sorted(maps.Keys(texts)) {
		errs = append(errs, texts[text])
	}
	return errors.Join(errs...)
}
