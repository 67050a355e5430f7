// Package fault makes, reads and checks the Chaos Mesh objects of a plan's
// faults, with Chaos Mesh's own types, defaulting and validation. Its table
// kinds.yaml has a row for each kind of object.
package fault

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"gopkg.in/yaml.v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	strict "sigs.k8s.io/json"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Labels that every object of ours carries.
const (
	RunLabel        = "emco-chaos.io/run"
	ExperimentLabel = "emco-chaos.io/experiment"
	StepLabel       = "emco-chaos.io/step"
)

// RequestAnnotation is on a partition that begins with a later request than the
// first. A local cluster can count them.
const RequestAnnotation = "emco-chaos.io/request"

// Request returns the number of the request with which a partition begins, from 1
// on.
func Request(object Object) (int, error) {
	text, given := object.GetAnnotations()[RequestAnnotation]
	if !given {
		return 1, nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 {
		return 0, document.Problem{Field: "metadata.annotations", Message: fmt.Sprintf("%s is %q", RequestAnnotation, text), Remedy: "write a number from 1 on"}
	}
	return number, nil
}

// The API group and the apiVersion of every Chaos Mesh object.
const (
	Group        = "chaos-mesh.org"
	GroupVersion = Group + "/v1alpha1"
)

// Kinds that are named elsewhere than in the table.
const (
	PodChaos     = v1alpha1.KindPodChaos
	NetworkChaos = v1alpha1.KindNetworkChaos
)

// Object is a typed Chaos Mesh object, such as *v1alpha1.PodChaos.
type Object interface {
	v1alpha1.InnerObjectWithSelector
	v1alpha1.RemoteObject
	// Validate checks the object as the admission webhook does.
	Validate() ([]string, error)
}

// Decode reads a Chaos Mesh object from JSON. An unknown field is an error.
func Decode(data []byte) (Object, error) {
	var head metav1.TypeMeta
	if err := strict.UnmarshalCaseSensitivePreserveInts(data, &head); err != nil {
		return nil, fmt.Errorf("read a Chaos Mesh object: %w", err)
	}
	if _, err := Find(head.Kind); err != nil || head.APIVersion != GroupVersion {
		return nil, fmt.Errorf("%w, not %s of %s", ErrKind, head.Kind, head.APIVersion)
	}
	object := New(head.Kind)
	unknown, err := strict.UnmarshalStrict(data, object)
	if err = errors.Join(append(unknown, err)...); err != nil {
		return nil, fmt.Errorf("read a %s: %w", head.Kind, err)
	}
	return object, nil
}

// fieldsOf are the object's fields without the status: a new object has none.
func fieldsOf(object Object) (map[string]any, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("write a Chaos Mesh object: %w", err)
	}
	delete(fields, "status")
	return fields, nil
}

// YAML writes a new object as kubectl takes it.
func YAML(object Object) ([]byte, error) {
	fields, err := fieldsOf(object)
	if err != nil {
		return nil, err
	}
	// Unlike sigs.k8s.io/yaml it escapes the control characters that YAML has no place for.
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(fields); err != nil {
		return nil, fmt.Errorf("write a Chaos Mesh object: %w", err)
	}
	return text.Bytes(), nil
}

// Stamp gives the object its name, RUN-ATTEMPT-STEP, and its labels. Chaos Mesh
// deletes what it knows by name, so no two attempts share one.
func Stamp(object Object, run string, attempt int, experiment, step string) {
	object.SetName(fmt.Sprintf("%s-%d-%s", run, attempt, step))
	stamped := map[string]string{RunLabel: run, ExperimentLabel: experiment, StepLabel: step}
	object.SetLabels(labels.Merge(object.GetLabels(), stamped))
}

// Selector is one of an object's selectors of pods.
type Selector struct {
	Field string // where it stands in the object
	*v1alpha1.PodSelector
	Containers []string // those that are hit; empty is the pod's first one
}

// Selectors are the object's selectors: of the pods that the fault is put on,
// then of those at its other end if it has one.
func Selectors(object Object) []Selector {
	var list []Selector
	specs := object.GetSelectorSpecs()
	for _, key := range slices.Sorted(maps.Keys(specs)) {
		selector := Selector{Field: "spec" + strings.ToLower(strings.TrimSuffix(key, "."))}
		switch spec := specs[key].(type) {
		case *v1alpha1.PodSelector:
			selector.PodSelector = spec
		case *v1alpha1.ContainerSelector:
			selector.PodSelector, selector.Containers = &spec.PodSelector, spec.ContainerNames
		}
		list = append(list, selector)
	}
	return list
}
