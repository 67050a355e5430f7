package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// defaults of an experiment.
const defaultAttempts = 3

// timeouts are how long a step of each kind may take when it does not say so
// itself.
type timeouts struct{ given, call, fault, probe, teardown time.Duration }

var defaultTimeouts = timeouts{
	given:    3 * time.Minute,
	call:     90 * time.Second,
	fault:    15 * time.Second,
	probe:    2 * time.Minute,
	teardown: 2 * time.Minute,
}

// Describe reads what an experiment file says of itself. It does not look at
// the steps.
func Describe(file string, data []byte) (plan.Experiment, document.Problems) {
	doc, root := document.Parse(file, data)
	if root == nil {
		return plan.Experiment{}, doc.Problems()
	}
	name, spec := document.Head(*root, "Experiment")
	described := plan.Experiment{Name: name}
	if spec != nil {
		described.Title, described.Description = readTitle(spec)
		if value, found := spec.Get("parameters"); found {
			for _, one := range readParameters(value) {
				described.Parameters = append(described.Parameters, one.Parameter)
			}
		}
	}
	return described, doc.Problems()
}

func readTitle(spec *document.Map) (title, description string) {
	if value, found := spec.Need("title", "say in a few words what the experiment shows"); found {
		title, _ = value.Text()
		if strings.Contains(title, "${") {
			value.Problem("has a parameter in it", "use parameters in the steps alone")
		}
	}
	if value, found := spec.Get("description"); found {
		description, _ = value.Text()
		if strings.Contains(description, "${") {
			value.Problem("has a parameter in it", "use parameters in the steps alone")
		}
	}
	return strings.TrimSpace(title), strings.TrimSpace(description)
}

// Compile makes a plan of an experiment file for a target. Set has values for
// the experiment's parameters. The plan is nil when there is a problem.
func Compile(file string, data []byte, catalogue Catalogue, onto *target.Target, set map[string]string) (*plan.Plan, document.Problems) {
	if onto == nil {
		onto = &target.Target{}
	}
	doc, root := document.Parse(file, data)
	if root == nil {
		return nil, doc.Problems()
	}
	c := &compiler{file: doc, catalogue: catalogue, target: onto, timeouts: defaultTimeouts}
	result := c.experiment(*root, set)
	if c.stepsRead {
		for _, problem := range plan.Check(result, c.unread...) {
			// The experiment's name is checked where it is read.
			if field := "spec." + problem.Field; problem.Field != "experiment" && !doc.Troubled(field) {
				problem.Field = field
				doc.Add(problem)
			}
		}
	}
	if problems := doc.Problems(); len(problems) > 0 {
		return nil, problems
	}
	return result, nil
}

type compiler struct {
	file      *document.File
	catalogue Catalogue
	target    *target.Target
	timeouts  timeouts
	// stepsRead says that there are steps to look at together.
	stepsRead bool
	// unread are the steps whose fault or activity could not be read.
	unread []string
}

func (c *compiler) serviceNames() []string { return slices.Sorted(maps.Keys(c.target.Services)) }

func (c *compiler) experiment(root document.Value, set map[string]string) *plan.Plan {
	result := &plan.Plan{Target: c.target.Name, Attempts: defaultAttempts}
	var spec *document.Map
	result.Experiment, spec = document.Head(root, "Experiment")
	if spec == nil {
		c.unread = append(c.unread, plan.GivenStep, plan.TeardownStep)
		return result
	}
	result.Title, result.Description = readTitle(spec)

	declared := "spec"
	var parameters []parameter
	if value, found := spec.Get("parameters"); found {
		declared = value.Field()
		parameters = readParameters(value)
	}
	settled := c.settle(parameters, set, declared)
	for _, entry := range spec.Entries() {
		if !slices.Contains([]string{"parameters", "title", "description"}, entry.Key) {
			settled.fill(entry.Value)
		}
	}
	settled.unused()
	result.Parameters = settled.text

	if value, found := spec.Get("attempts"); found {
		if attempts, ok := value.Integer(1, plan.MaxAttempts); ok {
			result.Attempts = attempts
		}
	}
	if value, found := spec.Get("timeouts"); found {
		c.readTimeouts(value)
	}
	result.Given = c.given(spec)
	result.Teardown = c.teardown()
	if value, found := spec.Need("steps", "write steps: with a name for each"); found {
		if steps, ok := value.Map(); ok {
			c.stepsRead = true
			for _, entry := range steps.Entries() {
				result.Steps = append(result.Steps, c.step(entry.Key, entry.Value))
			}
		}
	}
	if value, found := spec.Need("evidence", "write evidence: with what must have happened for the run to count, such as [call.sent < kill.created]"); found {
		if claims, ok := value.List(); ok {
			for _, value := range claims {
				result.Evidence = append(result.Evidence, c.claim(value))
			}
		}
	}
	spec.End()
	c.pairs(result, spec)
	return result
}

