package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func newClean(s *session) *cobra.Command {
	var keep, runs bool
	var where namespaced
	command := &cobra.Command{
		Use:   "clean",
		Short: "Remove what dead runs left on a target: faults first, then resources",
		Long: `Remove what dead runs left on a target: faults first, then the resources that
they made in it. While a run is under way it is refused, and says which. With
--runs the Runs of a namespace are deleted before: the controller ends the one
that is under way, and cleans up after it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := s.needTarget()
			if err != nil {
				return err
			}
			ctx, _, stop := interrupts(cmd.Context(), s.errs)
			defer stop()
			if runs {
				if err := where.deleteRuns(ctx); err != nil {
					return failure(err)
				}
			}
			opened, err := run.Open(ctx, target, func(text string) { fmt.Fprintln(s.out, text) })
			if err != nil {
				return failure(err)
			}
			defer s.end(opened.Close)
			swept, err := opened.Clean(ctx, 0, func(ctx context.Context) (*run.Plugin, error) { return run.Start(ctx, s.plugin, target) })
			if keep && errors.Is(swept.Remains, run.ErrLeft) {
				swept.Remains = nil
			}
			return failure(errors.Join(err, swept.Remains))
		},
	}
	command.Flags().BoolVar(&keep, "keep-left", false, "take it for no error when the system does not let go of some resources: they are told, and stay")
	command.Flags().BoolVar(&runs, "runs", false, "delete all Runs of the namespace first, and wait until they are gone")
	where.flags(command)
	return command
}

// deleteRuns deletes the Runs of a namespace, and waits until they are gone.
func (n *namespaced) deleteRuns(ctx context.Context) error {
	cluster, namespace, err := n.connect()
	if err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		var there v1alpha1.RunList
		switch err := cluster.List(ctx, &there, client.InNamespace(namespace)); {
		case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
			// Their definition is gone, and they with it.
			return true, nil
		case err != nil:
			return false, fmt.Errorf("list the Runs: %w", err)
		}
		for i := range there.Items {
			if err := client.IgnoreNotFound(cluster.Delete(ctx, &there.Items[i])); err != nil {
				return false, fmt.Errorf("delete the Run %s: %w", there.Items[i].Name, err)
			}
		}
		return len(there.Items) == 0, nil
	})
}
