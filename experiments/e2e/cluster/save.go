package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// Save keeps what tells later what happened: the logs of all that runs, and
// the events, pods and chaos objects of all namespaces. The folder must not
// have an earlier one's files.
func (c *Cluster) Save(ctx context.Context, directory string) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return fmt.Errorf("save the cluster's logs: %w", err)
	}
	var problems []error
	if c.Ours() {
		if err := os.CopyFS(filepath.Join(directory, "logs"), os.DirFS(c.Logs())); err != nil {
			problems = append(problems, fmt.Errorf("save the cluster's logs: %w", err))
		}
	}
	return errors.Join(append(problems, c.saveObjects(ctx, directory))...)
}

func (c *Cluster) saveObjects(ctx context.Context, directory string) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	finder, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("save the cluster's objects: %w", err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("save the cluster's objects: %w", err)
	}
	kinds := []schema.GroupVersionResource{
		{Version: "v1", Resource: "events"}, {Version: "v1", Resource: "pods"}, {Version: "v1", Resource: "services"},
	}
	chaos := schema.GroupVersion{Group: "chaos-mesh.org", Version: "v1alpha1"}
	listed, err := finder.ServerResourcesForGroupVersion(chaos.String())
	if err != nil {
		return fmt.Errorf("save the chaos objects: %w", err)
	}
	for _, each := range listed.APIResources {
		if slices.Contains(each.Verbs, "list") {
			kinds = append(kinds, chaos.WithResource(each.Name))
		}
	}
	var problems []error
	for _, kind := range kinds {
		objects, err := client.Resource(kind).List(ctx, metav1.ListOptions{})
		if err != nil {
			problems = append(problems, fmt.Errorf("save the %s: %w", kind.Resource, err))
			continue
		}
		if len(objects.Items) == 0 {
			continue
		}
		content, err := yaml.Marshal(objects)
		if err == nil {
			err = os.WriteFile(filepath.Join(directory, kind.Resource+".yaml"), content, 0o644)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("save the %s: %w", kind.Resource, err))
		}
	}
	return errors.Join(problems...)
}
