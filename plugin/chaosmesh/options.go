package chaosmesh

import (
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
	// empty. The driver does not go there: it tells the user to.
	ChaosMeshNamespace string
	// Tell, if not nil, is told what there is to say about the removal of an
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
	// Leave is how long a pod that is already on its way out may take before
	// a fault that would select it is put on: 10 s.
	Leave time.Duration
	// Down is how long a removed kill is still watched for what it stops: 10 s.
	Down time.Duration
	// Notice is how long a delete may hang before it is told: 2 s. An object
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
	// Create is how long the API server may take to create an object: 30 s.
	Create time.Duration
}

const defaultChaosMeshNamespace = "chaos-mesh"

func (o Options) complete() (Options, error) {
	o.Namespaces = slices.Compact(slices.Sorted(slices.Values(o.Namespaces)))
	if len(o.Namespaces) == 0 {
		return o, errors.New("no namespace is named, and faults are put on pods of the namespaces that are; the target gives namespace and labels of each service that has pods")
	}
	if slices.Contains(o.Namespaces, "") {
		return o, errors.New("a namespace has no name")
	}
	if o.ChaosMeshNamespace == "" {
		o.ChaosMeshNamespace = defaultChaosMeshNamespace
	}
	for _, limit := range []struct {
		limit    *time.Duration
		fallback time.Duration
	}{
		{&o.Limits.Answer, 10 * time.Second},
		{&o.Limits.Retry, 3 * time.Second},
		{&o.Limits.Select, time.Second},
		{&o.Limits.Leave, 10 * time.Second},
		{&o.Limits.Down, 10 * time.Second},
		{&o.Limits.Notice, 2 * time.Second},
		{&o.Limits.Free, 10 * time.Second},
		{&o.Limits.Steady, 3 * time.Second},
		{&o.Limits.Settle, 90 * time.Second},
		{&o.Limits.Create, 30 * time.Second},
	} {
		if *limit.limit <= 0 {
			*limit.limit = limit.fallback
		}
	}
	return o, nil
}
