// Package fault makes and reads the Chaos Mesh objects that a plan's faults
// are: PodChaos and NetworkChaos, typed, with Chaos Mesh's own defaulting and
// validation.
package fault

import (
	"errors"
	"fmt"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/json"
)

// Labels that every object of ours carries.
const (
	RunLabel        = "emco-chaos.io/run"
	ExperimentLabel = "emco-chaos.io/experiment"
	StepLabel       = "emco-chaos.io/step"
)

// Kinds of Chaos Mesh object that a fault can be.
const (
	PodChaos     = "PodChaos"
	NetworkChaos = "NetworkChaos"
)

// GroupVersion is the apiVersion of every Chaos Mesh object.
const GroupVersion = "chaos-mesh.org/v1alpha1"

// ErrKind says that an object is of no kind that a fault can be.
var ErrKind = errors.New("a fault is a PodChaos or a NetworkChaos of chaos-mesh.org/v1alpha1")

// Object is a typed Chaos Mesh object: *v1alpha1.PodChaos or
// *v1alpha1.NetworkChaos.
type Object = client.Object

// Decode reads a Chaos Mesh object from JSON. A field that the kind does not
// have is an error.
func Decode(data []byte) (Object, error) {
	var kind struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.UnmarshalCaseSensitivePreserveInts(data, &kind); err != nil {
		return nil, fmt.Errorf("read a Chaos Mesh object: %w", err)
	}
	var object Object
	switch {
	case kind.APIVersion != GroupVersion:
		return nil, fmt.Errorf("%w, not %s of %s", ErrKind, kind.Kind, kind.APIVersion)
	case kind.Kind == PodChaos:
		object = &v1alpha1.PodChaos{}
	case kind.Kind == NetworkChaos:
		object = &v1alpha1.NetworkChaos{}
	default:
		return nil, fmt.Errorf("%w, not %s", ErrKind, kind.Kind)
	}
	strict, err := json.UnmarshalStrict(data, object)
	if err = errors.Join(append(strict, err)...); err != nil {
		return nil, fmt.Errorf("read a %s: %w", kind.Kind, err)
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
