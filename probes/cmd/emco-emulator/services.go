package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/emco-chaos/emco-chaos/probes/emcotest"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/orchestrator"
)

// service makes the command that runs one service until it is told to stop.
func service(name, short string, flags func(command *cobra.Command), node func() (emcotest.Node, error)) *cobra.Command {
	command := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			built, err := node()
			if err != nil {
				return err
			}
			return built.Run(command.Context(), func(string) {})
		},
	}
	flags(command)
	return command
}

// required makes a flag for an address or a path without which the service cannot run.
func required(command *cobra.Command, value *string, name, usage string) {
	command.Flags().StringVar(value, name, "", usage)
	if err := command.MarkFlagRequired(name); err != nil {
		panic(err) // the flag was added in the line above
	}
}

func etcdCommand() *cobra.Command {
	var node emcotest.Etcd
	return service("etcd", "etcd, a real one", func(command *cobra.Command) {
		required(command, &node.Listen, "listen", "host:port")
		required(command, &node.Data, "data", "folder")
	}, func() (emcotest.Node, error) { return node, nil })
}

func mongoCommand() *cobra.Command {
	var node emcotest.Mongo
	return service("mongo", "The document store in MongoDB's place", func(command *cobra.Command) {
		required(command, &node.Listen, "listen", "host:port")
		required(command, &node.Data, "data", "folder")
	}, func() (emcotest.Node, error) { return node, nil })
}

func edgeCommand() *cobra.Command {
	var node emcotest.Edge
	return service("edge", "An edge cluster's API server", func(command *cobra.Command) {
		required(command, &node.Listen, "listen", "host:port")
		required(command, &node.Data, "data", "folder")
	}, func() (emcotest.Node, error) { return node, nil })
}

func rsyncCommand() *cobra.Command {
	var node emcotest.Rsync
	var bugs []string
	return service("rsync", "The resource synchronizer", func(command *cobra.Command) {
		required(command, &node.Listen, "listen", "host:port for gRPC")
		required(command, &node.Metrics, "metrics", "host:port for /metrics")
		required(command, &node.Etcd, "etcd", "host:port of etcd")
		required(command, &node.Edge, "edge", "host:port of the edge cluster")
		command.Flags().DurationVar(&node.Times.PickUp, "pick-up", 0, "time from an event to its beginning (default 20ms)")
		command.Flags().DurationVar(&node.Times.Settle, "settle", 0, "time from there to the first resource (default 50ms)")
		command.Flags().DurationVar(&node.Times.ApplyTime, "apply-time", 0, "time for one resource (default 60ms)")
		command.Flags().DurationVar(&node.Times.Retry, "retry", 0, "time between two attempts to reach a cluster (default 500ms)")
		bugFlag(command, &bugs)
	}, func() (_ emcotest.Node, err error) {
		node.Bugs, err = bug.Parse(bugs)
		return node, err
	})
}

func orchestratorCommand() *cobra.Command {
	var node emcotest.Orchestrator
	var bugs []string
	var token string
	return service("orchestrator", "The orchestrator", func(command *cobra.Command) {
		required(command, &node.Listen, "listen", "host:port")
		required(command, &node.Store, "store", "host:port of the document store")
		required(command, &node.Etcd, "etcd", "host:port of etcd")
		command.Flags().StringVar(&node.Rsync, "rsync", "", "host:port of rsync (default: where its registration says)")
		storeTimeoutFlag(command, &node.StoreTimeout)
		command.Flags().DurationVar(&node.AppTime, "app-time", orchestrator.DefaultAppTime, "time to resolve and write one app")
		tokenFlag(command, &token)
		bugFlag(command, &bugs)
	}, func() (_ emcotest.Node, err error) {
		if node.Bugs, err = bug.Parse(bugs); err != nil {
			return nil, err
		}
		node.Token, err = readToken(token)
		return node, err
	})
}

func dcmCommand() *cobra.Command {
	var node emcotest.DCM
	var bugs []string
	var token string
	return service("dcm", "The distributed cloud manager", func(command *cobra.Command) {
		required(command, &node.Listen, "listen", "host:port")
		required(command, &node.Store, "store", "host:port of the document store")
		required(command, &node.Etcd, "etcd", "host:port of etcd")
		command.Flags().StringVar(&node.Rsync, "rsync", "", "host:port of rsync (default: where its registration says)")
		storeTimeoutFlag(command, &node.StoreTimeout)
		command.Flags().DurationVar(&node.Time, "time", 0, "time to write a logical cloud's AppContext (default 60ms)")
		tokenFlag(command, &token)
		bugFlag(command, &bugs)
	}, func() (_ emcotest.Node, err error) {
		if node.Bugs, err = bug.Parse(bugs); err != nil {
			return nil, err
		}
		node.Token, err = readToken(token)
		return node, err
	})
}

func clmCommand() *cobra.Command {
	var node emcotest.CLM
	var token string
	return service("clm", "The cluster manager", func(command *cobra.Command) {
		required(command, &node.Listen, "listen", "host:port")
		required(command, &node.Store, "store", "host:port of the document store")
		storeTimeoutFlag(command, &node.StoreTimeout)
		tokenFlag(command, &token)
	}, func() (_ emcotest.Node, err error) {
		node.Token, err = readToken(token)
		return node, err
	})
}

func bugFlag(command *cobra.Command, bugs *[]string) {
	command.Flags().StringArrayVar(bugs, "bug", nil, "misbehave: "+strings.Join(bug.Names(), ", ")+" (can be repeated)")
}

func tokenFlag(command *cobra.Command, file *string) {
	command.Flags().StringVar(file, "token-file", "", "file with the bearer token that is demanded")
}

func storeTimeoutFlag(command *cobra.Command, timeout *time.Duration) {
	command.Flags().DurationVar(timeout, "store-timeout", docstore.DefaultTimeout, "time after which a missing document store is given up")
}

func readToken(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", fmt.Errorf("the token file %s is empty: write the token into it", file)
	}
	return token, nil
}
