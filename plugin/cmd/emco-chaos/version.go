package main

import (
	"fmt"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/spf13/cobra"
)

func newVersion(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of emco-chaos, of the contract and of the plugin",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintf(s.out, "emco-chaos %s, contract %d\n", version, sdk.ProtocolVersion)
			return s.describe(cmd.Context(), func(plugin sdk.Description) error {
				_, err := fmt.Fprintf(s.out, "plugin %s %s, %d experiments\n", plugin.Name, plugin.Version, len(plugin.Experiments))
				return err
			})
		},
	}
}
