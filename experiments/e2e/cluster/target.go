package cluster

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"sigs.k8s.io/yaml"
)

// targetFile is the file that says where the emulated EMCO is.
type targetFile struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	Spec       targetSpec        `json:"spec"`
}

type targetSpec struct {
	Driver   map[string]any           `json:"driver"`
	Services map[string]targetService `json:"services"`
	Settings map[string]any           `json:"settings"`
}

type targetService struct {
	URL       string            `json:"url,omitempty"`
	Address   string            `json:"address,omitempty"`
	Namespace string            `json:"namespace,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
}

// ports are those of the services that can be asked: all but rsync answer HTTP.
func ports() map[string]int {
	return map[string]int{"orchestrator": 9015, "dcm": 9077, "clm": 9061, "rsync": 9031}
}

// targetOf describes the emulated EMCO, whose services are at the addresses.
func targetOf(addresses map[string]string, driver map[string]any) targetFile {
	inside := func(label, name string) targetService {
		described := targetService{Namespace: EMCONamespace, Labels: map[string]string{label: name}}
		if address := addresses[name]; address != "" {
			described.URL = "http://" + address
		}
		return described
	}
	rsync := inside("app", "rsync")
	// As EMCO's own services reach it too, for its registration.
	rsync.Address, rsync.URL = addresses["rsync"], ""
	return targetFile{
		APIVersion: "emco-chaos/v1", Kind: "Target", Metadata: map[string]string{"name": "emco"},
		Spec: targetSpec{
			Driver: driver,
			Services: map[string]targetService{
				"orchestrator": inside("app", "orchestrator"),
				"dcm":          inside("app", "dcm"),
				"clm":          inside("app", "clm"),
				"rsync":        rsync,
				"etcd":         inside("app.kubernetes.io/name", "etcd"),
				"mongo":        inside("app", "mongo"),
				"edge":         {Address: EdgeAddress + ":" + edgePort},
			},
			Settings: map[string]any{
				"edge": map[string]any{"kubeconfig": map[string]string{"file": "edge.kubeconfig"}},
				"apps": []string{"adservice", "currencyservice"},
			},
		},
	}
}

// writeTargets writes target.yaml, for whoever is in the network namespace of
// the node, and target-in-cluster.yaml, for pods.
func (c *Cluster) writeTargets(ctx context.Context) error {
	node, pod := map[string]string{}, map[string]string{}
	for service, port := range ports() {
		address, err := c.address(ctx, EMCONamespace, service)
		if err != nil {
			return err
		}
		node[service] = address
		pod[service] = service + "." + EMCONamespace + ":" + strconv.Itoa(port)
	}
	for file, content := range map[string]targetFile{
		c.folder.target(): targetOf(node, map[string]any{
			"kubernetes": map[string]any{"kubeconfig": c.Kubeconfig()},
		}),
		c.folder.podTarget(): targetOf(pod, map[string]any{"kubernetes": map[string]any{}}),
	} {
		encoded, err := yaml.Marshal(content)
		if err != nil {
			return fmt.Errorf("write the target: %w", err)
		}
		if err := os.WriteFile(file, encoded, 0o644); err != nil {
			return fmt.Errorf("write the target: %w", err)
		}
	}
	return nil
}
