package probes

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Kind is a kind of probe: its description and what it does.
type Kind struct {
	activity.Activity
	check func(Probe) error // finds mistakes that the description does not exclude; may be nil
	run   func(context.Context, task) Result
}

// Changes reports whether probes of this kind change something in EMCO.
func (k Kind) Changes() bool { return k.Lasting || !k.Probe }

// The events of a probe that is no call.
const eventStarted, eventPassed, eventFailed = "started", string(Passed), string(Failed)

func action(name, summary string, arguments ...activity.Argument) activity.Activity {
	return activity.Activity{
		Name: name, Summary: summary, Arguments: arguments,
		Events: []string{eventStarted, eventPassed, eventFailed}, Ends: []string{eventPassed, eventFailed},
	}
}

// question describes an activity that a step can name as its probe.
func question(name, summary string, arguments ...activity.Argument) activity.Activity {
	described := action(name, summary, arguments...)
	described.Probe = true
	return described
}

func with(more func(*activity.Activity), described activity.Activity) activity.Activity {
	more(&described)
	return described
}

// following is for a probe of what a step's call has led to, which must still be so at the end.
func following(a *activity.Activity) { a.Follows, a.Recheck = true, true }

func callArgument(description string) activity.Argument {
	return activity.Argument{Name: "call", Type: activity.CallName, Required: true, Allowed: emco.CallNames(), Description: description}
}

// Catalogue lists the kinds of probe.
func Catalogue() []Kind {
	return []Kind{
		callKind, availableKind, unavailableKind, existsKind, statusKind, notFinalKind, noStateKind,
		reachedKind, edgeKind, surveyKind, agreementKind, reissueKind, ensureKind, teardownKind, cleanKind, leftoversKind,
	}
}

// New makes a probe of a kind out of its decoded arguments. A wrong one is a
// [document.Problem], whose field is its path, such as "given.dig".
func New(kind string, arguments map[string]any) (Probe, error) {
	var names []string
	for _, k := range Catalogue() {
		if k.Name == kind {
			return k.New(arguments)
		}
		names = append(names, k.Name)
	}
	return Probe{}, fmt.Errorf("%q is no probe; use one of %s", document.Shown(kind), strings.Join(names, ", "))
}

// New does what the function [New] does for this kind.
func (k Kind) New(arguments map[string]any) (Probe, error) {
	p := Probe{kind: k, arguments: arguments}
	err := p.check()
	if err == nil && k.check != nil {
		err = k.check(p)
	}
	if err != nil {
		return Probe{}, fmt.Errorf("%s: %w", k.Name, err)
	}
	return p, nil
}

// Probe is one question to EMCO, or one action on it: a kind with its arguments.
type Probe struct {
	kind      Kind
	arguments map[string]any
}

// Run asks until the answer is known or ctx ends. Its observations go to observer,
// one at a time. If ctx is cancelled while the answer is open the result is
// [Inconclusive], with the last observation. A probe that is not a call emits
// started, then passed or failed; neither if it found no answer.
func (p Probe) Run(ctx context.Context, on Subject, observer Observer) Result {
	t := task{Subject: on, Observer: observer, Probe: p}
	t.call, _ = emco.CallNamed(p.text("call"))
	if !slices.Contains(p.kind.Ends, eventPassed) {
		return p.kind.run(ctx, t)
	}
	t.Event(eventStarted, time.Now(), nil)
	result := p.kind.run(ctx, t)
	if event := string(result.Conclusion); slices.Contains(p.kind.Ends, event) {
		t.Event(event, time.Now(), map[string]string{"message": result.Message})
	}
	return result
}

func wrong(argument, problem, remedy string) error {
	return document.Problem{Field: argument, Message: problem, Remedy: remedy}
}

func (p Probe) check() error {
	names := p.kind.ArgumentNames()
	for _, name := range slices.Sorted(maps.Keys(p.arguments)) {
		if !slices.Contains(names, name) {
			return wrong(document.Shown(name), "is no argument of this probe", "it takes "+cmp.Or(strings.Join(names, ", "), "none"))
		}
	}
	for _, argument := range p.kind.Arguments {
		remedy := "give " + argument.Description
		if len(argument.Allowed) > 0 {
			remedy = "use one of " + strings.Join(argument.Allowed, ", ")
		}
		value, given := p.arguments[argument.Name]
		text, fits := value.(string)
		what := "text"
		if argument.Type == activity.Mapping {
			_, fits = value.(map[string]any)
			what = "object"
		}
		switch {
		case !given && argument.Required:
			return wrong(argument.Name, "is missing", remedy)
		case given && !fits:
			return wrong(argument.Name, "is no "+what, remedy)
		case given && len(argument.Allowed) > 0 && !slices.Contains(argument.Allowed, text):
			return wrong(argument.Name, fmt.Sprintf("cannot be %q", document.Shown(text)), remedy)
		}
	}
	return nil
}

func (p Probe) text(name string) string {
	text, _ := p.arguments[name].(string)
	return text
}

func (p Probe) given() (emco.Given, error) {
	states, _ := p.arguments["given"].(map[string]any)
	return emco.ParseGiven(states)
}

func serviceNames() (names []string) {
	for _, s := range emco.Services() {
		names = append(names, string(s))
	}
	return names
}
