package main

import (
	"fmt"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/spf13/cobra"
)

func newRender(s *session) *cobra.Command {
	var choice chosen
	var run string
	command := &cobra.Command{
		Use:   "render [NAME|FILE…]",
		Short: "Print the Chaos Mesh objects of experiments as YAML",
		RunE: func(cmd *cobra.Command, args []string) error {
			plans, _, err := s.compile(cmd.Context(), choice, args)
			if err != nil {
				return err
			}
			for _, compiled := range plans {
				for _, step := range compiled.Steps {
					if step.Fault == nil {
						continue
					}
					object, err := fault.Decode(step.Fault.Object)
					if err != nil {
						return failure(fmt.Errorf("%s: step %s: %w", compiled.Experiment, step.Name, err))
					}
					fault.Stamp(object, run, 1, compiled.Experiment, step.Name)
					text, err := fault.YAML(object)
					if err != nil {
						return failure(err)
					}
					fmt.Fprintf(s.out, "---\n# %s, step %s\n%s", compiled.Experiment, step.Name, text)
				}
			}
			return nil
		},
	}
	choice.flags(s, command)
	command.Flags().StringVar(&run, "run", "run", "the run's `NAME`, which begins the objects' names")
	return command
}
