package main

import (
	"slices"

	"github.com/spf13/cobra"
)

// complete has a shell complete the names of experiments, and for --set those of
// their parameters and the values that these can have.
func (s *session) complete(command *cobra.Command) {
	command.ValidArgsFunction = func(at *cobra.Command, args []string, _ string) (names []cobra.Completion, files cobra.ShellCompDirective) {
		// Where there is no plugin nothing is completed.
		plugin, _ := s.describe(at.Context())
		for _, experiment := range plugin.Experiments {
			if !slices.Contains(args, experiment.Name) {
				names = append(names, cobra.CompletionWithDesc(experiment.Name, experiment.Title))
			}
		}
		return names, cobra.ShellCompDirectiveDefault
	}
	// An error says that there is no such flag.
	_ = command.RegisterFlagCompletionFunc("set", func(at *cobra.Command, args []string, _ string) (pairs []cobra.Completion, open cobra.ShellCompDirective) {
		plugin, _ := s.describe(at.Context())
		for _, experiment := range plugin.Experiments {
			if len(args) > 0 && !slices.Contains(args, experiment.Name) {
				continue
			}
			for _, parameter := range experiment.Parameters {
				pairs = append(pairs, cobra.CompletionWithDesc(parameter.Name+"=", parameter.Description))
				for _, value := range parameter.Allowed {
					pairs = append(pairs, parameter.Name+"="+value)
				}
			}
		}
		slices.Sort(pairs)
		return slices.Compact(pairs), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
}
