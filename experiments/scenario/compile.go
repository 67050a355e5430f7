package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

type experiment struct {
	Metadata struct{ Name string }
	Spec     struct {
		Title, Description string
		Attempts           int
		Control            bool
		Expected           []string
		Timeouts           timeouts
		Given              map[string]any
		Steps              map[string]step
		Evidence           []plan.Claim
	}
}

// timeouts limit the steps of each kind that have no timeout of their own.
type timeouts struct{ Given, Call, Fault, Probe, Teardown plan.Duration }

// step is one of the plan, but for what it does.
type step struct {
	plan.Step
	Fault any `json:"fault"`
	Call  string
	Probe any
}

// withDefaults returns an experiment with the defaults of what it leaves out.
func withDefaults() *experiment {
	result := &experiment{}
	result.Spec.Attempts = 3
	const minute = plan.Duration(time.Minute)
	result.Spec.Timeouts = timeouts{Given: 3 * minute, Call: minute * 3 / 2, Fault: minute / 4, Probe: 2 * minute, Teardown: 2 * minute}
	return result
}

// Describe reads what an experiment file says of itself, and not its steps.
func Describe(file string, data []byte) (plan.Experiment, document.Problems) {
	source, parameters := open(file, data)
	return plan.Experiment{
		Name:        source.Text("metadata.name"),
		Title:       strings.TrimSpace(source.Text("spec.title")),
		Description: strings.TrimSpace(source.Text("spec.description")),
		Parameters:  parameters,
	}, source.Problems()
}

// open parses a file and reads the parameters that it declares.
func open(file string, data []byte) (*document.File, []plan.Parameter) {
	source := document.Parse(file, data)
	source.AsWritten(written)
	outline().Check(source, "")
	return source, declared(source)
}

// Compile makes a plan of an experiment file for a target. Set has values for
// the experiment's parameters. The plan is nil when there is a problem.
func Compile(file string, data []byte, catalogue Catalogue, target *target.Target, set map[string]string) (*plan.Plan, document.Problems) {
	rules, err := catalogue.filled()
	if err != nil {
		return nil, document.Problems{{File: file, Message: err.Error(), Remedy: "mend the plugin's catalogue"}}
	}
	source, parameters := open(file, data)
	if _, read := source.Value(""); !read {
		return nil, source.Problems()
	}
	c := &compiler{file: source, catalogue: catalogue, target: target, read: withDefaults()}
	values := c.settle(parameters, set)
	c.fill(parameters, values)
	rules.Check(source, "")
	source.Decode("", c.read)
	result := c.plan()
	result.Parameters = values
	c.checkCalls(result)
	if steps, _ := source.Value(stepsField); !isMap(steps) {
		return nil, source.Problems()
	}
	if len(source.Problems()) > 0 {
		c.unread = append(c.unread, "") // no step: what was misread can be what aims the faults
	}
	for _, problem := range plan.Check(result, c.unread...) {
		// The experiment's name is checked where it is read.
		if field := c.place(problem.Field); problem.Field != "experiment" && !source.Troubled(field) {
			problem.Field = field
			source.Add(problem)
		}
	}
	if problems := source.Problems(); len(problems) > 0 {
		return nil, problems
	}
	return result, nil
}

func isMap(value any) bool {
	_, is := value.(map[string]any)
	return is
}

type compiler struct {
	file      *document.File
	catalogue Catalogue
	target    *target.Target
	read      *experiment
	several   several
	// places are the fields of the file, below spec, that fields of the plan come
	// from, where they differ.
	places map[string]string
	// unread are the steps whose fault or activity could not be read.
	unread []string
}

func (c *compiler) serviceNames() []string { return slices.Sorted(maps.Keys(c.target.Services)) }

func (c *compiler) plan() *plan.Plan {
	spec := c.read.Spec
	result := &plan.Plan{
		Experiment:  c.read.Metadata.Name,
		Title:       strings.TrimSpace(spec.Title),
		Description: strings.TrimSpace(spec.Description),
		Target:      c.target.Name,
		Attempts:    spec.Attempts,
		Control:     spec.Control,
		Expected:    spec.Expected,
		Given:       plan.Step{Name: plan.GivenStep, Timeout: spec.Timeouts.Given, Activity: c.given()},
		Teardown:    plan.Step{Name: plan.TeardownStep, Timeout: spec.Timeouts.Teardown, Activity: c.teardown()},
	}
	for i, name := range spec.Expected {
		c.service(fmt.Sprintf("spec.expected[%d]", i), name)
	}
	for _, member := range c.members() {
		result.Steps = append(result.Steps, c.step(member, spec.Steps[member.written]))
	}
	result.Evidence = c.claims(spec.Evidence)
	for _, step := range append([]plan.Step{result.Given, result.Teardown}, result.Steps...) {
		if step.Activity == nil && step.Fault == nil {
			c.unread = append(c.unread, step.Name)
		}
	}
	return result
}

const (
	stepsField = "spec.steps"
	givenField = "spec.given"
)

func (c *compiler) step(m member, read step) plan.Step {
	field := document.Join(stepsField, m.written)
	result := read.Step
	result.Name = m.name
	result.After, result.AfterAny = c.refs(m, "after", read.After), c.refs(m, "afterAny", read.AfterAny)
	result.Until = c.refs(m, "until", read.Until)
	usual := c.read.Spec.Timeouts
	switch {
	case read.Fault != nil:
		result.Timeout, result.Fault = usual.Fault, c.fault(m, read.For)
	case read.Call != "":
		what, _ := c.catalogue.activity(c.catalogue.Call)
		result.Timeout, result.Activity = usual.Call, c.activity(field+".call", what, map[string]any{what.Arguments[0].Name: read.Call})
	default:
		result.Timeout, result.Activity = usual.Probe, c.probe(m, read.Probe)
	}
	result.Timeout = cmp.Or(read.Timeout, result.Timeout)
	if result.Activity != nil && result.Expect != "" {
		if what, _ := c.catalogue.activity(result.Activity.Name); !what.HasOutcome {
			c.file.Wrong(field+".expect", "this step has no outcome", "expect belongs to a call; a probe passes or fails by itself")
		}
	}
	return result
}
