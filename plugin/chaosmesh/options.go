package chaosmesh

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// Namespace is where Chaos Mesh's own instructions install it. The driver only
// names it in remedies.
const Namespace = "chaos-mesh"

// Options say where a driver works.
type Options struct {
	// Namespaces are those that have the pods and the objects of faults.
	// Nothing outside them is read, watched or written.
	Namespaces []string
	// Tell, if not nil, gets what there is to say about the removal of an
	// object that this driver did not apply.
	Tell func(text string)
	// Limits, unless set, are [DefaultLimits].
	Limits Limits
}

// Limits are how long the driver waits for others.
type Limits struct {
	Answer    time.Duration // while Chaos Mesh says nothing about an object
	Retry     time.Duration // while it tries again what it could not inject
	Select    time.Duration // while an object has selected nothing, as every one has for a moment
	Terminate time.Duration // for a pod that a fault would select and that is on its way out
	Notice    time.Duration // before a delete that hangs is reported, and what could not be injected is freed
	Free      time.Duration // before an object whose delete hangs is freed of its finalizer
	Steady    time.Duration // that pods have been ready that a run begins with
	Settle    time.Duration // for them to be: a pod of EMCO's own chart can take 40 s to be ready
}

// DefaultLimits are those of a real cluster.
func DefaultLimits() Limits {
	return Limits{
		Answer: 10 * time.Second, Retry: 3 * time.Second, Select: time.Second, Terminate: 10 * time.Second,
		Notice: 2 * time.Second, Free: 10 * time.Second, Steady: 3 * time.Second, Settle: 90 * time.Second,
	}
}

func (o Options) complete() (Options, error) {
	o.Namespaces = distinct(o.Namespaces)
	if len(o.Namespaces) == 0 {
		return o, errors.New("no namespace is named, and faults are put on pods of the namespaces that are; the target gives namespace and labels of each service that has pods")
	}
	if slices.Contains(o.Namespaces, "") {
		return o, errors.New("a namespace has no name")
	}
	o.Limits = cmp.Or(o.Limits, DefaultLimits())
	return o, nil
}
