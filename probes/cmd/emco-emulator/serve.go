package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/emco-chaos/emco-chaos/probes/emcotest"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/orchestrator"
)

// The ports of EMCO's own services, which serve listens on by default.
var usualPorts = map[string]string{
	emcotest.OrchestratorName: "9015",
	emcotest.DCMName:          "9077",
	emcotest.CLMName:          "9061",
	emcotest.DTCName:          "9048",
	emcotest.RsyncName:        "9031",
}

func serveCommand() *cobra.Command {
	var options emcotest.Options
	var tokenFile, host string
	command := &cobra.Command{
		Use:   "serve",
		Short: "Run all services in this one process, on EMCO's own ports",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) (err error) {
			if options.Token, err = readToken(tokenFile); err != nil {
				return err
			}
			if options.Data == "" {
				if options.Data, err = os.MkdirTemp("", "emco-emulator-"); err != nil {
					return err
				}
				defer os.RemoveAll(options.Data)
			}
			options.Listen = map[string]string{}
			for name, port := range usualPorts {
				options.Listen[name] = host + ":" + port
			}
			emco, err := emcotest.New(options)
			if err != nil {
				return err
			}
			for _, name := range []string{emcotest.OrchestratorName, emcotest.DCMName, emcotest.CLMName, emcotest.DTCName, emcotest.EdgeName} {
				fmt.Fprintln(command.OutOrStdout(), name, emco.URL(name))
			}
			fmt.Fprintln(command.OutOrStdout(), emcotest.RsyncName, emco.Address(emcotest.RsyncName))
			<-command.Context().Done()
			return emco.Close()
		},
	}
	flags := command.Flags()
	flags.StringVar(&host, "host", "127.0.0.1", "address to listen on")
	flags.StringVar(&options.Data, "data", "", "folder of the state (default: a temporary one)")
	flags.DurationVar(&options.AppTime, "app-time", orchestrator.DefaultAppTime, "time to resolve and write one app")
	flags.DurationVar(&options.RsyncTimes.Retry, "retry", 500*time.Millisecond, "time between rsync's attempts to reach the edge")
	storeTimeoutFlag(command, &options.StoreTimeout)
	tokenFlag(command, &tokenFile)
	bugFlag(command, &options.Bugs)
	return command
}
