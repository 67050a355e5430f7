package main

import (
	"fmt"

	"github.com/emco-chaos/emco-chaos/plugin/controller"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// namespaced are the flags that say where Runs are, as kubectl has them.
type namespaced struct {
	namespace, kubeconfig string
}

func (n *namespaced) flags(command *cobra.Command) {
	command.Flags().StringVarP(&n.namespace, "namespace", "n", "", "the `NAMESPACE` of the Runs; else that of the kubeconfig's context, or of this pod")
	command.Flags().StringVar(&n.kubeconfig, "kubeconfig", "", "the kubeconfig `FILE`; else $KUBECONFIG, ~/.kube/config, or the service account of this pod")
}

// connect makes a client of the cluster that has the Runs.
func (n *namespaced) connect() (client.WithWatch, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath, rules.WarnIfAllMissing = n.kubeconfig, false
	from := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{})
	config, err := from.ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("find the cluster: %w; name a kubeconfig with --kubeconfig", err)
	}
	namespace := n.namespace
	if namespace == "" {
		if namespace, _, err = from.Namespace(); err != nil {
			return nil, "", fmt.Errorf("find the namespace: %w; name it with --namespace", err)
		}
	}
	config.QPS = -1 // The API server has limits of its own.
	log.SetLogger(logr.Discard())
	// The API server need not be asked what it has.
	kinds := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.GroupVersion.WithKind("Run"), corev1.SchemeGroupVersion.WithKind("ConfigMap"), corev1.SchemeGroupVersion.WithKind("Event"),
	} {
		kinds.Add(kind, meta.RESTScopeNamespace)
	}
	cluster, err := client.NewWithWatch(config, client.Options{Scheme: controller.Scheme(), Mapper: kinds})
	if err != nil {
		return nil, "", failure(fmt.Errorf("reach the cluster %s: %w", config.Host, err))
	}
	return cluster, namespace, nil
}
