package main

import (
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/spf13/cobra"
)

func newDelete(s *session) *cobra.Command {
	how := &users{sources: emcoctl.Sources{WithoutAttachments: true}}
	command := &cobra.Command{
		Use:   "delete -f FILE...",
		Short: "Take back what emcoctl's resource files describe, the last first",
		Long: "Take back what emcoctl's resource files describe, the last first: what was\n" +
			"instantiated is terminated and waited for, the rest is deleted. What is gone\n" +
			"already is told. Exit codes as of apply.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.files(cmd.Context(), how, "Delete", emcoctl.Delete)
		},
	}
	how.flags(command)
	command.Flags().BoolVar(&how.options.Strict, "strict", false, "take it for a refusal that something is gone already")
	return command
}
