package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newValidate(s *session) *cobra.Command {
	var choice chosen
	command := &cobra.Command{
		Use:   "validate [NAME|FILE…]",
		Short: "Check experiments, and say where the mistakes are",
		Long: `Check experiments, by name or by file, against a target, and say of every
mistake in which file, line and column it is, and what to do about it.
Without --target they are checked against an EMCO as its own chart installs it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			plans, err := s.compileFor(cmd.Context(), choice, args)
			for _, valid := range plans {
				fmt.Fprintf(s.out, "%s: valid, %d steps\n", valid.Experiment, len(valid.Steps))
			}
			return err
		},
	}
	choice.flags(command)
	s.complete(command)
	return command
}
