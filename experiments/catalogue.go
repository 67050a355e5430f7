package experiments

import (
	"errors"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/experiments/scenario"
	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Names of the probes that experiments do not name as probes.
const (
	callProbe     = "call"
	ensureProbe   = "ensure"
	teardownProbe = "teardown"
	cleanProbe    = "clean"
	reachedProbe  = "reached"
)

// Catalogue is what experiments on an EMCO can do: the probes, and the calls
// of EMCO's that they know.
func Catalogue() scenario.Catalogue {
	catalogue := scenario.Catalogue{
		Call:          callProbe,
		Given:         ensureProbe,
		GivenArgument: "given",
		Teardown:      teardownProbe,
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
		catalogue.Activities = append(catalogue.Activities, activity(kind))
	}
	return catalogue
}

func activity(kind probes.Kind) scenario.Activity {
	result := scenario.Activity{
		Name:    kind.Name,
		Summary: kind.Summary,
		Events:  kind.Events,
		Ends:    []string{"passed", "failed"},
		Check:   func(arguments map[string]any) error { return check(kind, arguments) },
	}
	switch kind.Name {
	case callProbe:
		result.Ends = []string{plan.Accepted, plan.Rejected, plan.Failed}
		result.HasOutcome = true
		result.Lasting = kind.Lasting
	case ensureProbe, teardownProbe, cleanProbe:
		// These see their own requests to an end before they answer.
	default:
		result.Probe = true
		result.Lasting = kind.Lasting
		result.Follows = kind.Name == reachedProbe
	}
	for _, argument := range kind.Arguments {
		converted := scenario.Argument{
			Name:        argument.Name,
			Type:        scenario.Text,
			Required:    argument.Required,
			Allowed:     argument.Values,
			Description: argument.Meaning,
		}
		switch {
		case argument.Type == probes.Object:
			converted.Type = scenario.Mapping
		case argument.Name == "call":
			converted.Type = scenario.CallName
		case argument.Name == "service":
			converted.Type = scenario.ServiceName
		}
		result.Arguments = append(result.Arguments, converted)
	}
	return result
}

// check makes the probe and throws it away: what it refuses here it would
// refuse in the run.
func check(kind probes.Kind, arguments map[string]any) error {
	_, err := kind.New(arguments)
	return argumentError(err)
}

// fits says whether a call can be made in the state that ensure brings about.
func fits(arguments map[string]any, name string) error {
	states, _ := arguments["given"].(map[string]any)
	given, err := emco.ParseGiven(states)
	if call, known := emco.CallNamed(name); known && err == nil {
		err = call.Fits(given)
	}
	return argumentError(err)
}

// argumentError is an error of the probes' in the form that experiments have
// for it.
func argumentError(err error) error {
	if wrong, ok := errors.AsType[document.Problem](err); ok {
		return &scenario.ArgumentError{Argument: wrong.Field, Message: wrong.Message, Remedy: wrong.Remedy}
	}
	return err
}
