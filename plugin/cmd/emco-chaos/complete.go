package main

import (
	"slices"

	"github.com/spf13/cobra"
)

// completeName completes the names of experiments in a shell, without a plugin none.
func (s *session) completeName(at *cobra.Command, args []string, _ string) (names []cobra.Completion, files cobra.ShellCompDirective) {
	plugin, _ := s.describe(at.Context())
	for _, experiment := range plugin.Experiments {
		if !slices.Contains(args, experiment.Name) {
			names = append(names, cobra.CompletionWithDesc(experiment.Name, experiment.Title))
		}
	}
	return names, cobra.ShellCompDirectiveDefault
}

// completeParameter completes --set by the parameters of the experiments that are
// named, and the values that these can have.
func (s *session) completeParameter(at *cobra.Command, args []string, _ string) (pairs []cobra.Completion, open cobra.ShellCompDirective) {
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
}
