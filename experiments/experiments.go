// Package experiments has the scenarios as YAML, and reads, checks and
// compiles them, and those of others, into plans for an EMCO.
package experiments

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/experiments/scenario"
	"github.com/emco-chaos/emco-chaos/probes/access"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

//go:embed *.yaml
var files embed.FS

// ErrUnknown says that no experiment has that name.
var ErrUnknown = errors.New("there is no such experiment")

// Source is the text of an experiment.
type Source struct {
	File string // its name in problems
	Data []byte
}

// Names are the names of the experiments, sorted.
func Names() []string {
	entries, _ := fs.Glob(files, "*.yaml") // an error says that the pattern is wrong
	for i, entry := range entries {
		entries[i] = strings.TrimSuffix(entry, ".yaml")
	}
	slices.Sort(entries)
	return entries
}

// Read returns the text of the experiment of that name, or [ErrUnknown].
func Read(name string) (Source, error) {
	data, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return Source{}, fmt.Errorf("%w: %s; %s", ErrUnknown, name, document.Instead(name, Names()))
	}
	return Source{File: name + ".yaml", Data: data}, nil
}

// List describes all experiments, sorted by name.
func List() ([]plan.Experiment, error) {
	var list []plan.Experiment
	for _, name := range Names() {
		source, _ := Read(name) // it is there: Names has it
		description, problems := scenario.Describe(source.File, source.Data)
		if err := problems.Err(); err != nil {
			return nil, fmt.Errorf("describe the experiment %s: %w", name, err)
		}
		list = append(list, description)
	}
	return list, nil
}

// Compile makes a plan of an experiment for a target. Parameters are what was
// set; the others have their defaults. The plan is nil when there are
// problems, and all problems are reported at once. For a target that says so the
// plan works on resources that exist already, and says what it does to them.
func Compile(source Source, target *target.Target, parameters map[string]string) (*plan.Plan, document.Problems) {
	compiled, problems := scenario.Compile(source.File, source.Data, Catalogue(), target, parameters)
	settings, wrong := access.ReadSettings(target)
	problems = append(problems, wrong...)
	looks := compiled != nil && slices.ContainsFunc(compiled.Steps, func(step plan.Step) bool {
		return step.Activity != nil && slices.Contains([]string{"edge", "survey", "agreement"}, step.Activity.Name)
	})
	if source := target.SettingsSource(); target.UseExisting && looks && settings.Edge.Kubeconfig.File == "" {
		source.Add(document.Problem{
			Field: "spec.settings.edge", Message: "is missing, and " + compiled.Experiment + " looks at the edge", Remedy: "write settings: {edge: {kubeconfig: {file: FILE}}}",
		})
		problems = append(problems, source.Problems()...)
	}
	if len(problems) == 0 && target.UseExisting {
		compiled.BlastRadius, problems = blastRadius(source, compiled, target, settings.Existing)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return compiled, nil
}
