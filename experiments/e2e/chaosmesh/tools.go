//go:build tools

// Package chaosmesh pins the Chaos Mesh that the end-to-end tests build from
// its own module.
package chaosmesh

import (
	_ "github.com/chaos-mesh/chaos-mesh/cmd/chaos-controller-manager"
	_ "github.com/chaos-mesh/chaos-mesh/cmd/chaos-daemon"
	_ "github.com/chaos-mesh/chaos-mesh/cmd/chaos-dashboard"
)
