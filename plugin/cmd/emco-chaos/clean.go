package main

import (
	"context"
	"errors"

	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/spf13/cobra"
)

func newClean(s *session) *cobra.Command {
	var keep bool
	command := &cobra.Command{
		Use:   "clean",
		Short: "Remove what dead runs left on a target: faults first, then resources",
		Long: `Remove what dead runs left on a target: faults first, then the resources that
they made in it. While a run is under way it is refused, and says which.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := s.needTarget()
			if err != nil {
				return err
			}
			ctx, _, stop := interrupts(cmd.Context(), s.errs)
			defer stop()
			opened, err := run.Open(ctx, target, linesTo(s.out))
			if err != nil {
				return failure(err)
			}
			defer s.end(opened.Close)
			swept, err := opened.Clean(ctx, func(ctx context.Context) (*run.Plugin, error) { return run.Start(ctx, s.plugin, target) })
			if keep && errors.Is(swept.Remains, run.ErrLeft) {
				swept.Remains = nil
			}
			return failure(errors.Join(err, swept.Remains))
		},
	}
	command.Flags().BoolVar(&keep, "keep-left", false, "take it for no error when the system does not let go of some resources: they are told, and stay")
	return command
}
