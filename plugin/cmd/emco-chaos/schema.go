package main

import (
	"fmt"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/spf13/cobra"
)

func newSchema(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the plugin's experiment files, for editors",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.describe(cmd.Context(), func(plugin sdk.Description) error {
				if len(plugin.Schema) == 0 {
					return fmt.Errorf("the plugin %s has no schema", plugin.Name)
				}
				_, err := s.out.Write(plugin.Schema)
				return err
			})
		},
	}
}
