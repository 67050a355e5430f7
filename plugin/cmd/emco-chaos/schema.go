package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newSchema(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the plugin's experiment files, for editors",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plugin, err := s.start(cmd.Context(), nil)
			if err != nil {
				return err
			}
			defer plugin.Close()
			description, err := plugin.Describe(cmd.Context())
			if err != nil {
				return failure(err)
			}
			if len(description.Schema) == 0 {
				return failure(fmt.Errorf("the plugin %s has no schema", description.Name))
			}
			_, err = s.out.Write(description.Schema)
			return failure(err)
		},
	}
}
