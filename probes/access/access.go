// Package access reads out of a target how its EMCO is reached, and what runs
// deploy there.
package access

import (
	"fmt"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// Access is how a target's EMCO is reached, and what its resources are made of.
type Access struct {
	// Client is the configuration of a client of its REST API.
	Client emco.Config
	// Setup has HOST:PORT of rsync's gRPC port and the edge cluster's
	// kubeconfig, each empty if the target does not name it, and the apps.
	Setup probes.Setup
	// Existing are resources that exist already, for runs that work on those.
	Existing emco.Chosen
}

// DefaultApps returns the apps that are deployed when nobody names any.
func DefaultApps() []string { return []string{"adservice", "currencyservice"} }

// Of reads the access to a target: the URLs of its services and its ingress
// and, for what has none there, emcoctl's configuration file, which its
// settings may name as emcoctl: {config: {file: NAME}}.
func Of(target *target.Target) (Access, error) {
	settings, problems := ReadSettings(target)
	if err := problems.Err(); err != nil {
		return Access{}, err
	}
	var users emcoctl.Config
	if name := settings.Emcoctl.Config.File; name != "" {
		var err error
		if users, err = emcoctl.ReadConfig(name); err != nil {
			return Access{}, fmt.Errorf("target %s: settings.emcoctl.config: %w", target.Name, err)
		}
	}
	access := Access{
		Client:   emco.Config{Endpoints: map[emco.Service]string{}, Ingress: users.Ingress},
		Setup:    probes.Setup{Kubeconfig: settings.Edge.Kubeconfig.File, Rsync: users.Rsync, Apps: settings.Apps},
		Existing: settings.Existing,
	}
	if target.Ingress != nil {
		access.Client.Ingress = target.Ingress.URL
	}
	if address := target.Services[string(emco.Rsync)].Address; address != "" {
		access.Setup.Rsync = address
	}
	if len(access.Setup.Apps) == 0 {
		access.Setup.Apps = DefaultApps()
	}
	if token := target.Credentials.Token; token != nil {
		access.Client.Token = emco.Secret{Env: token.Env, File: token.File}
	}
	if ca := target.Credentials.CA; ca != nil {
		access.Client.CAFile = ca.File
	}
	for _, service := range emco.RESTServices() {
		url := target.Services[string(service)].URL
		if url == "" && target.Ingress == nil {
			url = users.Endpoints[service]
		}
		if url != "" {
			access.Client.Endpoints[service] = url
		}
	}
	return access, nil
}
