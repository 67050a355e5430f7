// Package access reads out of a target how its EMCO is reached, and what runs
// deploy there.
package access

import (
	"cmp"
	"fmt"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// Access is how a target's EMCO is reached, and what its resources are made of.
type Access struct {
	Client   emco.Config
	Setup    probes.Setup
	Existing emco.Chosen // resources that exist already, for runs that work on those
}

// DefaultApps returns the apps that are deployed when nobody names any.
func DefaultApps() []string { return []string{"adservice", "currencyservice"} }

// Of reads the access to a target: the URLs of its services and its ingress and,
// for what has none there, emcoctl's configuration file in settings.emcoctl.config.
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
		Setup:    probes.Setup{Kubeconfig: settings.Edge.Kubeconfig.File, Apps: settings.Apps},
		Existing: settings.Existing,
	}
	if target.Ingress != nil {
		access.Client.Ingress = target.Ingress.URL
	}
	access.Setup.Rsync = cmp.Or(target.Services[string(emco.Rsync)].Address, users.Rsync)
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
