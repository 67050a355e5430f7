package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// How Chaos Mesh's chart labels its parts.
const (
	componentLabel    = "app.kubernetes.io/component"
	versionLabel      = "app.kubernetes.io/version"
	controllerManager = "controller-manager"
	chaosDaemon       = "chaos-daemon"
)

// lookAtChaosMesh asks whether the API server has the kinds that faults are.
func lookAtChaosMesh(ctx context.Context, e *examination) {
	list, err := e.Discovery.ServerResourcesForGroupVersionWithContext(ctx, fault.GroupVersion)
	switch {
	case apierrors.IsNotFound(err):
		e.fail(fault.GroupVersion, e.install(), "the API server has no such kinds: Chaos Mesh is not installed")
		return
	case err != nil:
		e.fail(fault.GroupVersion, "look at the API server's log", "what the API server has of it cannot be read: %v", cause(ctx, err))
		return
	}
	there := map[string]bool{}
	for _, resource := range list.APIResources {
		there[resource.Kind] = true
	}
	for _, kind := range fault.Kinds() {
		if !there[kind.Name] {
			e.fail(fault.GroupVersion, e.install(), "the API server does not have the kind %s", kind.Name)
			return
		}
	}
	e.ok(fault.GroupVersion, "every kind of fault is there")
}

// install is the command that installs Chaos Mesh, or mends it. Its chart takes
// the nodes' runtime for Docker unless it is told, and injects nothing then.
func (e *examination) install() string {
	return "helm repo add chaos-mesh https://charts.chaos-mesh.org\n" +
		"helm upgrade --install chaos-mesh chaos-mesh/chaos-mesh --namespace " + e.ChaosMesh + " --create-namespace" +
		" --set chaosDaemon.runtime=containerd --set chaosDaemon.socketPath=/run/containerd/containerd.sock\n" +
		"with the runtime and the socket of your nodes"
}

// lookAtController looks for Chaos Mesh's controller-manager.
func lookAtController(ctx context.Context, e *examination) {
	deployments := &appsv1.DeploymentList{}
	labels := client.MatchingLabels{componentLabel: controllerManager}
	err := e.Client.List(ctx, deployments, client.InNamespace(e.ChaosMesh), labels)
	if apierrors.IsForbidden(err) {
		e.warn("namespace "+e.ChaosMesh, e.grantReading(), "it is not known whether the controller-manager of Chaos Mesh is ready: we may not list deployments there")
		return
	}
	if err != nil {
		e.fail("namespace "+e.ChaosMesh, "kubectl -n "+e.ChaosMesh+" get deployments", "its deployments cannot be listed: %v", cause(ctx, err))
		return
	}
	found := chaosMeshOnes(deployments.Items)
	if len(found) == 0 {
		found = e.elsewhere(ctx, labels)
	}
	if len(found) == 0 {
		e.fail("namespace "+e.ChaosMesh, "name the namespace of Chaos Mesh with --chaos-mesh-namespace, or install it:\n"+e.install(),
			"no controller-manager of Chaos Mesh is there, and none was seen elsewhere")
		return
	}
	for _, deployment := range found {
		e.ChaosMesh = deployment.Namespace
		e.deployment(deployment)
	}
}

// chaosMeshOnes are those of the controller-managers that are Chaos Mesh's:
// others carry that label too.
func chaosMeshOnes(all []appsv1.Deployment) []appsv1.Deployment {
	var ones []appsv1.Deployment
	for _, deployment := range all {
		named := deployment.Labels["app.kubernetes.io/part-of"] + deployment.Labels["app.kubernetes.io/name"] + deployment.Name
		if strings.Contains(named, "chaos") {
			ones = append(ones, deployment)
		}
	}
	return ones
}

// elsewhere looks for controller-managers in all namespaces, as far as we may.
func (e *examination) elsewhere(ctx context.Context, labels client.MatchingLabels) []appsv1.Deployment {
	deployments := &appsv1.DeploymentList{}
	// Whoever may not look everywhere names the namespace; the finding says so.
	if err := e.Client.List(ctx, deployments, labels); err != nil {
		return nil
	}
	return chaosMeshOnes(deployments.Items)
}

func (e *examination) deployment(deployment appsv1.Deployment) {
	subject := deployment.Namespace + "/" + deployment.Name
	wanted := int32(1)
	if deployment.Spec.Replicas != nil {
		wanted = *deployment.Spec.Replicas
	}
	version := chaosMeshVersion(deployment.Labels, deployment.Spec.Template.Spec)
	switch ready := deployment.Status.ReadyReplicas; {
	case wanted == 0:
		e.fail(subject, fmt.Sprintf("kubectl -n %s scale deployment %s --replicas=1", deployment.Namespace, deployment.Name),
			"the controller-manager of Chaos Mesh (%s) is scaled to 0, and nothing puts faults on", version)
	case ready == 0:
		e.fail(subject, fmt.Sprintf("kubectl -n %s describe deployment %s\nkubectl -n %s logs deployment/%s", deployment.Namespace, deployment.Name, deployment.Namespace, deployment.Name),
			"the controller-manager of Chaos Mesh (%s) is not ready", version)
	default:
		e.ok(subject, "Chaos Mesh %s, %d of %d ready", version, ready, wanted)
	}
}

// chaosMeshVersion is that of the image, which is what runs; the chart's is
// told beside it when it is another.
func chaosMeshVersion(labels map[string]string, pod corev1.PodSpec) string {
	charts := labels[versionLabel]
	if len(pod.Containers) == 0 {
		return charts
	}
	image, _, _ := strings.Cut(pod.Containers[0].Image, "@")
	tag := "latest"
	if at := strings.LastIndex(image, ":"); at > strings.LastIndex(image, "/") {
		tag = image[at+1:]
	}
	if charts == "" || strings.TrimPrefix(charts, "v") == strings.TrimPrefix(tag, "v") {
		return tag
	}
	return fmt.Sprintf("%s (chart %s)", tag, charts)
}

// grantReading are the commands that let us list what Chaos Mesh consists of.
func (e *examination) grantReading() string {
	return "name another namespace with --chaos-mesh-namespace, or grant the right:\n" +
		fmt.Sprintf("kubectl -n %s create role emco-chaos-doctor --verb=list --resource=deployments.apps,pods\n", e.ChaosMesh) +
		fmt.Sprintf("kubectl -n %s create rolebinding emco-chaos-doctor --role=emco-chaos-doctor %s", e.ChaosMesh, e.we)
}
