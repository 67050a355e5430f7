package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Limits of a plan. A plan can come from a plugin of any origin.
const (
	maxSteps  = 100
	maxEvents = 50
	maxRefs   = 50
	maxClaims = 100
	maxRadius = 50
	maxTime   = Duration(24 * time.Hour)
)

// Check reports what is wrong with a plan: names and times, events that no step
// emits, waits that never end, triggers that never fire together, and evidence
// that can never hold. The fields of its problems are paths into the plan,
// such as steps.kill.after[0]. The faults and activities of unread steps are
// not checked: they have problems of their own. Of a plan without any problem
// it checks whether a run could pass without its faults.
func Check(p *Plan, unread ...string) document.Problems {
	if p == nil {
		return document.Problems{{Message: "there is no plan"}}
	}
	c := &checker{plan: p, unread: unread, steps: map[string]Step{}}
	if !c.withinLimits() {
		return c.problems
	}
	c.head()
	for _, step := range p.Steps {
		c.step(step)
	}
	for _, step := range p.Steps {
		c.triggers(step)
	}
	c.waits()
	for _, step := range p.Steps {
		c.together(step)
	}
	c.evidence()
	return c.problems
}

type checker struct {
	plan     *Plan
	unread   []string
	steps    map[string]Step
	problems document.Problems
	// endless says that some events wait for each other: they have no order.
	endless bool
}

func (c *checker) add(field, message, remedy string) {
	c.problems = append(c.problems, document.Problem{Field: field, Message: message, Remedy: remedy})
}

// want adds the problem unless the plan is as it must be.
func (c *checker) want(fine bool, field, message, remedy string) bool {
	if !fine {
		c.add(field, message, remedy)
	}
	return fine
}

// field is the path of a key of the step, and element that of one of the events there.
func (s Step) field(key string) string { return document.Join("steps", s.Name) + "." + key }

func (s Step) element(key string, at int) string { return fmt.Sprintf("%s[%d]", s.field(key), at) }

func (c *checker) withinLimits() bool {
	limit := func(field, what string, got, most int) {
		c.want(got <= most, field, fmt.Sprintf("has %d %s, and %d is the limit", got, what, most), "make it smaller")
	}
	limit("steps", "steps", len(c.plan.Steps), maxSteps)
	limit("evidence", "claims", len(c.plan.Evidence), maxClaims)
	limit("expected", "services", len(c.plan.Expected), maxRefs)
	limit("touches", "texts", len(c.plan.BlastRadius), maxRadius)
	for i, claim := range c.plan.Evidence {
		limit(fmt.Sprintf("evidence[%d]", i), "events", len(claim.Refs), maxRefs)
	}
	for _, step := range append([]Step{c.plan.Given, c.plan.Teardown}, c.plan.Steps...) {
		limit(step.field("after"), "events", len(step.After), maxRefs)
		limit(step.field("afterAny"), "events", len(step.AfterAny), maxRefs)
		limit(step.field("until"), "events", len(step.Until), maxRefs)
		if step.Activity != nil {
			limit(step.field("activity.events"), "events", len(step.Activity.Events), maxEvents)
			limit(step.field("activity.ends"), "events", len(step.Activity.Ends), maxEvents)
		}
	}
	return len(c.problems) == 0
}

func (c *checker) head() {
	p := c.plan
	c.want(document.IsName(p.Experiment), "experiment", fmt.Sprintf("%q is not a name", shown(p.Experiment)), document.NameRemedy)
	c.want(p.Attempts >= 1 && p.Attempts <= MaxAttempts, "attempts", fmt.Sprintf("%d attempts cannot be made", p.Attempts),
		fmt.Sprintf("write a number from 1 to %d", MaxAttempts))
	for i, step := range []Step{p.Given, p.Teardown} {
		name := []string{GivenStep, TeardownStep}[i]
		switch {
		case slices.Contains(c.unread, name):
		case step.Name != name, step.Activity == nil, step.Fault != nil:
			c.add(name, "is not an activity of that name", "bring the state about, and take it back, by an activity")
		case len(step.After)+len(step.AfterAny)+len(step.Until) > 0 || step.While != "":
			c.add(name, "waits for events", "it runs before or after all steps, so leave after, until and while out")
		default:
			c.activity(name, step)
			c.timeout(name, step)
		}
	}
	c.want(len(p.Steps) > 0, "steps", "there is no step", "write at least one")
}

