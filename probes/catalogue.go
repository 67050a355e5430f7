package probes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Kind is a kind of probe: what it is called, what it takes and tells, and
// how one is made.
type Kind struct {
	Name string
	// Summary says in one line what it does.
	Summary   string
	Arguments []Argument
	// Events are the names of all events that it can emit.
	Events []string
	// Lasting says that what it sent can still take effect after it was
	// cancelled.
	Lasting bool

	make func(arguments) (Probe, error)
}

// Argument is one argument of a kind of probe.
type Argument struct {
	Name     string
	Type     Type
	Required bool
	// Values are all that it can be; none if that is open.
	Values  []string
	Meaning string
}

// Type is the type of an argument.
type Type string

// The types of arguments.
const (
	// Text is a string.
	Text Type = "string"
	// Object is a map from strings.
	Object Type = "object"
)

// The events of a probe that is no call.
const (
	eventStarted = "started"
	eventPassed  = "passed"
	eventFailed  = "failed"
)

func probeEvents() []string { return []string{eventStarted, eventPassed, eventFailed} }

// Catalogue lists the kinds of probe.
func Catalogue() []Kind {
	return []Kind{
		callKind, availableKind, unavailableKind, existsKind, statusKind, notFinalKind, noStateKind,
		reachedKind, reissueKind, ensureKind, teardownKind, cleanKind,
	}
}

// New makes a probe of a kind out of its decoded arguments. Errors wrap a
// [document.Problem] if an argument is at fault.
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

// New makes a probe out of decoded arguments. Errors wrap a
// [document.Problem].
func (k Kind) New(args map[string]any) (Probe, error) {
	a := arguments{kind: k, values: args}
	err := a.check()
	var probe Probe
	if err == nil {
		probe, err = k.make(a)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.Name, err)
	}
	if slices.Equal(k.Events, probeEvents()) {
		return announced{probe}, nil
	}
	return probe, nil
}

// announced tells of a probe that it started, and passed or failed. A probe
// that found no answer has neither.
type announced struct{ probe Probe }

func (a announced) Run(ctx context.Context, on Subject, observer Observer) Result {
	observer.Event(eventStarted, time.Now(), nil)
	result := a.probe.Run(ctx, on, observer)
	switch result.Conclusion {
	case Passed:
		observer.Event(eventPassed, time.Now(), map[string]string{"message": result.Message})
	case Failed:
		observer.Event(eventFailed, time.Now(), map[string]string{"message": result.Message})
	}
	return result
}

// arguments are the decoded arguments of one probe.
type arguments struct {
	kind   Kind
	values map[string]any
}

func (a arguments) wrong(argument, problem, remedy string) error {
	return document.Problem{Field: argument, Message: problem, Remedy: remedy}
}

func (a arguments) check() error {
	var names []string
	for _, argument := range a.kind.Arguments {
		names = append(names, argument.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		if slices.Contains(names, name) {
			continue
		}
		remedy := "it takes none"
		if len(names) > 0 {
			remedy = "it takes " + strings.Join(names, ", ")
		}
		return a.wrong(document.Shown(name), "is no argument of this probe", remedy)
	}
	for _, argument := range a.kind.Arguments {
		if err := a.checkOne(argument); err != nil {
			return err
		}
	}
	return nil
}

func (a arguments) checkOne(argument Argument) error {
	remedy := "give " + argument.Meaning
	if len(argument.Values) > 0 {
		remedy = "use one of " + strings.Join(argument.Values, ", ")
	}
	value, ok := a.values[argument.Name]
	if !ok {
		if argument.Required {
			return a.wrong(argument.Name, "is missing", remedy)
		}
		return nil
	}
	switch argument.Type {
	case Object:
		if _, ok := value.(map[string]any); !ok {
			return a.wrong(argument.Name, "is no object", remedy)
		}
	case Text:
		text, ok := value.(string)
		switch {
		case !ok:
			return a.wrong(argument.Name, "is no text", remedy)
		case len(argument.Values) > 0 && !slices.Contains(argument.Values, text):
			return a.wrong(argument.Name, fmt.Sprintf("cannot be %q", document.Shown(text)), remedy)
		}
	}
	return nil
}

func (a arguments) has(name string) bool {
	_, ok := a.values[name]
	return ok
}

// text is an argument that was checked to be a text, or "".
func (a arguments) text(name string) string {
	text, _ := a.values[name].(string)
	return text
}

// object is an argument that was checked to be an object, or nil.
func (a arguments) object(name string) map[string]any {
	object, _ := a.values[name].(map[string]any)
	return object
}

func (a arguments) call(name string) (emco.Call, error) {
	call, ok := emco.CallNamed(a.text(name))
	if !ok {
		return emco.Call{}, a.wrong(name, fmt.Sprintf("%q is no call", document.Shown(a.text(name))),
			"use one of "+strings.Join(emco.CallNames(), ", "))
	}
	return call, nil
}

func serviceNames() []string {
	var names []string
	for _, s := range emco.Services() {
		names = append(names, string(s))
	}
	return names
}
