package doctor

import (
	"cmp"
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
)

// checkCluster asks the API server for its version, and who we are to it.
func checkCluster(ctx context.Context, e *examination, _ string) {
	const where = "name the cluster in the target file: driver: {kubernetes: {kubeconfig: FILE, context: NAME}}"
	server, err := e.Discovery.ServerVersionWithContext(ctx)
	review := &authenticationv1.SelfSubjectReview{}
	if err == nil {
		// An older API server does not say who we are; the commands then have a gap.
		if unnamed := e.Client.Create(ctx, review); apierrors.IsUnauthorized(unnamed) {
			err = unnamed
		}
	}
	user := review.Status.UserInfo.Username
	switch {
	case apierrors.IsUnauthorized(err):
		e.say(Fail, e.Server, "renew the credentials in the kubeconfig, or "+where, "the API server does not know us: %v", err)
	case err != nil:
		message, remedy := chaosmesh.Unreached(cause(ctx, err))
		e.say(Fail, e.Server, cmp.Or(remedy, where), "%s", message)
	case user == "":
		e.say(OK, e.Server, "", "Kubernetes %s", server.GitVersion)
	default:
		e.self = "--user=" + user
		if account, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
			e.self = "--serviceaccount=" + account
		}
		e.say(OK, e.Server, "", "Kubernetes %s, where we are %s", server.GitVersion, user)
	}
}

// How Chaos Mesh's chart labels its parts, and names one of them.
const (
	componentLabel = "app.kubernetes.io/component"
	chaosDaemon    = "chaos-daemon"
)

// checkKinds asks whether the API server has the kinds that faults are.
func checkKinds(ctx context.Context, e *examination, _ string) {
	list, err := e.Discovery.ServerResourcesForGroupVersionWithContext(ctx, fault.GroupVersion)
	switch {
	case apierrors.IsNotFound(err):
		e.say(Fail, fault.GroupVersion, e.install(), "the API server has no such kinds: Chaos Mesh is not installed")
		return
	case err != nil:
		e.say(Fail, fault.GroupVersion, "look at the API server's log", "what the API server has of it cannot be read: %v", cause(ctx, err))
		return
	}
	var missing []string
	for _, kind := range fault.Kinds() {
		if slices.ContainsFunc(list.APIResources, func(there metav1.APIResource) bool { return there.Kind == kind.Name }) {
			continue
		}
		if !kind.Optional {
			e.say(Fail, fault.GroupVersion, e.install(), "the API server does not have the kind %s", kind.Name)
			return
		}
		missing = append(missing, kind.Name)
		e.denied["/"+kind.Resource()] = true
	}
	if len(missing) > 0 {
		e.say(Warn, fault.GroupVersion, e.install(), "the API server does not have the kinds %s: no fault of them can be put on", strings.Join(missing, ", "))
		return
	}
	e.say(OK, fault.GroupVersion, "", "every kind of fault is there")
}

// install is the command that installs Chaos Mesh, or mends it. Its chart takes
// the nodes' runtime for Docker unless it is set, and injects nothing then.
func (e *examination) install() string {
	return "helm repo add chaos-mesh https://charts.chaos-mesh.org\n" +
		"helm upgrade --install chaos-mesh chaos-mesh/chaos-mesh --namespace " + e.ChaosMesh + " --create-namespace" +
		" --set chaosDaemon.runtime=containerd --set chaosDaemon.socketPath=/run/containerd/containerd.sock\n" +
		"with the runtime and the socket of your nodes"
}

