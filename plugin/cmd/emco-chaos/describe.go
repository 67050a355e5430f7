package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/spf13/cobra"
)

func newList(s *session) *cobra.Command {
	var output string
	command := s.describing("list", "List the experiments and their parameters", func(plugin sdk.Description) error {
		if output == outputJSON {
			return json.NewEncoder(s.out).Encode(plugin.Experiments)
		}
		table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		for _, experiment := range plugin.Experiments {
			fmt.Fprintf(table, "%s\t%s\n", experiment.Name, experiment.Title)
			for _, parameter := range experiment.Parameters {
				fmt.Fprintf(table, "  --set %s=%s\t%s\n", parameter.Name, parameter.Default, parameter.Description)
			}
		}
		return table.Flush()
	})
	cli.Output(command, &output, "text", outputJSON)
	return command
}

func newVersion(s *session) *cobra.Command {
	command := s.describing("version", "Print the versions of emco-chaos, of the contract and of the plugin", func(plugin sdk.Description) error {
		_, err := fmt.Fprintf(s.out, "plugin %s %s, %d experiments\n", plugin.Name, plugin.Version, len(plugin.Experiments))
		return err
	})
	// Without a plugin too.
	command.PreRun = func(*cobra.Command, []string) {
		fmt.Fprintf(s.out, "emco-chaos %s, contract %d\n", version, sdk.ProtocolVersion)
	}
	return command
}

func newSchema(s *session) *cobra.Command {
	return s.describing("schema", "Print the JSON Schema of the plugin's experiment files, for editors", func(plugin sdk.Description) error {
		if len(plugin.Schema) == 0 {
			return fmt.Errorf("the plugin %s has no schema", plugin.Name)
		}
		_, err := s.out.Write(plugin.Schema)
		return err
	})
}

// describing makes a command that shows the plugin's description.
func (s *session) describing(name, short string, show func(sdk.Description) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			description, err := s.describe(cmd.Context())
			if err == nil {
				err = show(description)
			}
			return failure(err)
		},
	}
}