func (c *checker) step(step Step) {
	field := document.Join("steps", step.Name)
	if !c.want(step.Name != GivenStep && step.Name != TeardownStep, field, fmt.Sprintf("every plan has a %s of its own", step.Name), "choose another name") {
		return
	}
	c.want(document.IsName(step.Name) && len(step.Name) <= MaxStepName, field, fmt.Sprintf("%q cannot be the name of a step", shown(step.Name)),
		fmt.Sprintf("write small letters, digits and hyphens, a letter or digit first and last, %d characters at most", MaxStepName))
	_, twice := c.steps[step.Name]
	if !c.want(!twice, field, "two steps have this name", "rename one of them") {
		return
	}
	c.steps[step.Name] = step
	c.timeout(field, step)
	c.want(step.Delay >= 0 && step.Delay <= maxTime, field+".delay", fmt.Sprintf("%s cannot be waited for", step.Delay), "write a duration from 0s to 24h")
	switch {
	case slices.Contains(c.unread, step.Name):
	case (step.Fault == nil) == (step.Activity == nil):
		c.add(field, "is not exactly one of a fault and an activity", "make it one of them")
		c.unread = append(c.unread, step.Name)
	case step.Fault != nil:
		c.fault(field+".fault", step.Fault)
	default:
		c.activity(field, step)
	}
	c.outcome(field, step)
	c.lasts(field+".for", step)
}

// lasts checks how long a fault is to stay on.
func (c *checker) lasts(field string, step Step) {
	switch {
	case step.For == 0:
	case step.Activity != nil:
		c.add(field, "a call or a probe does not stay on", "leave it out; timeout is how long the step may take")
	case step.Fault != nil && step.Fault.Stops() && step.Fault.Action != podFailure:
		c.add(field, fmt.Sprintf("a %s is over at once", step.Fault.Action), "leave it out, or use action: "+podFailure)
	case len(step.Until) > 0:
		c.add(field, "stands beside until", "keep one of them")
	default:
		c.want(step.For > 0 && step.For <= maxTime, field, fmt.Sprintf("%s is not a time to stay on", step.For), "write a duration above zero, 24h at most")
	}
}

func (c *checker) timeout(field string, step Step) {
	c.want(step.Timeout > 0 && step.Timeout <= maxTime, field+".timeout", fmt.Sprintf("%s is not a time to wait", step.Timeout),
		"write a duration above zero, 24h at most")
}

func (c *checker) fault(field string, fault *Fault) {
	c.want(fault.Kind != "" && fault.Action != "", field, "does not say its kind and its action", "write both")
	var object map[string]json.RawMessage
	c.want(json.Unmarshal(fault.Object, &object) == nil && object != nil, field, "its object is not a JSON object", "write a Chaos Mesh object")
}

func (c *checker) activity(field string, step Step) {
	activity := step.Activity
	c.want(activity.Name != "", field, "its activity has no name", "name one of the plugin's")
	for i, event := range activity.Events {
		c.want(document.IsName(event) && !slices.Contains(activity.Events[:i], event), field,
			fmt.Sprintf("its activity cannot emit %q, or not twice", shown(event)), document.NameRemedy)
	}
	c.want(slices.Contains(activity.Events, Started), field, "its activity does not emit started", "every activity does first")
	c.want(len(activity.Ends) > 0, field, "its activity has no event that ends it", "name at least one")
	for i, end := range activity.Ends {
		c.want(slices.Contains(activity.Events, end) && end != Started && !slices.Contains(activity.Ends[:i], end), field,
			fmt.Sprintf("its activity cannot end with %q", shown(end)), "an end is one of its events, once, and not started")
	}
}

func (c *checker) outcome(field string, step Step) {
	const remedy = `use one of accepted, rejected, "rejected CODE", refused, connection-lost, timeout, dns, tls, other`
	notOutcome := func(text string) string { return fmt.Sprintf("%q is not an outcome", shown(text)) }
	if step.Expect != "" && c.want(step.Fault == nil, field+".expect", "a fault has no outcome", "leave it out") {
		c.want(IsOutcome(step.Expect) || step.Expect == Any, field+".expect", notOutcome(step.Expect), remedy+", or any")
	}
	c.want(len(step.Otherwise) == 0 || step.Expect != Any, field+".otherwise", "stands beside expect: any, and no outcome is another one", "leave one of them out")
	c.want(len(step.Otherwise) == 0 || step.Expect != "", field+".otherwise", "stands without expect", "write expect: with the outcome that the step must have")
	for _, outcome := range slices.Sorted(maps.Keys(step.Otherwise)) {
		verdict, at := step.Otherwise[outcome], document.Join(field+".otherwise", outcome)
		if c.want(IsOutcome(outcome), at, notOutcome(outcome), remedy) {
			c.want(outcome != step.Expect, at, "is the outcome that is expected", "leave it out")
		}
		c.want(verdict == OtherwiseFailed || verdict == OtherwiseError, at, fmt.Sprintf("%q is not what a run can be made", shown(verdict)), "write failed or error")
	}
}

