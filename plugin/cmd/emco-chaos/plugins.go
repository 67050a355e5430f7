package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/spf13/cobra"
)

// foundPlugin is one line of the list.
type foundPlugin struct {
	Name        string `json:"name"`
	Path        string `json:"path"`
	Version     string `json:"version,omitempty"`
	Contract    int    `json:"contract,omitempty"`
	SHA256      string `json:"sha256,omitempty"`
	Experiments int    `json:"experiments"`
	// Shadowed says that another one of this name is used.
	Shadowed bool `json:"shadowed,omitempty"`
	// Error says why it cannot be used.
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
				plugins = append(plugins, s.look(cmd.Context(), one))
			}
			if output == outputJSON {
				return failure(json.NewEncoder(s.out).Encode(plugins))
			}
			return failure(s.showPlugins(plugins))
		},
	}
	outputFlag(command, &output)
	return command
}

// look asks one plugin what it has. It gets nothing of the environment.
func (s *session) look(ctx context.Context, found host.Found) foundPlugin {
	one := foundPlugin{Name: found.Name, Path: found.Path, Shadowed: found.Shadowed}
	sum, err := host.Checksum(found.Path)
	if err != nil {
		one.Error = err.Error()
		return one
	}
	one.SHA256 = sum
	plugin, err := host.Start(ctx, host.Options{Path: found.Path, SHA256: sum})
	if err != nil {
		one.Error = err.Error()
		return one
	}
	defer plugin.Close()
	one.Contract = plugin.Contract()
	description, err := plugin.Describe(ctx)
	if err != nil {
		one.Error = err.Error()
		return one
	}
	one.Version, one.Experiments = description.Version, len(description.Experiments)
	if description.Name != found.Name {
		one.Error = fmt.Sprintf("it says that its name is %q; name its file %s%s", description.Name, host.Prefix, description.Name)
	}
	return one
}

func (s *session) showPlugins(plugins []foundPlugin) error {
	if len(plugins) == 0 {
		fmt.Fprintf(s.errs, "no plugin is found; put a file %sNAME beside emco-chaos or on PATH, or name its directory with --plugin-dir\n", host.Prefix)
		return nil
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tVERSION\tCONTRACT\tEXPERIMENTS\tSHA-256\tPATH")
	for _, one := range plugins {
		switch {
		case one.Error != "":
			fmt.Fprintf(table, "%s\tbroken\t\t\t%s\t%s\n", one.Name, one.SHA256, one.Path)
		case one.Shadowed:
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s (not used: another %s is found first)\n", one.Name, one.Version, one.Contract, one.Experiments, one.SHA256, one.Path, one.Name)
		default:
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\n", one.Name, one.Version, one.Contract, one.Experiments, one.SHA256, one.Path)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, one := range plugins {
		if one.Error != "" {
			fmt.Fprintf(s.out, "%s: %s\n", one.Name, one.Error)
		}
	}
	return nil
}
