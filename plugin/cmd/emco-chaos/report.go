package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/emco-chaos/emco-chaos/plugin/controller"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func newReport(s *session) *cobra.Command {
	var output string
	var where namespaced
	command := &cobra.Command{
		Use:   "report FILE…|run/NAME…",
		Short: "Report on runs from their journals alone: text, json, junit or markdown",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return s.report(cmd.Context(), where, names, report.Formats[output])
		},
	}
	outputFlag(command, &output, "junit", "markdown")
	where.flags(command)
	return command
}

func newExplain(s *session) *cobra.Command {
	var where namespaced
	command := &cobra.Command{
		Use:   "explain FILE…|run/NAME…",
		Short: "Say in a paragraph a run what happened and what it means",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return s.report(cmd.Context(), where, names, report.Explain)
		},
	}
	where.flags(command)
	return command
}

// report writes the runs of journals, which are files or those of Runs in a
// cluster.
func (s *session) report(ctx context.Context, where namespaced, names []string, write report.Format) error {
	var runs []report.Run
	for _, name := range names {
		records, err := where.readJournal(ctx, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		found := report.Runs(records)
		if len(found) == 0 {
			return fmt.Errorf("%s: there is no run in it; name a journal that emco-chaos run wrote", name)
		}
		runs = append(runs, found...)
	}
	return failure(write(s.out, runs...))
}

// readJournal reads a file, or the journal of the Run that is named run/NAME.
func (n *namespaced) readJournal(ctx context.Context, name string) ([]journal.Record, error) {
	if run, is := strings.CutPrefix(name, "run/"); is {
		cluster, namespace, err := n.connect()
		if err != nil {
			return nil, err
		}
		return controller.ReadJournal(ctx, cluster, client.ObjectKey{Namespace: namespace, Name: run})
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return journal.Read(file)
}

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
	known, err := controller.Scheme()
	if err != nil {
		return nil, "", failure(err)
	}
	log.SetLogger(logr.Discard())
	// The API server need not be asked what it has.
	kinds := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.GroupVersion.WithKind("Run"), corev1.SchemeGroupVersion.WithKind("ConfigMap"), corev1.SchemeGroupVersion.WithKind("Event"),
	} {
		kinds.Add(kind, meta.RESTScopeNamespace)
	}
	cluster, err := client.NewWithWatch(config, client.Options{Scheme: known, Mapper: kinds})
	if err != nil {
		return nil, "", failure(fmt.Errorf("reach the cluster %s: %w", config.Host, err))
	}
	return cluster, namespace, nil
}
