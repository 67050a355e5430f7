// Command build builds emco-chaos, its plugin for EMCO and emco-probe for
// Linux and puts them into a container image. It needs no container engine:
//
//	go -C experiments/e2e run ./image/build --name registry.example/emco-chaos:v1
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/e2e/image"
	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	source       string
	name         string
	version      string
	architecture string
	output       string
}

func command() *cobra.Command {
	var o options
	command := &cobra.Command{
		Use:           "build",
		Short:         "Build the container image of emco-chaos, as an archive that container engines and runtimes load",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return build(cmd.Context(), o, cmd.OutOrStdout()) },
	}
	flags := command.Flags()
	flags.StringVar(&o.source, "source", ".", "the `DIRECTORY` of the source")
	flags.StringVar(&o.name, "name", "", "the image's `NAME:TAG` (default emco-chaos with the version as its tag)")
	flags.StringVar(&o.version, "version", "dev", "the `VERSION` that the programs and the image's label say")
	flags.StringVar(&o.architecture, "arch", runtime.GOARCH, "the `ARCHITECTURE` to build for, in Go's words")
	flags.StringVarP(&o.output, "output", "o", "bin/emco-chaos-image.tar", "the archive's `FILE`")
	return command
}

func build(ctx context.Context, o options, out io.Writer) (err error) {
	if o.name == "" {
		o.name = "emco-chaos:" + o.version
	}
	folder, err := os.MkdirTemp("", "emco-chaos-image-")
	if err != nil {
		return fmt.Errorf("make a folder for the programs: %w", err)
	}
	defer os.RemoveAll(folder)
	if err := programs(ctx, o, folder); err != nil {
		return err
	}
	made, err := image.Build(image.Product(o.name, o.version, o.architecture, folder))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.output), 0o755); err != nil {
		return fmt.Errorf("make the archive's folder: %w", err)
	}
	if err := made.Write(o.output); err != nil {
		return err
	}
	digest, err := made.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s %s %s\n", o.output, made.Name(), digest)
	return nil
}

// programs builds the programs such that the same source gives the same bytes
// wherever it stands, with or without its history.
func programs(ctx context.Context, o options, folder string) error {
	arguments := []string{
		"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=" + o.version, "-o", folder + string(filepath.Separator),
	}
	for _, source := range image.Programs() {
		arguments = append(arguments, source.Package)
	}
	compile := exec.CommandContext(ctx, "go", arguments...)
	compile.Dir = o.source
	compile.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+o.architecture, "GOFLAGS=", "GOAMD64=", "GOARM64=")
	if output, err := compile.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, strings.TrimSpace(string(output)))
	}
	return nil
}
