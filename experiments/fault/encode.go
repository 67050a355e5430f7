package fault

import (
	"encoding/json"
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

// Encode writes the object as JSON, without the status and the time of
// creation that a new object does not have.
func Encode(object Object) (json.RawMessage, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("write a Chaos Mesh object: %w", err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("write a Chaos Mesh object: %w", err)
	}
	delete(fields, "status")
	if metadata, ok := fields["metadata"].(map[string]any); ok && metadata["creationTimestamp"] == nil {
		delete(metadata, "creationTimestamp")
	}
	data, err = json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("write a Chaos Mesh object: %w", err)
	}
	return data, nil
}

// YAML writes the object as kubectl takes it.
func YAML(object Object) ([]byte, error) {
	data, err := Encode(object)
	if err != nil {
		return nil, err
	}
	text, err := yaml.JSONToYAML(data)
	if err != nil {
		return nil, fmt.Errorf("write a Chaos Mesh object: %w", err)
	}
	return text, nil
}

// Describe makes a plan's fault of the object.
func Describe(object Object) (*plan.Fault, error) {
	kind, err := Find(NameOf(object))
	if err != nil {
		return nil, err
	}
	data, err := Encode(object)
	if err != nil {
		return nil, err
	}
	spec, err := specOf(object)
	if err != nil {
		return nil, err
	}
	action := kind.action(spec)
	return &plan.Fault{Kind: kind.Name, Action: action, Summary: action, Object: data}, nil
}
