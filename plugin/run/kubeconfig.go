package run

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// RestConfig reads how the target's cluster is reached: by the kubeconfig that
// the target names, else $KUBECONFIG, else as a pod of the cluster, else by
// ~/.kube/config. What somebody set comes before where the process happens to
// be: faults must not hit the cluster of a CI job that means another one.
func RestConfig(where *target.KubernetesDriver) (*rest.Config, error) {
	config, err := inCluster(where)
	if config == nil && err == nil {
		config, err = fromKubeconfig(where)
	}
	if err != nil {
		return nil, err
	}
	// A fault must not wait for a limit of our own: the API server has its.
	config.QPS = -1
	return config, nil
}

// inCluster is nil when this process is no pod, or something else is set.
func inCluster(where *target.KubernetesDriver) (*rest.Config, error) {
	if where.Kubeconfig != "" || where.Context != "" || os.Getenv(clientcmd.RecommendedConfigPathEnvVar) != "" {
		return nil, nil
	}
	config, err := rest.InClusterConfig()
	if err != nil && !errors.Is(err, rest.ErrNotInCluster) {
		return nil, fmt.Errorf("reach the cluster from its pod: %w; mount the service account's token, or name a kubeconfig with driver: {kubernetes: {kubeconfig: FILE}}", err)
	}
	return config, nil
}

func fromKubeconfig(where *target.KubernetesDriver) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.WarnIfAllMissing = false
	rules.ExplicitPath = where.Kubeconfig
	from := cmp.Or(where.Kubeconfig, "$KUBECONFIG or ~/.kube/config")
	kubeconfig, err := rules.Load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the kubeconfig %s is not there; write another one into the target's driver: {kubernetes: {kubeconfig: FILE}}", from)
	case err != nil:
		return nil, fmt.Errorf("read the kubeconfig %s: %w", from, err)
	}
	// The context is looked for before all else: without it client-go's own
	// error is of some field of a cluster that nobody wrote.
	context := cmp.Or(where.Context, kubeconfig.CurrentContext)
	contexts := cmp.Or(strings.Join(slices.Sorted(maps.Keys(kubeconfig.Contexts)), ", "), "it has none")
	switch _, known := kubeconfig.Contexts[context]; {
	case len(kubeconfig.Clusters) == 0 && len(kubeconfig.Contexts) == 0 && where.Kubeconfig == "":
		return nil, errors.New("no cluster: neither $KUBECONFIG nor ~/.kube/config names one, and this is no pod; write the target's driver: {kubernetes: {kubeconfig: FILE}}")
	case context == "":
		return nil, fmt.Errorf("the kubeconfig %s has no current context; name one with the target's driver: {kubernetes: {context: NAME}}: %s", from, contexts)
	case !known:
		return nil, fmt.Errorf("the kubeconfig %s has no context %q; name one that it has: %s", from, context, contexts)
	}
	var config *rest.Config
	if err = clientcmd.ConfirmUsable(*kubeconfig, context); err == nil {
		config, err = clientcmd.NewNonInteractiveClientConfig(*kubeconfig, context, &clientcmd.ConfigOverrides{}, rules).ClientConfig()
	}
	if err != nil {
		return nil, fmt.Errorf("use the context %s of the kubeconfig %s: %w", context, from, err)
	}
	return config, nil
}

// Namespaces returns those of the target's services that have pods, sorted.
func Namespaces(target *target.Target) []string {
	names := map[string]bool{}
	for _, service := range target.Services {
		if service.HasPods() {
			names[service.Namespace] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Connect makes a client of the target's cluster, and asks it nothing yet.
func Connect(target *target.Target) (client.Client, *rest.Config, error) {
	// Else controller-runtime prints a stack trace after 30 s: it has no log.
	log.SetLogger(logr.Discard())
	config, err := RestConfig(target.Driver.Kubernetes)
	if err != nil {
		return nil, nil, fmt.Errorf("target %s: %w", target.Name, err)
	}
	cluster, err := client.New(config, client.Options{Scheme: chaosmesh.Scheme()})
	if err != nil {
		return nil, nil, fmt.Errorf("target %s: reach the cluster %s: %w", target.Name, config.Host, err)
	}
	return cluster, config, nil
}