func (c *compiler) readTimeouts(value document.Value) {
	fields, ok := value.Map()
	if !ok {
		return
	}
	for _, kind := range []struct {
		key     string
		timeout *time.Duration
	}{
		{"given", &c.timeouts.given},
		{"call", &c.timeouts.call},
		{"fault", &c.timeouts.fault},
		{"probe", &c.timeouts.probe},
		{"teardown", &c.timeouts.teardown},
	} {
		if value, found := fields.Get(kind.key); found {
			*kind.timeout = positive(value, *kind.timeout)
		}
	}
	fields.End()
}

// positive reads a duration that is more than zero.
func positive(value document.Value, otherwise time.Duration) time.Duration {
	duration, ok := value.Duration()
	if !ok {
		return otherwise
	}
	if duration == 0 {
		value.Problem("is zero", "write a duration such as 90s")
		return otherwise
	}
	return duration
}

// claim reads a claim; one that cannot be read has no events.
func (c *compiler) claim(value document.Value) plan.Claim {
	text, ok := value.Text()
	if !ok {
		return plan.Claim{}
	}
	claim, err := plan.ParseClaim(text)
	if err != nil {
		value.Problem(err.Error(), "write events in their order, such as call.sent < kill.created")
	}
	return claim
}

func (c *compiler) given(spec *document.Map) plan.Step {
	step := plan.Step{Name: plan.GivenStep, Timeout: plan.Duration(c.timeouts.given)}
	value, found := spec.Need("given", "write given: with the state that the steps start from")
	if !found {
		c.unread = append(c.unread, step.Name)
		return step
	}
	activity, known := c.catalogue.activity(c.catalogue.Given)
	if !known {
		value.Problem("this plugin brings about no state", "use another plugin")
		c.unread = append(c.unread, step.Name)
		return step
	}
	var arguments map[string]any
	ok := false
	switch {
	case !value.IsMap():
		value.Map()
	case c.catalogue.GivenArgument == "":
		arguments, ok = c.mapping(activity, value)
	default:
		var whole any
		whole, ok = value.Any()
		arguments = map[string]any{c.catalogue.GivenArgument: whole}
	}
	if ok {
		step.Activity, ok = c.perform(activity, arguments, value)
	}
	if !ok {
		c.unread = append(c.unread, step.Name)
	}
	return step
}

func (c *compiler) teardown() plan.Step {
	step := plan.Step{Name: plan.TeardownStep, Timeout: plan.Duration(c.timeouts.teardown)}
	activity, known := c.catalogue.activity(c.catalogue.Teardown)
	if !known {
		c.file.Add(document.Problem{Field: "spec.given", Message: "this plugin cannot take the given back", Remedy: "use another plugin"})
		c.unread = append(c.unread, step.Name)
		return step
	}
	step.Activity = plainActivity(activity, map[string]any{})
	step.Activity.Summary = activity.Name
	return step
}

func plainActivity(what activity.Activity, arguments map[string]any) *plan.Activity {
	return &plan.Activity{
		Name:      what.Name,
		Arguments: arguments,
		Events:    what.Events,
		Ends:      what.Ends,
		Lasting:   what.Lasting,
	}
}

// references reads a list of events.
func (c *compiler) references(value document.Value) []plan.Ref {
	entries, ok := value.List()
	if !ok {
		return nil
	}
	if len(entries) == 0 {
		value.Problem("names no event", "name one such as [kill.created], or leave it out")
	}
	var refs []plan.Ref
	for _, entry := range entries {
		text, ok := entry.Text()
		if !ok {
			refs = append(refs, plan.Ref{})
			continue
		}
		ref, err := plan.ParseRef(text)
		if err != nil {
			entry.Problem(err.Error(), "write the step and its event with a dot between them")
		}
		refs = append(refs, ref)
	}
	return refs
}

