package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/spf13/cobra"
)

// foundPlugin is one row of the list.
type foundPlugin struct {
	host.Found
	Version     string `json:"version,omitempty"`
	Contract    int    `json:"contract,omitempty"`
	SHA256      string `json:"sha256,omitempty"`
	Experiments int    `json:"experiments"`
	// Error is why it cannot be used.
	Error string `json:"error,omitempty"`
}

func newPlugins(s *session) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "plugins",
		Short: "List the plugins that are found, and what is wrong with those that are broken",
		Long: `List the plugins in --plugin-dir, or else beside this command and on PATH. Each
is started to be asked what it has. A broken one is listed with its error.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := host.List(s.plugin.Directory)
			if err != nil {
				return err
			}
			plugins := []foundPlugin{}
			for _, one := range found {
				plugin := foundPlugin{Found: one}
				if err := plugin.examine(cmd.Context()); err != nil {
					plugin.Error = err.Error()
				}
				plugins = append(plugins, plugin)
			}
			if output == outputJSON {
				return failure(json.NewEncoder(s.out).Encode(plugins))
			}
			return failure(s.showPlugins(plugins))
		},
	}
	cli.Output(command, &output, "text", outputJSON)
	return command
}

// examine starts the plugin and asks it what it has. It gets nothing of the
// environment.
func (f *foundPlugin) examine(ctx context.Context) (err error) {
	if f.SHA256, err = host.Checksum(f.Path); err != nil {
		return err
	}
	plugin, err := host.Start(ctx, host.Options{Path: f.Path, SHA256: f.SHA256})
	if err != nil {
		return err
	}
	defer plugin.Close()
	f.Contract = plugin.Contract()
	description, err := plugin.Describe(ctx)
	if err != nil {
		return err
	}
	f.Version, f.Experiments = description.Version, len(description.Experiments)
	if description.Name != f.Name {
		return fmt.Errorf("it says that its name is %q; name its file %s%s", description.Name, host.Prefix, description.Name)
	}
	return nil
}

func (s *session) showPlugins(plugins []foundPlugin) error {
	if len(plugins) == 0 {
		fmt.Fprintf(s.errs, "no plugin is found; put a file %sNAME beside emco-chaos or on PATH, or name its directory with --plugin-dir\n", host.Prefix)
		return nil
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tVERSION\tCONTRACT\tEXPERIMENTS\tSHA-256\tPATH")
	var broken strings.Builder
	for _, one := range plugins {
		if one.Error != "" {
			fmt.Fprintf(table, "%s\tbroken\t\t\t%s\t%s\n", one.Name, one.SHA256, one.Path)
			fmt.Fprintf(&broken, "%s: %s\n", one.Name, one.Error)
			continue
		}
		if one.Shadowed {
			one.Path += fmt.Sprintf(" (not used: another %s is found first)", one.Name)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\n", one.Name, one.Version, one.Contract, one.Experiments, one.SHA256, one.Path)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(s.out, broken.String())
	return err
}
