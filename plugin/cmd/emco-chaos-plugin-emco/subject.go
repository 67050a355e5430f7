package main

import (
	"encoding/json"
	"fmt"

	"github.com/emco-chaos/emco-chaos/experiments"
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
	// Apps are what a run deploys; adservice and currencyservice when empty.
	Apps []string `json:"apps"`
}

// subject is what a task's probe works on: the EMCO of the target, and the
// resources of the task's run and attempt, or those that the target names when
// runs are to work on existing ones.
func subject(task sdk.Task) (probes.Subject, error) {
	target, err := readTarget(task.Target)
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
	access, err := experiments.AccessOf(target)
	if err != nil {
		return probes.Subject{}, err
	}
	client, err := emco.New(access.Client)
	if err != nil {
		return probes.Subject{}, err
	}
	names, err := emco.NewNames(task.Run, max(1, task.Attempt))
	if err != nil {
		return probes.Subject{}, err
	}
	if target.UseExisting {
		chosen, problems := experiments.Existing(target)
		if err := problems.Err(); err != nil {
			return probes.Subject{}, err
		}
		if names, err = names.Choose(chosen); err != nil {
			return probes.Subject{}, err
		}
	}
	if len(own.Apps) == 0 {
		own.Apps = []string{"adservice", "currencyservice"}
	}
	return probes.Subject{
		Client: client, Names: names, Existing: target.UseExisting,
		Unanswered: unanswered(task), Settle: task.Settle,
		Setup: probes.Setup{Kubeconfig: own.Edge.Kubeconfig.File, Rsync: access.Rsync, Apps: own.Apps},
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
