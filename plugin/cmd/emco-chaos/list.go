package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/spf13/cobra"
)

func newList(s *session) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "list",
		Short: "List the experiments and their parameters",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.describe(cmd.Context(), func(description sdk.Description) error {
				if output == outputJSON {
					return json.NewEncoder(s.out).Encode(description.Experiments)
				}
				table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
				for _, experiment := range description.Experiments {
					fmt.Fprintf(table, "%s\t%s\n", experiment.Name, experiment.Title)
					for _, parameter := range experiment.Parameters {
						fmt.Fprintf(table, "  --set %s=%s\t%s\n", parameter.Name, parameter.Default, parameter.Description)
					}
				}
				return table.Flush()
			})
		},
	}
	outputFlag(command, &output)
	return command
}
