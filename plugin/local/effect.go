package local

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// effect is what a fault does to a cluster.
type effect struct {
	duration *time.Duration // when it ends by itself; nil is never
	pods     []string       // these lose their processes
	keepDown bool           // they get no other ones until the fault ends
	grace    time.Duration  // how long the processes may take to stop by themselves
	// holds are the links that are held, by their indexes, and selected the
	// pods whose next processes are free of that.
	holds    map[int][2]bool
	selected []string
	awaited  int // so many requests have to begin before the links are held
}

// lasts reports whether the effect stays until the fault ends.
func (e effect) lasts() bool { return e.keepDown || len(e.holds) > 0 }

// Check fills in Chaos Mesh's defaults and returns why a cluster of this
// description would refuse the object, as a [document.Problem] where it can.
func (d *Description) Check(object fault.Object) error {
	_, err := d.effectOf(object)
	return err
}

func (d *Description) effectOf(object fault.Object) (effect, error) {
	if err := fault.Check(object); err != nil {
		return effect{}, err
	}
	if object.GetName() == "" {
		return effect{}, refuse("metadata.name", "is missing", "name the object")
	}
	if err := refusal(object); err != nil {
		return effect{}, err
	}
	if chaos, network := object.(*v1alpha1.NetworkChaos); network {
		result, err := d.networkChaos(&chaos.Spec)
		// Without a number it is the first one, which may have begun before.
		if request, wrong := fault.Request(object); wrong != nil {
			return effect{}, wrong
		} else if request > 1 {
			result.awaited = request
		}
		return result, err
	}
	return d.podChaos(&object.(*v1alpha1.PodChaos).Spec)
}

func (d *Description) podChaos(spec *v1alpha1.PodChaosSpec) (effect, error) {
	pods, err := d.choose(spec.PodSelector, "spec.selector")
	if err != nil {
		return effect{}, err
	}
	result := effect{pods: pods, keepDown: spec.Action == v1alpha1.PodFailureAction}
	if spec.Action == v1alpha1.PodKillAction {
		result.grace = time.Duration(spec.GracePeriod) * time.Second
	}
	for _, pod := range pods {
		if spec.Action == v1alpha1.ContainerKillAction && !slices.Equal(spec.ContainerNames, []string{pod}) {
			return effect{}, refuse("spec.containerNames", fmt.Sprintf("pod %s has one container, and its name is that of the pod", pod), "write ["+pod+"]")
		}
	}
	result.duration, err = spec.GetDuration()
	return result, err
}

func (d *Description) networkChaos(spec *v1alpha1.NetworkChaosSpec) (effect, error) {
	sources, err := d.choose(spec.PodSelector, "spec.selector")
	if err != nil {
		return effect{}, err
	}
	// Without any target it is whatever there is.
	all := spec.Target == nil && len(spec.ExternalTargets) == 0
	var targets []string
	if spec.Target != nil {
		if targets, err = d.choose(*spec.Target, "spec.target.selector"); err != nil {
			return effect{}, err
		}
	}
	for i, name := range spec.ExternalTargets {
		if !slices.ContainsFunc(d.Links, func(link Link) bool { return link.LeadsTo(name) }) {
			return effect{}, refuse(fmt.Sprintf("spec.externalTargets[%d]", i), fmt.Sprintf("no link leads to %s; there are the links %s", name, d.linkNames()),
				"correct the name, or add a link to the cluster file")
		}
	}
	to, from := spec.Direction != v1alpha1.From, spec.Direction != v1alpha1.To
	result := effect{holds: map[int][2]bool{}, selected: slices.Concat(sources, targets)}
	for i, link := range d.Links {
		// The fault's sources are at one end of the link, or at both.
		connects := slices.Contains(sources, link.From) &&
			(all || slices.Contains(targets, link.To) || slices.ContainsFunc(spec.ExternalTargets, link.LeadsTo))
		answers := slices.Contains(sources, link.To) && (all || slices.Contains(targets, link.From))
		if connects || answers {
			result.holds[i] = [2]bool{
				forward:  connects && to || answers && from,
				backward: connects && from || answers && to,
			}
		}
	}
	if len(result.holds) == 0 {
		reach := strings.Join(slices.Concat(targets, spec.ExternalTargets), ", ")
		if all {
			reach = "anything"
		}
		return effect{}, refuse("spec", fmt.Sprintf("no link runs between %s and %s; there are the links %s", strings.Join(sources, ", "), reach, d.linkNames()),
			"select both ends of one of them, or add a link to the cluster file")
	}
	result.duration, err = spec.GetDuration()
	return result, err
}

// Select returns the names of the pods of a namespace that have labels.
func (d *Description) Select(namespace string, labels map[string]string) ([]string, error) {
	return d.choose(v1alpha1.PodSelector{
		Mode: v1alpha1.AllMode,
		Selector: v1alpha1.PodSelectorSpec{GenericSelectorSpec: v1alpha1.GenericSelectorSpec{
			Namespaces: []string{namespace}, LabelSelectors: labels,
		}},
	}, "")
}

// choose returns the names of the pods that a selector selects.
func (d *Description) choose(selector v1alpha1.PodSelector, field string) ([]string, error) {
	wanted := labels.Set(selector.Selector.LabelSelectors)
	var chosen, there []string
	for _, pod := range d.Pods {
		there = append(there, fmt.Sprintf("%s (%s)", pod.Name, labelText(pod.Labels)))
		if slices.Contains(selector.Selector.Namespaces, d.Namespace) && wanted.AsSelector().Matches(labels.Set(pod.Labels)) {
			chosen = append(chosen, pod.Name)
		}
	}
	if len(chosen) == 0 {
		return nil, refuse(field, fmt.Sprintf("selects no pod: none in namespace %s has %s; namespace %s has %s",
			strings.Join(selector.Selector.Namespaces, " or "), labelText(wanted), d.Namespace, strings.Join(there, ", ")),
			"correct the selector, or the labels of the target that it was made for")
	}
	if selector.Mode == v1alpha1.OneMode {
		one := rand.IntN(len(chosen))
		chosen = chosen[one : one+1]
	}
	return chosen, nil
}

func labelText(set labels.Set) string { return cmp.Or(set.String(), "no label") }

func (d *Description) linkNames() string {
	names := make([]string, len(d.Links))
	for i, link := range d.Links {
		names[i] = link.String()
	}
	return cmp.Or(strings.Join(names, ", "), "(none)")
}
