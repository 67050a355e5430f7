package local

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// choose finds the pods that a selector selects.
func (c *Cluster) choose(selector v1alpha1.PodSelector, field string) ([]*pod, error) {
	if err := understood(selector, field); err != nil {
		return nil, err
	}
	var chosen []*pod
	if slices.Contains(selector.Selector.Namespaces, c.description.Namespace) {
		for _, pod := range c.pods {
			if matches(pod.Labels, selector.Selector.LabelSelectors) {
				chosen = append(chosen, pod)
			}
		}
	}
	if len(chosen) == 0 {
		return nil, &fault.FieldError{
			Field: field,
			Message: fmt.Sprintf("selects no pod: none in namespace %s has %s; namespace %s has %s",
				strings.Join(selector.Selector.Namespaces, " or "), labels(selector.Selector.LabelSelectors), c.description.Namespace, c.inventory()),
			Remedy: "correct the selector, or the labels of the target that it was made for",
		}
	}
	if selector.Mode == v1alpha1.OneMode {
		one := rand.IntN(len(chosen))
		chosen = chosen[one : one+1]
	}
	return chosen, nil
}

// understood says which field of a selector would have to be ignored.
func understood(selector v1alpha1.PodSelector, field string) error {
	switch selector.Mode {
	case v1alpha1.OneMode, v1alpha1.AllMode:
	default:
		return &fault.FieldError{
			Field:   strings.TrimSuffix(field, "selector") + "mode",
			Message: fmt.Sprintf("the local cluster does not know %q", string(selector.Mode)),
			Remedy:  "use one or all",
		}
	}
	spec := selector.Selector
	for _, other := range []struct {
		name string
		set  bool
	}{
		{"expressionSelectors", len(spec.ExpressionSelectors) > 0},
		{"fieldSelectors", len(spec.FieldSelectors) > 0},
		{"annotationSelectors", len(spec.AnnotationSelectors) > 0},
		{"nodes", len(spec.Nodes) > 0},
		{"nodeSelectors", len(spec.NodeSelectors) > 0},
		{"pods", len(spec.Pods) > 0},
		{"podPhaseSelectors", len(spec.PodPhaseSelectors) > 0},
	} {
		if other.set {
			return &fault.FieldError{
				Field:   field + "." + other.name,
				Message: "the local cluster does not know it",
				Remedy:  "select by namespaces and labelSelectors",
			}
		}
	}
	return nil
}

func matches(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// inventory lists the pods with their labels.
func (c *Cluster) inventory() string {
	list := make([]string, len(c.pods))
	for i, pod := range c.pods {
		list[i] = fmt.Sprintf("%s (%s)", pod.Name, labels(pod.Labels))
	}
	return strings.Join(list, ", ")
}

func labels(labels map[string]string) string {
	if len(labels) == 0 {
		return "no label"
	}
	list := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, key+"="+labels[key])
	}
	return strings.Join(list, ", ")
}
