// Package language helps authors of plugins whose experiments are files that
// package scenario reads. It needs Chaos Mesh's types, which the contract in
// package sdk does not.
package language

import (
	"github.com/emco-chaos/emco-chaos/experiments/scenario"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

// Describe describes a plugin by what its catalogue offers to experiments, by
// the experiments that it brings, and by the schema of experiment files.
func Describe(name, version string, catalogue scenario.Catalogue, experiments []sdk.Experiment) sdk.Description {
	for _, experiment := range experiments {
		for i, parameter := range experiment.Parameters {
			if parameter.Follows != "" {
				experiment.Parameters[i].Default = "as " + parameter.Follows + " has it"
			}
		}
	}
	return sdk.Description{
		Name: name, Version: version, Experiments: experiments, Activities: catalogue.Activities,
		Schema: scenario.Schema(catalogue),
	}
}
