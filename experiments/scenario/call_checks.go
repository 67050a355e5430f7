package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// checkCalls checks what depends on a call: the given state that it is
// made in, and the waits for what it leads to.
func (c *compiler) checkCalls(result *plan.Plan) {
	var made []string // be it by a probe that repeats them
	for _, step := range result.Steps {
		if name := c.callOf(step); name != "" && step.Activity.Lasting && !slices.Contains(made, name) {
			made = append(made, name)
		}
	}
	ensure, _ := c.catalogue.activity(c.catalogue.Given)
	fits := c.catalogue.Fits
	for _, step := range result.Steps {
		name := c.callOf(step)
		if name == "" {
			continue
		}
		if fits != nil && result.Given.Activity != nil && c.first(result, step) && !strings.HasPrefix(step.Expect, plan.Rejected) {
			if err := fits(result.Given.Activity.Arguments, name); err != nil {
				c.wrongArgument(givenField, ensure, err)
			}
		}
		what, _ := c.catalogue.activity(step.Activity.Name)
		if what.Follows && len(c.unread) == 0 && !slices.Contains(made, name) {
			c.file.Add(document.Problem{
				Field:   c.place(document.Join("steps", step.Name)) + ".probe",
				Message: fmt.Sprintf("waits for what %s leads to, and no step makes that call", name),
				Remedy:  document.Instead(name, made),
			})
		}
	}
}

// callOf is the call that a step names; empty when it names none.
func (c *compiler) callOf(step plan.Step) string {
	if step.Activity == nil {
		return ""
	}
	what, _ := c.catalogue.activity(step.Activity.Name)
	argument, _ := what.First(activity.CallName)
	name, _ := step.Activity.Arguments[argument.Name].(string)
	return name
}

// first reports whether the step is a call that meets the given: none is before it.
func (c *compiler) first(result *plan.Plan, step plan.Step) bool {
	if step.Activity.Name != c.catalogue.Call {
		return false
	}
	seen := map[string]bool{step.Name: true}
	for waiting := slices.Concat(step.After, step.AfterAny); len(waiting) > 0; waiting = waiting[1:] {
		name := waiting[0].Step
		before, _ := result.Find(name)
		switch {
		case seen[name]:
			continue
		case c.callOf(before) != "" && before.Activity.Lasting:
			return false
		}
		seen[name] = true
		waiting = slices.Concat(waiting, before.After, before.AfterAny)
	}
	return true
}
