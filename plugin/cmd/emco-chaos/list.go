package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newList(s *session) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "list",
		Short: "List the experiments and their parameters",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			plugin, err := s.start(cmd.Context(), nil)
			if err != nil {
				return err
			}
			defer plugin.Close()
			description, err := plugin.Describe(cmd.Context())
			if err != nil {
				return failure(err)
			}
			if output == outputJSON {
				return failure(json.NewEncoder(s.out).Encode(description.Experiments))
			}
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			for _, experiment := range description.Experiments {
				fmt.Fprintf(table, "%s\t%s\n", experiment.Name, experiment.Title)
				for _, parameter := range experiment.Parameters {
					fmt.Fprintf(table, "  --set %s=%s\t%s\n", parameter.Name, parameter.Default, parameter.Description)
				}
			}
			return failure(table.Flush())
		},
	}
	outputFlag(command, &output)
	return command
}

// The forms of output.
const (
	outputText = "text"
	outputJSON = "json"
)

func outputFlag(command *cobra.Command, output *string) {
	command.Flags().StringVarP(output, "output", "o", outputText, "the output's `FORM`: text or json")
}

func checkOutput(output string) error {
	if output != outputText && output != outputJSON {
		return fmt.Errorf("-o %s: write -o text or -o json", output)
	}
	return nil
}
