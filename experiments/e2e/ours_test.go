package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
)

// definitions are the UIDs and generations of Chaos Mesh's definitions.
func (s *site) definitions(t *testing.T) map[string]string {
	t.Helper()
	kinds, err := dynamic.NewForConfig(s.config)
	if err != nil {
		t.Fatal(err)
	}
	all, err := kinds.Resource(apiextensions.SchemeGroupVersion.WithResource("customresourcedefinitions")).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, one := range all.Items {
		if strings.HasSuffix(one.GetName(), ".chaos-mesh.org") {
			found[one.GetName()] = fmt.Sprint(one.GetUID(), one.GetGeneration())
		}
	}
	if len(found) == 0 {
		t.Fatal("Chaos Mesh has no definitions")
	}
	return found
}

// ours are all objects of the cluster, of whatever kind, that the chart, the
// controller or a run made.
func (s *site) ours(ctx context.Context) ([]string, error) {
	asking, err := discovery.NewDiscoveryClientForConfig(s.config)
	if err != nil {
		return nil, err
	}
	kinds, err := dynamic.NewForConfig(s.config)
	if err != nil {
		return nil, err
	}
	lists, err := asking.ServerPreferredResources()
	if err != nil {
		return nil, fmt.Errorf("list the kinds: %w", err)
	}
	var left []string
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, kind := range list.APIResources {
			// Events are history and go by themselves.
			if !slices.Contains(kind.Verbs, "list") || kind.Kind == "Event" {
				continue
			}
			objects, err := kinds.Resource(group.WithResource(kind.Name)).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, errors.Join(fmt.Errorf("list %s", kind.Name), err)
			}
			for _, object := range objects.Items {
				if isOurs(object.GetName(), object.GetNamespace(), object.GetLabels()) {
					left = append(left, fmt.Sprintf("%s %s/%s", kind.Kind, object.GetNamespace(), object.GetName()))
				}
			}
		}
	}
	return left, nil
}

// isOurs leaves out what is in our namespace whatever is installed there: the
// namespace itself, and what the test put into it.
func isOurs(name, namespace string, labels map[string]string) bool {
	if labels["app.kubernetes.io/name"] == "emco-chaos" || labels[runLabel] != "" {
		return true
	}
	switch {
	case name == home && namespace == "":
		return false
	case strings.HasPrefix(name, "emco-chaos"), strings.Contains(name, "sh.helm.release") && namespace == home:
		return true
	}
	return namespace == home && !slices.Contains([]string{"default", "kube-root-ca.crt", edgeSecret}, name)
}