// checkController looks for Chaos Mesh's controller-manager.
func checkController(ctx context.Context, e *examination, _ string) {
	deployments := &appsv1.DeploymentList{}
	labels := client.MatchingLabels{componentLabel: "controller-manager"}
	if !e.listChaosMesh(ctx, deployments, "deployments", labels, "the controller-manager of Chaos Mesh is ready") {
		return
	}
	found := ofChaosMesh(deployments.Items)
	if len(found) == 0 && e.Client.List(ctx, deployments, labels) == nil {
		// Without the right to look everywhere the namespace must be named, as the finding says.
		found = ofChaosMesh(deployments.Items)
	}
	if len(found) == 0 {
		e.say(Fail, "namespace "+e.ChaosMesh, "name the namespace of Chaos Mesh with --chaos-mesh-namespace, or install it:\n"+e.install(),
			"no controller-manager of Chaos Mesh is there, and none was seen elsewhere")
	}
	for _, deployment := range found {
		e.ChaosMesh = deployment.Namespace
		wanted, ready := ptr.Deref(deployment.Spec.Replicas, 1), deployment.Status.ReadyReplicas
		var release string
		for _, container := range deployment.Spec.Template.Spec.Containers {
			image, _, _ := strings.Cut(path.Base(container.Image), "@")
			_, tag, _ := strings.Cut(image, ":")
			release = cmp.Or(tag, "latest")
		}
		subject, name := e.ChaosMesh+"/"+deployment.Name, "deployment "+deployment.Name
		switch {
		case wanted == 0:
			e.say(Fail, subject, kubectl(e.ChaosMesh, "scale "+name+" --replicas=1"),
				"the controller-manager of Chaos Mesh (%s) is scaled to 0, and nothing puts faults on", release)
		case ready == 0:
			e.say(Fail, subject, kubectl(e.ChaosMesh, "describe "+name, "logs deployment/"+deployment.Name),
				"the controller-manager of Chaos Mesh (%s) is not ready", release)
		default:
			e.say(OK, subject, "", "Chaos Mesh %s, %d of %d ready", release, ready, wanted)
		}
		e.settings(ctx, subject, release, deployment)
	}
}

// oldest is the first Chaos Mesh that takes the rules of a fault off a pod that keeps crashing.
var oldest = version.MustParseSemantic("v2.8.3")

// settings looks for settings of Chaos Mesh with which it does nothing to the target.
func (e *examination) settings(ctx context.Context, subject, release string, deployment appsv1.Deployment) {
	if is, err := version.ParseSemantic(release); err == nil && is.LessThan(oldest) {
		e.say(Warn, subject, "upgrade to v"+oldest.String()+" or later:\n"+e.install(),
			"Chaos Mesh %s leaves the rules of a network fault on a pod that keeps crashing", release)
	}
	set := map[string]string{}
	for _, container := range deployment.Spec.Template.Spec.Containers {
		for _, variable := range container.Env {
			set[variable.Name] = variable.Value
		}
	}
	for _, namespace := range e.namespaces() {
		if set["CLUSTER_SCOPED"] == "false" && set["TARGET_NAMESPACE"] != namespace {
			e.say(Fail, "namespace "+namespace, "install Chaos Mesh with --set clusterScoped=true, or with --set controllerManager.targetNamespace="+namespace,
				"Chaos Mesh works in namespace %s alone (clusterScoped=false)", set["TARGET_NAMESPACE"])
		}
		if set["ENABLE_FILTER_NAMESPACE"] != "true" {
			continue
		}
		const annotation = "chaos-mesh.org/inject"
		remedy := "kubectl annotate namespace " + namespace + " " + annotation + "=enabled"
		found := &corev1.Namespace{}
		switch err := e.Client.Get(ctx, client.ObjectKey{Name: namespace}, found); {
		case err != nil:
			e.say(Warn, "namespace "+namespace, remedy, "Chaos Mesh injects only where a namespace is annotated (enableFilterNamespace), and this one cannot be read: %v", cause(ctx, err))
		case found.Annotations[annotation] != "enabled":
			e.say(Fail, "namespace "+namespace, remedy, "Chaos Mesh injects only where a namespace is annotated (enableFilterNamespace), and this one is not")
		}
	}
}

// ofChaosMesh are the controller-managers of Chaos Mesh: others carry that label too.
func ofChaosMesh(all []appsv1.Deployment) []appsv1.Deployment {
	return slices.DeleteFunc(all, func(deployment appsv1.Deployment) bool {
		return !strings.Contains(deployment.Labels["app.kubernetes.io/part-of"]+deployment.Labels["app.kubernetes.io/name"]+deployment.Name, "chaos")
	})
}

