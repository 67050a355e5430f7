package experiments

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

const (
	existingField  = "spec.settings.existing"
	existingRemedy = "write settings: {existing: {project: NAME, logicalCloud: NAME, compositeApp: NAME, compositeAppVersion: NAME, dig: NAME}}, with what the experiment needs"
)

// Existing are the resources that a target names, as settings.existing, for
// runs that work on resources that exist already.
func Existing(target *target.Target) (emco.Chosen, document.Problems) {
	var chosen emco.Chosen
	wrong := func(field, message, remedy string) document.Problems {
		return document.Problems{existingProblem(target, field, message, remedy)}
	}
	setting, named := target.Settings["existing"]
	if !named {
		return chosen, wrong(existingField, "is missing", existingRemedy)
	}
	fields, ok := setting.(map[string]any)
	if !ok || len(fields) == 0 {
		return chosen, wrong(existingField, "names nothing", existingRemedy)
	}
	known := map[string]*string{}
	chosen.Fields(func(name string, value *string) { known[settingName(name)] = value })
	var problems document.Problems
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		field := existingField + "." + key
		into, ok := known[key]
		if !ok {
			problems = append(problems, wrong(field, "is not known", "write one of "+strings.Join(slices.Sorted(maps.Keys(known)), ", "))...)
			continue
		}
		text, ok := fields[key].(string)
		if !ok || text == "" {
			problems = append(problems, wrong(field, "is no name", "write the resource's name; a number in quotes")...)
			continue
		}
		*into = text
	}
	return chosen, problems
}

// existingProblem is a mistake in the target. The target's file is not known
// here, and its name is.
func existingProblem(target *target.Target, field, message, remedy string) document.Problem {
	return document.Problem{Field: "target " + target.Name + ": " + field, Message: message, Remedy: remedy}
}

// settingName is a resource's name in settings: compositeApp for
// composite-app.
func settingName(name string) string {
	words := strings.Split(name, "-")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

// touches says what a compiled plan does to the resources that the target
// names, and finds what it cannot do there.
func touches(file string, compiled *plan.Plan, target *target.Target) ([]string, document.Problems) {
	chosen, problems := Existing(target)
	if len(problems) > 0 {
		return nil, problems
	}
	refused := func(err error) document.Problems {
		problem := document.Problem{File: file, Field: "spec", Message: err.Error(), Remedy: "run this experiment without --use-existing"}
		if wrong, ok := errors.AsType[document.Problem](err); ok {
			problem.Field, problem.Message, problem.Remedy = "spec."+wrong.Field, wrong.Message, wrong.Remedy
		}
		return document.Problems{problem}
	}
	arguments, _ := compiled.Given.Activity.Arguments["given"].(map[string]any)
	given, err := emco.ParseGiven(arguments)
	if err != nil {
		return nil, refused(err)
	}
	calls := callsOf(compiled)
	for _, name := range missing(chosen, given, calls) {
		problems = append(problems, existingProblem(target, existingField+"."+settingName(name), "is missing, and "+compiled.Experiment+" needs it", existingRemedy))
	}
	if len(problems) > 0 {
		return nil, problems
	}
	// The run has no name yet, and none of its own is used.
	names, err := emco.NewNames("existing", 1)
	if err == nil {
		names, err = names.Choose(chosen)
	}
	if wrong, ok := errors.AsType[document.Problem](err); ok {
		return nil, document.Problems{existingProblem(target, existingField+"."+settingName(wrong.Field), wrong.Message, wrong.Remedy)}
	}
	if err != nil {
		return nil, refused(err)
	}
	texts, err := probes.BlastRadius(names, given, calls)
	if err != nil {
		return nil, refused(err)
	}
	if len(texts) == 0 {
		return nil, refused(fmt.Errorf("%s works on no resource that could exist already", compiled.Experiment))
	}
	return texts, nil
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

// missing are the names that the given and the calls need and that are not
// chosen.
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
