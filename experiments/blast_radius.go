package experiments

import (
	"errors"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/access"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// blastRadius is what a compiled plan does to each of the resources that the
// target names as existing. Its problems say what the plan cannot do there.
func blastRadius(source Source, compiled *plan.Plan, target *target.Target, existing emco.Chosen) ([]string, document.Problems) {
	// The given was compiled, and the names of what exists are as the settings' schema wants them.
	arguments, _ := compiled.Given.Activity.Arguments["given"].(map[string]any)
	given, _ := emco.ParseGiven(arguments)
	names, _ := emco.NewNames("existing", 1) // the run has no name yet, and none of its own is used
	names, _ = names.Choose(existing)
	calls := callsOf(compiled)
	settings := target.SettingsSource()
	for _, name := range missing(existing, given, calls) {
		settings.Add(access.NeedsExisting(name, "is missing, and "+compiled.Experiment+" needs it"))
	}
	if problems := settings.Problems(); len(problems) > 0 {
		return nil, problems
	}
	radius, err := probes.BlastRadius(names, given, calls)
	if len(radius) > 0 {
		return radius, nil
	}
	problem, is := errors.AsType[document.Problem](err)
	if !is {
		problem = document.Problem{
			Message: compiled.Experiment + " works on no resource that could exist already", Remedy: "run this experiment without --use-existing",
		}
	}
	problem.Field = strings.TrimSuffix("spec."+problem.Field, ".")
	return nil, document.Problems{document.Parse(source.File, source.Data).Locate(problem)}
}

// callsOf are the calls that a plan's steps make, or repeat, each once.
func callsOf(compiled *plan.Plan) []string {
	var calls []string
	for _, step := range compiled.Steps {
		if step.Activity == nil || !step.Activity.Lasting {
			continue
		}
		if name, ok := step.Activity.Arguments["call"].(string); ok && !slices.Contains(calls, name) {
			calls = append(calls, name)
		}
	}
	return calls
}

// missing are the names that the given and the calls need, and nobody chose.
func missing(chosen emco.Chosen, given emco.Given, calls []string) []string {
	var templates []string
	if given.Has(emco.LogicalCloud) {
		templates = append(templates, "{logicalCloud}")
	}
	if given.Has(emco.DeploymentIntentGroup) {
		templates = append(templates, "{dig}")
	}
	for _, name := range calls {
		// What creates something is refused, whatever is named.
		if call, known := emco.CallNamed(name); known && call.Creates == "" {
			templates = append(templates, call.StatusPath)
		}
	}
	return slices.Sorted(slices.Values(chosen.Missing(strings.Join(templates, " "))))
}
