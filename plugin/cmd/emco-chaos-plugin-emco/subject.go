package main

import (
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/access"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// subject is what a task's probe works on: the EMCO of the target, and the
// resources of the task's run and attempt, or those that the target names when
// runs are to work on existing ones.
func subject(task sdk.Task) (probes.Subject, error) {
	target, err := readTarget(task.Target)
	if err != nil {
		return probes.Subject{}, err
	}
	reached, err := access.Of(target)
	if err != nil {
		return probes.Subject{}, err
	}
	client, err := emco.New(reached.Client)
	if err != nil {
		return probes.Subject{}, err
	}
	names, err := emco.NewNames(task.Run, max(1, task.Attempt))
	if err != nil {
		return probes.Subject{}, err
	}
	if target.UseExisting {
		if names, err = names.Choose(reached.Existing); err != nil {
			return probes.Subject{}, err
		}
	}
	return probes.Subject{
		Client: client, Names: names, Existing: target.UseExisting,
		Unanswered: unanswered(task), Settle: task.Settle,
		Setup: reached.Setup,
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
