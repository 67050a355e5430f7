// Package fault makes and reads the Chaos Mesh objects that a plan's faults
// are, typed, with Chaos Mesh's own defaulting and validation. Its table of
// kinds says what each of them can do.
package fault

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"sigs.k8s.io/json"
)

// Labels that every object of ours carries.
const (
	RunLabel        = "emco-chaos.io/run"
	ExperimentLabel = "emco-chaos.io/experiment"
	StepLabel       = "emco-chaos.io/step"
)

// Kinds that are named elsewhere than in the table.
const (
	PodChaos     = v1alpha1.KindPodChaos
	NetworkChaos = v1alpha1.KindNetworkChaos
)

// GroupVersion is the apiVersion of every Chaos Mesh object, and Group its API
// group.
const (
	Group        = "chaos-mesh.org"
	GroupVersion = Group + "/v1alpha1"
)

// Object is a typed Chaos Mesh object, such as *v1alpha1.PodChaos.
type Object interface {
	v1alpha1.InnerObjectWithSelector
	v1alpha1.RemoteObject
	// Validate checks the object as the admission webhook does.
	Validate() ([]string, error)
}

// List is a list of objects of one kind, for a client to fill.
type List = v1alpha1.GenericChaosList

// Objects are the objects of a list.
func Objects(list List) []Object {
	var objects []Object
	for _, item := range list.GetItems() {
		objects = append(objects, item.(Object))
	}
	return objects
}

// Selector is one of an object's selectors of pods.
type Selector struct {
	// Field is where it stands in the object.
	Field string
	*v1alpha1.PodSelector
}

// Selectors are the object's selectors: of the pods that the fault is put on,
// and then of those at its other end if it has one.
func Selectors(object Object) []Selector {
	var list []Selector
	specs := object.GetSelectorSpecs()
	for _, key := range slices.Sorted(maps.Keys(specs)) {
		selector := Selector{Field: "spec" + strings.ToLower(strings.TrimSuffix(key, "."))}
		switch spec := specs[key].(type) {
		case *v1alpha1.PodSelector:
			selector.PodSelector = spec
		case *v1alpha1.ContainerSelector:
			selector.PodSelector = &spec.PodSelector
		}
		list = append(list, selector)
	}
	return list
}

// Decode reads a Chaos Mesh object from JSON. A field that the kind does not
// have is an error.
func Decode(data []byte) (Object, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.UnmarshalCaseSensitivePreserveInts(data, &head); err != nil {
		return nil, fmt.Errorf("read a Chaos Mesh object: %w", err)
	}
	if head.APIVersion != GroupVersion {
		return nil, fmt.Errorf("%w, not %s of %s", ErrKind, head.Kind, head.APIVersion)
	}
	kind, err := Find(head.Kind)
	if err != nil {
		return nil, err
	}
	object := New(kind.Name)
	strict, err := json.UnmarshalStrict(data, object)
	if err = errors.Join(append(strict, err)...); err != nil {
		return nil, fmt.Errorf("read a %s: %w", kind.Name, err)
	}
	return object, nil
}

// Stamp gives the object its name and the labels that say whose it is. The
// name is RUN-ATTEMPT-STEP: Chaos Mesh deletes what it knows by name, so no two
// attempts share one.
func Stamp(object Object, run string, attempt int, experiment, step string) {
	object.SetName(fmt.Sprintf("%s-%d-%s", run, attempt, step))
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[RunLabel], labels[ExperimentLabel], labels[StepLabel] = run, experiment, step
	object.SetLabels(labels)
}
