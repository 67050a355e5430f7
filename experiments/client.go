package experiments

import (
	"encoding/json"
	"fmt"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// Access is how a target is reached.
type Access struct {
	// Client is the configuration of a client of its REST API.
	Client emco.Config
	// Rsync is HOST:PORT of rsync's gRPC port, as EMCO reaches it; empty if
	// the target does not name it.
	Rsync string
}

// AccessOf says how a target is reached: by the URLs of its services and its
// ingress and, for what has none there, by emcoctl's configuration file, which
// its settings may name as emcoctl: {config: {file: NAME}}.
func AccessOf(target *target.Target) (Access, error) {
	access := Access{
		Client: emco.Config{Endpoints: map[emco.Service]string{}},
		Rsync:  target.Services[string(emco.Rsync)].Address,
	}
	if target.Ingress != nil {
		access.Client.Ingress = target.Ingress.URL
	}
	if token := target.Credentials.Token; token != nil {
		access.Client.Token = emco.Secret{Env: token.Env, File: token.File}
	}
	if ca := target.Credentials.CA; ca != nil {
		access.Client.CAFile = ca.File
	}
	users, err := emcoctlConfig(target)
	if err != nil {
		return Access{}, err
	}
	if access.Client.Ingress == "" {
		access.Client.Ingress = users.Ingress
	}
	if access.Rsync == "" {
		access.Rsync = users.Rsync
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

// emcoctlConfig reads emcoctl's configuration if the target names it.
func emcoctlConfig(target *target.Target) (emcoctl.Config, error) {
	setting, named := target.Settings["emcoctl"]
	if !named {
		return emcoctl.Config{}, nil
	}
	var own struct {
		Config struct {
			File string `json:"file"`
		} `json:"config"`
	}
	data, err := json.Marshal(setting)
	if err == nil {
		err = json.Unmarshal(data, &own)
	}
	if err != nil || own.Config.File == "" {
		return emcoctl.Config{}, fmt.Errorf("target %s: settings.emcoctl: names no file; write emcoctl: {config: {file: emco-cfg.yaml}}", target.Name)
	}
	config, err := emcoctl.ReadConfig(own.Config.File)
	if err != nil {
		return emcoctl.Config{}, fmt.Errorf("target %s: settings.emcoctl.config: %w", target.Name, err)
	}
	return config, nil
}
