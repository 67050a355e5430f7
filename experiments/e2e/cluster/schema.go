package cluster

import (
	"fmt"
	"strings"

	chart "helm.sh/helm/v4/pkg/chart/v2"
	"sigs.k8s.io/yaml"
)

// partitionBehavior is the one field that Chaos Mesh's API module has and the
// CRDs of its chart have not: no two published versions of both are of the
// same day. Without it the API server drops the field that the webhook has
// filled in, the next update differs from what is stored, and the webhook
// refuses it: no NetworkChaos would ever be injected.
const partitionBehavior = "partitionBehavior"

// completeSchemas adds the field wherever the CRDs of the chart describe a
// NetworkChaos: alone, in a Schedule and in a Workflow.
func completeSchemas(of *chart.Chart) error {
	for _, file := range of.Files {
		if !strings.HasPrefix(file.Name, "crds/") {
			continue
		}
		var definition map[string]any
		if err := yaml.Unmarshal(file.Data, &definition); err != nil {
			return fmt.Errorf("read %s: %w", file.Name, err)
		}
		if complete(definition) == 0 {
			continue
		}
		encoded, err := yaml.Marshal(definition)
		if err != nil {
			return fmt.Errorf("write %s: %w", file.Name, err)
		}
		file.Data = encoded
	}
	return nil
}

// complete adds the field everywhere below a node, and tells how often.
func complete(node any) int {
	added := 0
	switch node := node.(type) {
	case []any:
		for _, each := range node {
			added += complete(each)
		}
	case map[string]any:
		if properties, is := node["properties"].(map[string]any); is && ofNetworkChaos(properties) {
			properties[partitionBehavior] = map[string]any{"type": "string", "enum": []any{"", "drop", "reject"}}
			added++
		}
		for _, each := range node {
			added += complete(each)
		}
	}
	return added
}

// ofNetworkChaos tells whether the properties are those of a NetworkChaos's
// spec, and lack the field.
func ofNetworkChaos(properties map[string]any) bool {
	for _, has := range []string{"action", "direction", "externalTargets", "targetDevice"} {
		if _, there := properties[has]; !there {
			return false
		}
	}
	_, there := properties[partitionBehavior]
	return !there
}
