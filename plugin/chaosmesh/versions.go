package chaosmesh

import (
	"context"
	"path"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

var _ engine.Versioned = (*Driver)(nil)

// Versions are those of the API server, of Chaos Mesh if we may look, and the
// images of the target's services; see [engine.Versioned].
func (d *Driver) Versions(ctx context.Context) map[string]string {
	versions := map[string]string{}
	if asks, err := discovery.NewDiscoveryClientForConfig(d.config); err == nil {
		if server, err := asks.ServerVersionWithContext(ctx); err == nil {
			versions["Kubernetes"] = server.GitVersion
		}
	}
	managers := &appsv1.DeploymentList{}
	if d.client.List(ctx, managers, client.MatchingLabels{"app.kubernetes.io/component": "controller-manager"}) == nil {
		for _, manager := range managers.Items {
			if containers := manager.Spec.Template.Spec.Containers; len(containers) > 0 && strings.Contains(manager.Name, "chaos") {
				versions["Chaos Mesh"] = path.Base(containers[0].Image)
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, service := range d.options.Services {
		for _, pod := range d.pods {
			if isOf(service, pod) && len(pod.Spec.Containers) > 0 {
				versions[name] = path.Base(pod.Spec.Containers[0].Image)
			}
		}
	}
	return versions
}
