package chaosmesh

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// Options say where a driver works.
type Options struct {
	// Namespaces are those that have the pods and the objects of faults.
	// Nothing outside them is read, watched or written.
	Namespaces []string
	// ChaosMeshNamespace is where Chaos Mesh is installed, chaos-mesh if
	// empty. The driver only names it in remedies.
	ChaosMeshNamespace string
	// Tell, if not nil, gets what there is to say about the removal of an
	// object that this driver did not apply.
	Tell func(text string)
	// Limits are defaulted one by one.
	Limits Limits
}

// Limits are how long the driver waits for others. Zero is the default.
type Limits struct {
	// Answer is how long Chaos Mesh may say nothing about an object: 10 s.
	Answer time.Duration
	// Retry is how long Chaos Mesh may try again what it could not inject: 3 s.
	Retry time.Duration
	// Select is how long an object may have selected nothing: 1 s. For a
	// moment every object has.
	Select time.Duration
	// Terminate is how long a pod that is already on its way out may take
	// before a fault that would select it is put on: 10 s.
	Terminate time.Duration
	// Notice is how long a delete may hang before it is reported: 2 s. An object
	// that could not be injected is freed then.
	Notice time.Duration
	// Free is how long a delete may hang before the object is freed of its
	// finalizer: 10 s.
	Free time.Duration
	// Steady is how long pods have been ready that a run begins with: 3 s.
	Steady time.Duration
	// Settle is how long they may take to be: 90 s, as a pod of EMCO's own
	// chart can take 40 s to be ready.
	Settle time.Duration
}

func (o Options) complete() (Options, error) {
	o.Namespaces = slices.Compact(slices.Sorted(slices.Values(o.Namespaces)))
	if len(o.Namespaces) == 0 {
		return o, errors.New("no namespace is named, and faults are put on pods of the namespaces that are; the target gives namespace and labels of each service that has pods")
	}
	if slices.Contains(o.Namespaces, "") {
		return o, errors.New("a namespace has no name")
	}
	o.ChaosMeshNamespace = cmp.Or(o.ChaosMeshNamespace, "chaos-mesh")
	limits := &o.Limits
	limits.Answer = cmp.Or(limits.Answer, 10*time.Second)
	limits.Retry = cmp.Or(limits.Retry, 3*time.Second)
	limits.Select = cmp.Or(limits.Select, time.Second)
	limits.Terminate = cmp.Or(limits.Terminate, 10*time.Second)
	limits.Notice = cmp.Or(limits.Notice, 2*time.Second)
	limits.Free = cmp.Or(limits.Free, 10*time.Second)
	limits.Steady = cmp.Or(limits.Steady, 3*time.Second)
	limits.Settle = cmp.Or(limits.Settle, 90*time.Second)
	return o, nil
}
