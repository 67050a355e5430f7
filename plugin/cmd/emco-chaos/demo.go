package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"
)

func newDemo(s *session) *cobra.Command {
	options := runOptions{chosen: chosen{all: true}}
	var apps int
	var folder string
	command := &cobra.Command{
		Use:   "demo",
		Short: "Run all experiments on an emulated EMCO on this machine",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			temporary := folder == ""
			if temporary {
				if folder, err = os.MkdirTemp("", "emco-chaos-demo-"); err != nil {
					return failure(err)
				}
			}
			if s.target, err = emulate(cmd.Context(), folder, apps); err != nil {
				return failure(err)
			}
			target, err := s.readTarget()
			if err != nil {
				return err
			}
			options.journals = filepath.Join(folder, "journals")
			err = s.run(cmd.Context(), options, nil, target)
			if err == nil && temporary {
				return failure(os.RemoveAll(folder))
			}
			fmt.Fprintf(s.errs, "the emulated EMCO, its logs and the journals are in %s\n", folder)
			return err
		},
	}
	options.flags(command, "the `FILE` to add the runs' journals to")
	command.Flags().IntVar(&apps, "apps", 2, "the number of apps that are deployed, 1 to 12")
	command.Flags().StringVar(&folder, "dir", "", "the `DIRECTORY` of the emulated EMCO, kept afterwards; else a temporary one")
	return command
}

// emulate writes the files of an emulated EMCO into the folder, and returns
// its target file.
func emulate(ctx context.Context, folder string, apps int) (string, error) {
	const emulator = "emco-emulator"
	path := ""
	if self, err := os.Executable(); err == nil {
		path = filepath.Join(filepath.Dir(self), emulator)
	}
	if _, err := os.Stat(path); err != nil {
		if path, err = exec.LookPath(emulator); err != nil {
			return "", fmt.Errorf("%s is neither beside this command nor on PATH; build it with `make build`", emulator)
		}
	}
	command := exec.CommandContext(ctx, path, "cluster", "--dir", folder, "--apps", strconv.Itoa(apps))
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make an emulated EMCO: %w: %s", err, output)
	}
	return filepath.Join(folder, "target.yaml"), nil
}