func (c *compiler) step(name string, value document.Value) plan.Step {
	step := plan.Step{Name: name, Timeout: plan.Duration(c.timeouts.probe)}
	fields, ok := value.Map()
	if !ok {
		c.unread = append(c.unread, name)
		return step
	}
	if value, found := fields.Get("after"); found {
		step.After = c.references(value)
	}
	if value, found := fields.Get("delay"); found {
		delay, _ := value.Duration()
		step.Delay = plan.Duration(delay)
	}
	if value, found := fields.Get("while"); found {
		step.While, _ = value.Text()
	}
	if value, found := fields.Get("until"); found {
		step.Until = c.references(value)
	}
	hasOutcome, timeout, read := c.action(fields, &step)
	if !read {
		c.unread = append(c.unread, name)
	}
	if value, found := fields.Get("timeout"); found {
		timeout = positive(value, timeout)
	}
	step.Timeout = plan.Duration(timeout)
	if value, found := fields.Get("expect"); found {
		step.Expect, _ = value.Text()
		if read && !hasOutcome {
			value.Problem("this step has no outcome", "expect belongs to a call; a probe passes or fails by itself")
		}
	}
	if value, found := fields.Get("otherwise"); found {
		if outcomes, ok := value.Map(); ok {
			step.Otherwise = map[string]string{}
			for _, entry := range outcomes.Entries() {
				if verdict, ok := entry.Value.Text(); ok {
					step.Otherwise[entry.Key] = verdict
				}
			}
		}
	}
	fields.End()
	return step
}

// action reads what the step does: exactly one of fault, call and probe.
func (c *compiler) action(fields *document.Map, step *plan.Step) (hasOutcome bool, timeout time.Duration, read bool) {
	keys := []string{"fault", "call", "probe"}
	var found []string
	for _, key := range keys {
		if _, here := fields.Get(key); here {
			found = append(found, key)
		}
	}
	if len(found) != 1 {
		message := "does nothing"
		if len(found) > 1 {
			message = "does several things: " + strings.Join(found, ", ")
		}
		fields.Value().Problem(message, "write exactly one of "+strings.Join(keys, ", "))
		return false, c.timeouts.probe, false
	}
	value, _ := fields.Get(found[0])
	switch found[0] {
	case "fault":
		step.Fault, read = c.fault(value)
		return false, c.timeouts.fault, read
	case "call":
		step.Activity, read = c.call(value)
		return true, c.timeouts.call, read
	}
	step.Activity, hasOutcome, read = c.probe(value)
	return hasOutcome, c.timeouts.probe, read
}

func (c *compiler) call(value document.Value) (*plan.Activity, bool) {
	activity, known := c.catalogue.activity(c.catalogue.Call)
	if !known || len(activity.Arguments) == 0 {
		value.Problem("this plugin makes no calls", "write a probe")
		return nil, false
	}
	arguments, ok := c.single(activity, value)
	if !ok {
		return nil, false
	}
	return c.perform(activity, arguments, value)
}

// probe reads {NAME: ARGUMENT}, {NAME: {ARGUMENT: VALUE}} or NAME.
func (c *compiler) probe(value document.Value) (result *plan.Activity, hasOutcome, read bool) {
	if !value.IsMap() {
		name, ok := value.Text()
		if !ok {
			return nil, false, false
		}
		activity, known := c.known(name, value)
		if !known {
			return nil, false, false
		}
		if !c.complete(activity, map[string]any{}, value) {
			return nil, activity.HasOutcome, false
		}
		result, read = c.perform(activity, map[string]any{}, value)
		return result, activity.HasOutcome, read
	}
	fields, ok := value.Map()
	if !ok {
		return nil, false, false
	}
	if len(fields.Entries()) != 1 {
		value.Problem(fmt.Sprintf("names %d probes", len(fields.Entries())), "write exactly one, such as {available: SERVICE}")
		return nil, false, false
	}
	entry := fields.Entries()[0]
	activity, known := c.known(entry.Key, entry.Value)
	if !known {
		return nil, false, false
	}
	var arguments map[string]any
	if entry.Value.IsMap() {
		arguments, ok = c.mapping(activity, entry.Value)
	} else {
		arguments, ok = c.single(activity, entry.Value)
	}
	if !ok {
		return nil, activity.HasOutcome, false
	}
	result, read = c.perform(activity, arguments, entry.Value)
	return result, activity.HasOutcome, read
}

func (c *compiler) known(name string, value document.Value) (activity.Activity, bool) {
	what, known := c.catalogue.activity(name)
	if !known || !what.Probe {
		value.Problem(fmt.Sprintf("the probe %q is not known", name), document.Instead(name, c.catalogue.probes()))
		return activity.Activity{}, false
	}
	return what, true
}
