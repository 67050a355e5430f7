package experiments

import (
	_ "embed"

	"github.com/emco-chaos/emco-chaos/experiments/scenario"
	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

//go:embed targets/emco-chart.yaml
var chartTarget []byte

// ChartTarget is an EMCO as its official Helm chart installs it: what
// experiments are compiled for when no target is named.
func ChartTarget() (*target.Target, error) {
	target, problems := target.Parse("emco-chart.yaml", chartTarget)
	return target, problems.Err()
}

// Catalogue is what experiments on an EMCO can do: the probes and EMCO's calls.
func Catalogue() scenario.Catalogue {
	catalogue := scenario.Catalogue{
		Call:          "call",
		Given:         "ensure",
		GivenArgument: "given",
		Teardown:      "teardown",
		Check:         check,
		Fits:          fits,
	}
	for _, name := range emco.CallNames() {
		call, _ := emco.CallNamed(name)
		catalogue.Calls = append(catalogue.Calls, scenario.Call{
			Name:    name,
			Service: string(call.Service),
			Summary: "POST " + name,
		})
	}
	for _, kind := range probes.Catalogue() {
		catalogue.Activities = append(catalogue.Activities, kind.Activity)
	}
	return catalogue
}

// check makes a probe, to see now what it would refuse in the run.
func check(activity string, arguments map[string]any) error {
	_, err := probes.New(activity, arguments)
	return err
}

// fits checks that a call can be made in the state that ensure brings about.
func fits(arguments map[string]any, name string) error {
	states, _ := arguments["given"].(map[string]any)
	given, err := emco.ParseGiven(states)
	if call, known := emco.CallNamed(name); known && err == nil {
		err = call.Fits(given)
	}
	return err
}
