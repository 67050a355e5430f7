// Command emco-chaos-plugin-counter is an example of a plugin for a system
// that is not EMCO: a service that counts. It brings one experiment, and the
// service itself, so that it can be tried on one machine:
//
//	emco-chaos-plugin-counter cluster --dir DIR
//	emco-chaos run --plugin counter --target DIR/target.yaml --all
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

func main() {
	if len(os.Args) < 2 {
		// emco-chaos starts a plugin without arguments.
		sdk.Serve(plugin{})
		return
	}
	if err := command(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command(name string, args []string) error {
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	switch name {
	case "serve":
		listen := flags.String("listen", "127.0.0.1:8080", "the `ADDRESS` to listen on")
		file := flags.String("data", "counters.txt", "the `FILE` to keep the counters in")
		forget := flags.Bool("forget", false, "keep the counters in memory alone")
		_ = flags.Parse(args) // it ends the process itself
		if *forget {
			*file = ""
		}
		return serve(*listen, *file)
	case "cluster":
		folder := flags.String("dir", ".", "the `FOLDER` to write cluster.yaml and target.yaml to")
		forget := flags.Bool("forget", false, "make the service one that forgets when it is killed")
		_ = flags.Parse(args)
		return writeCluster(*folder, *forget)
	}
	return fmt.Errorf("the command %q is not known; write serve or cluster", name)
}