// listChaosMesh lists what Chaos Mesh consists of. Without the right to do that
// it is not known what the check is about.
func (e *examination) listChaosMesh(ctx context.Context, list client.ObjectList, resource string, labels client.MatchingLabels, unknown string) bool {
	const role = "emco-chaos-doctor"
	err := e.Client.List(ctx, list, client.InNamespace(e.ChaosMesh), labels)
	if !apierrors.IsForbidden(err) {
		return e.listed(ctx, resource, e.ChaosMesh, err)
	}
	e.say(Warn, "namespace "+e.ChaosMesh, "name another namespace with --chaos-mesh-namespace, or grant the right:\n"+
		kubectl(e.ChaosMesh, "create role "+role+" --verb=list --resource=deployments.apps,pods", "create rolebinding "+role+" --role="+role+" "+e.self),
		"it is not known whether %s: we may not list %s there", unknown, resource)
	return false
}

// checkDaemon looks for a chaos-daemon on each node that has pods of the
// target: it is what puts network faults on, and kills containers.
func checkDaemon(ctx context.Context, e *examination, _ string) {
	services := map[string][]string{} // by node
	for _, name := range e.selecting() {
		for _, pod := range e.pods[name] {
			if pod.Node != "" && !slices.Contains(services[pod.Node], name) {
				services[pod.Node] = append(services[pod.Node], name)
			}
		}
	}
	nodes := slices.Sorted(maps.Keys(services))
	if len(nodes) == 0 {
		e.say(Skipped, "", "", "not looked at, since no pod of the target was found")
		return
	}
	list := &corev1.PodList{}
	if !e.listChaosMesh(ctx, list, "pods", client.MatchingLabels{componentLabel: chaosDaemon}, "chaos-daemon runs on "+strings.Join(nodes, ", ")) {
		return
	}
	daemons := map[string]corev1.Pod{}
	for _, pod := range list.Items {
		if node := pod.Spec.NodeName; !podOf(daemons[node]).Ready {
			daemons[node] = pod
		}
	}
	for _, node := range nodes {
		found, there := daemons[node]
		daemon, set, runs := podOf(found), setRuntime(found), nodeRuntime(found)
		hosted := strings.Join(services[node], ", ") + map[bool]string{true: " are there", false: " is there"}[len(services[node]) > 1]
		switch {
		case !there:
			e.say(Fail, "node "+node, kubectl(e.ChaosMesh, "describe daemonset "+chaosDaemon)+"\nits node selector and tolerations decide where it runs",
				"no chaos-daemon runs there, and %s: network faults and container kills cannot be put on", hosted)
		case !daemon.Ready:
			e.say(Fail, "node "+node, kubectl(e.ChaosMesh, "describe pod "+daemon.Name, "logs "+daemon.Name),
				"its chaos-daemon %s is not ready (%s), and %s", daemon.Name, daemon.Why, hosted)
		case runs != "" && set != "" && runs != set:
			e.say(Fail, "node "+node, "Chaos Mesh has one runtime for all nodes: have the pods run on nodes with "+set+", or install it for "+runs+":\n"+e.install(),
				"its containers run with %s, and its chaos-daemon is set up for %s: nothing can be put on there, and %s", runs, set, hosted)
		default:
			e.say(OK, "node "+node, "", "chaos-daemon %s is ready", daemon.Name)
		}
	}
}

// setRuntime is the container runtime that a chaos-daemon is set up for: Chaos
// Mesh's chart sets one for all nodes. It is empty where none is named.
func setRuntime(daemon corev1.Pod) string {
	for _, container := range daemon.Spec.Containers {
		words := slices.Concat(container.Command, container.Args)
		if at := slices.Index(words, "--runtime") + 1; at > 0 && at < len(words) {
			return words[at]
		}
	}
	return ""
}

// nodeRuntime is the container runtime that a pod's node really has, as chaos-daemon
// names it. It is empty before a container of the pod was made.
func nodeRuntime(pod corev1.Pod) string {
	for _, container := range pod.Status.ContainerStatuses {
		if runtime, _, is := strings.Cut(container.ContainerID, "://"); is {
			return strings.ReplaceAll(runtime, "-", "")
		}
	}
	return ""
}
