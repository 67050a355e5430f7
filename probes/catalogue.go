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
	check func(arguments) error // finds mistakes that the description does not exclude; may be nil
	run   func(context.Context, task) Result
}

// Changes reports whether probes of this kind change something in EMCO.
func (k Kind) Changes() bool { return k.Lasting || !k.Probe }

// The events of a probe that is no call.
const eventStarted, eventPassed, eventFailed = "started", "passed", "failed"

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
func New(kind string, args map[string]any) (Probe, error) {
	var names []string
	for _, k := range Catalogue() {
		if k.Name == kind {
			return k.New(args)
		}
		names = append(names, k.Name)
	}
	return nil, fmt.Errorf("%q is no probe; use one of %s", document.Shown(kind), strings.Join(names, ", "))
}

// New does what the function [New] does for this kind.
func (k Kind) New(args map[string]any) (Probe, error) {
	a := arguments{kind: k, values: args}
	err := a.check()
	if err == nil && k.check != nil {
		err = k.check(a)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.Name, err)
	}
	return a, nil
}

// Run implements [Probe]. A probe that is not a call emits started, then passed
// or failed; neither if it found no answer.
func (a arguments) Run(ctx context.Context, on Subject, observer Observer) Result {
	t := task{Subject: on, Observer: observer, arguments: a}
	if !slices.Contains(a.kind.Ends, eventPassed) {
		return a.kind.run(ctx, t)
	}
	t.Event(eventStarted, time.Now(), nil)
	result := a.kind.run(ctx, t)
	if event := map[Conclusion]string{Passed: eventPassed, Failed: eventFailed}[result.Conclusion]; event != "" {
		t.Event(event, time.Now(), map[string]string{"message": result.Message})
	}
	return result
}

// arguments implements [Probe]: a kind with decoded arguments.
type arguments struct {
	kind   Kind
	values map[string]any
}

func wrong(argument, problem, remedy string) error {
	return document.Problem{Field: argument, Message: problem, Remedy: remedy}
}

func (a arguments) check() error {
	names := a.kind.ArgumentNames()
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		if slices.Contains(names, name) {
			continue
		}
		return wrong(document.Shown(name), "is no argument of this probe", "it takes "+cmp.Or(strings.Join(names, ", "), "none"))
	}
	for _, argument := range a.kind.Arguments {
		remedy := "give " + argument.Description
		if len(argument.Allowed) > 0 {
			remedy = "use one of " + strings.Join(argument.Allowed, ", ")
		}
		value, given := a.values[argument.Name]
		text, isText := value.(string)
		_, isObject := value.(map[string]any)
		object := argument.Type == activity.Mapping
		message := ""
		switch {
		case !given && argument.Required:
			message = "is missing"
		case given && object && !isObject:
			message = "is no object"
		case given && !object && !isText:
			message = "is no text"
		case given && len(argument.Allowed) > 0 && !slices.Contains(argument.Allowed, text):
			message = fmt.Sprintf("cannot be %q", document.Shown(text))
		}
		if message != "" {
			return wrong(argument.Name, message, remedy)
		}
	}
	return nil
}

func (a arguments) text(name string) string {
	text, _ := a.values[name].(string)
	return text
}

func (a arguments) call() (emco.Call, bool) { return emco.CallNamed(a.text("call")) }

func (a arguments) given() (emco.Given, error) {
	states, _ := a.values["given"].(map[string]any)
	return emco.ParseGiven(states)
}

func serviceNames() (names []string) {
	for _, s := range emco.Services() {
		names = append(names, string(s))
	}
	return names
}
