package run

import (
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
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// RestConfig reads how the target's cluster is reached: by the kubeconfig that
// the target names, else $KUBECONFIG, else as a pod of the cluster, when this
// process is one, else by ~/.kube/config. What somebody set comes before where
// the process happens to be: faults must not hit the cluster of a CI job that
// means another one.
func RestConfig(where *target.KubernetesDriver) (*rest.Config, error) {
	config, err := loadConfig(where)
	if err != nil {
		return nil, err
	}
	// A fault must not wait for a limit of our own: the API server has its.
	config.QPS = -1
	return config, nil
}

func loadConfig(where *target.KubernetesDriver) (*rest.Config, error) {
	if where.Kubeconfig == "" && where.Context == "" && os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "" {
		switch config, err := rest.InClusterConfig(); {
		case err == nil:
			return config, nil
		case !errors.Is(err, rest.ErrNotInCluster):
			return nil, fmt.Errorf("reach the cluster from its pod: %w; mount the service account's token, or name a kubeconfig with driver: {kubernetes: {kubeconfig: FILE}}", err)
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.WarnIfAllMissing = false
	from := "$KUBECONFIG or ~/.kube/config"
	if where.Kubeconfig != "" {
		from = where.Kubeconfig
		rules.ExplicitPath = where.Kubeconfig
	}
	loading := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: where.Context})
	// The context is looked for before all else: without it client-go's own
	// error is of some field of a cluster that nobody wrote.
	raw, err := loading.RawConfig()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the kubeconfig %s is not there; write another one into the target's driver: {kubernetes: {kubeconfig: FILE}}", from)
	case err != nil:
		return nil, fmt.Errorf("read the kubeconfig %s: %w", from, err)
	}
	context := raw.CurrentContext
	if where.Context != "" {
		context = where.Context
	}
	switch _, known := raw.Contexts[context]; {
	case len(raw.Clusters) == 0 && len(raw.Contexts) == 0 && where.Kubeconfig == "":
		return nil, errors.New("no cluster: neither $KUBECONFIG nor ~/.kube/config names one, and this is no pod; write the target's driver: {kubernetes: {kubeconfig: FILE}}")
	case context == "":
		return nil, fmt.Errorf("the kubeconfig %s has no current context; name one with the target's driver: {kubernetes: {context: NAME}}: %s", from, contexts(raw.Contexts))
	case !known:
		return nil, fmt.Errorf("the kubeconfig %s has no context %q; name one that it has: %s", from, context, contexts(raw.Contexts))
	}
	if err := clientcmd.ConfirmUsable(raw, context); err != nil {
		return nil, fmt.Errorf("use the context %s of the kubeconfig %s: %w", context, from, err)
	}
	config, err := loading.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("use the context %s of the kubeconfig %s: %w", context, from, err)
	}
	return config, nil
}

// contexts lists the names of a kubeconfig's contexts.
func contexts(known map[string]*api.Context) string {
	if len(known) == 0 {
		return "it has none"
	}
	return strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

// Namespaces returns those of the target's services that have pods, sorted.
func Namespaces(target *target.Target) []string {
	var names []string
	for _, service := range target.Services {
		if service.HasPods() {
			names = append(names, service.Namespace)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Connect makes a client of the target's cluster, which is not asked anything
// yet.
func Connect(target *target.Target) (client.Client, *rest.Config, error) {
	// Else controller-runtime prints a stack trace after 30 s, to say that it
	// was given no log. What a command has to say it says itself.
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
