// Package access reads out of a target how its EMCO is reached, and what runs
// deploy there.
package access

import (
	"encoding/json"
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
}

// DefaultApps returns the apps that are deployed when nobody names any.
func DefaultApps() []string { return []string{"adservice", "currencyservice"} }

// Of reads the access to a target: the URLs of its services and its ingress
// and, for what has none there, emcoctl's configuration file, which its
// settings may name as emcoctl: {config: {file: NAME}}.
func Of(target *target.Target) (Access, error) {
	type file struct{ File string }
	var own struct {
		Edge struct{ Kubeconfig file }
		Apps []string
	}
	if err := decode(target.Settings, &own); err != nil {
		return Access{}, fmt.Errorf("read the settings of target %s: %w", target.Name, err)
	}
	var users emcoctl.Config
	if setting, named := target.Settings["emcoctl"]; named {
		var of struct{ Config file }
		if err := decode(setting, &of); err != nil || of.Config.File == "" {
			return Access{}, fmt.Errorf("target %s: settings.emcoctl: names no file; write emcoctl: {config: {file: emco-cfg.yaml}}", target.Name)
		}
		var err error
		if users, err = emcoctl.ReadConfig(of.Config.File); err != nil {
			return Access{}, fmt.Errorf("target %s: settings.emcoctl.config: %w", target.Name, err)
		}
	}
	access := Access{
		Client: emco.Config{Endpoints: map[emco.Service]string{}, Ingress: users.Ingress},
		Setup:  probes.Setup{Kubeconfig: own.Edge.Kubeconfig.File, Rsync: users.Rsync, Apps: own.Apps},
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

// decode puts values in JSON's types into a struct.
func decode(values, into any) error {
	data, err := json.Marshal(values)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
