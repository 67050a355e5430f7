package sdk

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"github.com/emco-chaos/emco-chaos/plugin/sdk/pluginv1"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

const (
	// ProtocolVersion is the version of the contract that this package has.
	ProtocolVersion = 1
	// Service is the name under which a plugin is dispensed.
	Service = "plugin"
	// Lifeline is the environment variable with the number of a file descriptor
	// that is never written to, and whose end means that the host is gone.
	Lifeline = "EMCO_CHAOS_LIFELINE"
)

// Handshake keeps a program that is no plugin from being taken as one by
// mistake. It is no protection.
var Handshake = goplugin.HandshakeConfig{
	MagicCookieKey:   "EMCO_CHAOS_PLUGIN",
	MagicCookieValue: "8b7d2f0a-emco-chaos",
}

// Plugins are the versions of the contract that this package has. On the
// host's side the plugin may be nil.
func Plugins(plugin Plugin) map[int]goplugin.PluginSet {
	return map[int]goplugin.PluginSet{ProtocolVersion: {Service: &bridge{plugin: plugin}}}
}

// bridge is what go-plugin wants of a plugin.
type bridge struct {
	goplugin.NetRPCUnsupportedPlugin
	plugin Plugin
}

func (b *bridge) GRPCServer(_ *goplugin.GRPCBroker, registrar *grpc.Server) error {
	pluginv1.RegisterPluginServer(registrar, &server{plugin: b.plugin})
	return nil
}

func (b *bridge) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, connection *grpc.ClientConn) (any, error) {
	return &Client{wire: pluginv1.NewPluginClient(connection)}, nil
}

// Serve offers the plugin to the host that started this process, until that ends
// it. When the host is gone this process ends.
func Serve(plugin Plugin) {
	HoldLifeline()
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  Handshake,
		VersionedPlugins: Plugins(plugin),
		GRPCServer:       goplugin.DefaultGRPCServer,
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
	})
}

// HoldLifeline ends this process, and what it started, when its lifeline, if it
// has one, does. [Serve] calls it.
func HoldLifeline() {
	text := os.Getenv(Lifeline)
	if text == "" {
		return
	}
	descriptor, err := strconv.Atoi(text)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s=%q is no file descriptor\n", Lifeline, text)
		os.Exit(2)
	}
	syscall.CloseOnExec(descriptor)
	pipe := os.NewFile(uintptr(descriptor), "lifeline")
	go func() {
		_, _ = io.Copy(io.Discard, pipe)
		if syscall.Getpgrp() == os.Getpid() {
			_ = syscall.Kill(0, syscall.SIGKILL)
		}
		os.Exit(1)
	}()
}
