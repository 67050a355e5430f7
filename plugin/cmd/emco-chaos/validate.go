package main

import (
	"errors"
	"fmt"
	"os"

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
			target, err := s.readTarget()
			if err != nil {
				return err
			}
			plugin, err := s.start(cmd.Context(), target)
			if err != nil {
				return err
			}
			defer plugin.Close()
			names := choice.split(args)
			sources, err := choice.sources(cmd.Context(), plugin, names, target)
			if err != nil {
				return err
			}
			plans, err := compile(cmd.Context(), plugin, sources)
			for _, valid := range plans {
				fmt.Fprintf(s.out, "%s: valid, %d steps\n", valid.Experiment, len(valid.Steps))
			}
			return err
		},
	}
	choice.flags(command)
	return command
}

func (c *chosen) flags(command *cobra.Command) {
	command.Flags().BoolVar(&c.all, "all", false, "all experiments that the plugin brings")
	command.Flags().StringArrayVarP(&c.files, "file", "f", nil, "an experiment in a `FILE` of your own")
	command.Flags().StringArrayVar(&c.set, "set", nil, "a parameter's value, as `NAME=VALUE`")
}

// split takes the arguments that are files to the files, and returns the
// others, which are names.
func (c *chosen) split(args []string) (names []string) {
	for _, arg := range args {
		if _, err := os.Stat(arg); err == nil || !errors.Is(err, os.ErrNotExist) {
			c.files = append(c.files, arg)
			continue
		}
		names = append(names, arg)
	}
	return names
}