// triggers checks that what the step waits for is there.
func (c *checker) triggers(step Step) {
	for i, ref := range step.After {
		field, why := step.element("after", i), c.unexpected(ref)
		if c.trigger(field, ref, step.After[:i]) {
			c.want(why == "", field, why, "wait for the event of the expected outcome")
			c.want(!c.open(ref), field, anyOutcome(ref), "write all that it can end with into afterAny")
		}
	}
	for i, ref := range step.AfterAny {
		field, why := step.element("afterAny", i), c.unexpected(ref)
		if c.trigger(field, ref, slices.Concat(step.After, step.AfterAny[:i])) {
			c.want(why == "", field, why, "leave it out")
		}
	}
	for i, ref := range step.Until {
		c.trigger(step.element("until", i), ref, step.Until[:i])
	}
	field := step.field("while")
	switch other, known := c.steps[step.While]; {
	case step.While == "":
	case step.While == step.Name:
		c.add(field, "a step cannot wait for itself", "name the activity that must be under way")
	case !known:
		c.add(field, fmt.Sprintf("there is no step %q", shown(step.While)), document.Instead(step.While, c.names()))
	case other.Fault != nil:
		c.add(field, fmt.Sprintf("%s is a fault", step.While), "name an activity: a fault is awaited by its events in after")
	}
}

// trigger checks an event that a step waits for beside others.
func (c *checker) trigger(field string, ref Ref, before []Ref) bool {
	switch fault := c.steps[ref.Step]; {
	case !c.emitted(field, ref):
	case ref.Step == GivenStep || ref.Step == TeardownStep:
		c.add(field, fmt.Sprintf("%s is no event to wait for", ref), "the steps run after the given and before the teardown: leave it out")
	case slices.Contains(before, ref):
		c.add(field, fmt.Sprintf("%s is there twice", ref), "keep one of them")
	case ref.Event == Removed && fault.Fault != nil && !fault.Ended():
		c.add(field, fmt.Sprintf("%s has no until, so %s comes only at the end of the run", ref.Step, ref), "write until: or for: for "+ref.Step)
	default:
		return true
	}
	return false
}

// emitted checks that a step emits the event. One that is unread has been reported.
func (c *checker) emitted(field string, ref Ref) bool {
	if ref == (Ref{}) {
		return false
	}
	step, known := c.steps[ref.Step]
	if !known { // the given or the teardown, if any
		step, known = c.plan.Find(ref.Step)
	}
	return c.want(known, field, fmt.Sprintf("there is no step %q", shown(ref.Step)), document.Instead(ref.Step, c.names())) &&
		c.want(slices.Contains(c.unread, ref.Step) || step.Emits(ref.Event), field,
			fmt.Sprintf("%s does not emit %q", shown(ref.Step), shown(ref.Event)), document.Instead(ref.Event, step.Events()))
}

func (c *checker) names() []string {
	var names []string
	for _, step := range c.plan.Steps {
		names = append(names, shown(step.Name))
	}
	return names
}

// unexpected explains why the event does not come in a run that counts: the
// step that ends with it expects another outcome. Empty if it can come.
func (c *checker) unexpected(ref Ref) string {
	step := c.steps[ref.Step]
	if step.Activity == nil || !IsOutcome(step.Expect) {
		return ""
	}
	for _, end := range []string{Accepted, Rejected, Failed, ref.Event} {
		if !slices.Contains(step.Activity.Ends, end) {
			return ""
		}
	}
	for _, outcome := range slices.AppendSeq([]string{step.Expect}, maps.Keys(step.Otherwise)) {
		if endOf(outcome) == ref.Event {
			return ""
		}
	}
	return fmt.Sprintf("%s expects %s, and then %s never comes", ref.Step, step.Expect, ref)
}

// open reports whether the event is one of the ends of a step that expects any.
func (c *checker) open(ref Ref) bool {
	step := c.steps[ref.Step]
	return step.Expect == Any && slices.Contains(step.Ends(), ref.Event)
}

func anyOutcome(ref Ref) string {
	return fmt.Sprintf("%s expects any outcome, and %s need not come", ref.Step, ref)
}

func shown(text string) string { return document.Cut(strings.ToValidUTF8(text, "?"), 80) }
