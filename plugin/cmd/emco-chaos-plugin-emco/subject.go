package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// settings are the part of a target that only this plugin understands.
type settings struct {
	Edge struct {
		Kubeconfig struct {
			File string `json:"file"`
		} `json:"kubeconfig"`
	} `json:"edge"`
	Apps []string `json:"apps"`
}

// defaultApps are deployed when the target names none.
var defaultApps = []string{"adservice", "currencyservice"}

// subject is what a task's probe works on: the EMCO of the target, and the
// resources of the task's run and attempt.
func subject(task sdk.Task) (probes.Subject, error) {
	target, err := target(task.Target)
	if err != nil {
		return probes.Subject{}, err
	}
	var own settings
	data, err := json.Marshal(target.Settings)
	if err == nil {
		err = json.Unmarshal(data, &own)
	}
	if err != nil {
		return probes.Subject{}, fmt.Errorf("read the settings of target %s: %w", target.Name, err)
	}
	client, err := emco.New(config(target))
	if err != nil {
		return probes.Subject{}, err
	}
	names, err := emco.NewNames(task.Run, max(1, task.Attempt))
	if err != nil {
		return probes.Subject{}, err
	}
	apps := own.Apps
	if len(apps) == 0 {
		apps = slices.Clone(defaultApps)
	}
	return probes.Subject{
		Client:     client,
		Names:      names,
		Unanswered: unanswered(task),
		Settle:     task.Settle,
		Setup: probes.Setup{
			Kubeconfig: own.Edge.Kubeconfig.File,
			Rsync:      target.Services[string(emco.Rsync)].Address,
			Apps:       apps,
		},
	}, nil
}

// unanswered are the calls that may still take effect.
func unanswered(task sdk.Task) []emco.Call {
	var calls []emco.Call
	for _, sent := range task.Unanswered {
		name, _ := sent.Arguments["call"].(string)
		if call, known := emco.CallNamed(name); known {
			calls = append(calls, call)
		}
	}
	return calls
}

func config(target *plan.Target) emco.Config {
	config := emco.Config{Endpoints: map[emco.Service]string{}}
	for _, service := range emco.Services() {
		if url := target.Services[string(service)].URL; url != "" {
			config.Endpoints[service] = url
		}
	}
	if target.Ingress != nil {
		config.Ingress = target.Ingress.URL
	}
	if token := target.Credentials.Token; token != nil {
		config.Token = emco.Secret{Env: token.Env, File: token.File}
	}
	if ca := target.Credentials.CA; ca != nil {
		config.CAFile = ca.File
	}
	return config
}
