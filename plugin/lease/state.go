// Package lease keeps two runs off one target: whoever puts faults on it holds
// a Lease of coordination.k8s.io, named emco-chaos, in every namespace that the
// target has pods in. A holder renews its leases; one that died stops, and
// what it left can be swept by whoever takes them over.
package lease

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// Name is the name of every lease.
	Name = "emco-chaos"
	// RunAnnotation has the name of the run that the holder has under way.
	RunAnnotation = "emco-chaos.io/run"
	// DefaultDuration is how long a lease lasts that is not renewed.
	DefaultDuration = 15 * time.Second
)

// State is what a lease says.
type State struct {
	Namespace string
	// Holder is who holds it, for a reader; empty when nobody does.
	Holder string
	// Run is the run that the holder has under way, if it said so.
	Run string
	// Renewed is when the holder last renewed it, by the holder's clock.
	Renewed time.Time
	// Duration is how long it lasts from then.
	Duration time.Duration

	// version changes with every renewal.
	version string
}

// Read reads the lease of a namespace. Where there is none nobody holds it.
func Read(ctx context.Context, reader client.Reader, namespace string) (State, error) {
	lease := &coordinationv1.Lease{}
	err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: Name}, lease)
	switch {
	case apierrors.IsNotFound(err):
		return State{Namespace: namespace}, nil
	case err != nil:
		return State{}, explain("read", namespace, err)
	}
	return stateOf(lease), nil
}

func stateOf(lease *coordinationv1.Lease) State {
	state := State{
		Namespace: lease.Namespace,
		Run:       printable(lease.Annotations[RunAnnotation]),
		Duration:  DefaultDuration,
		version:   lease.ResourceVersion,
	}
	if lease.Spec.HolderIdentity != nil {
		holder, _, _ := strings.Cut(*lease.Spec.HolderIdentity, nonceMark)
		state.Holder = printable(holder)
	}
	if lease.Spec.RenewTime != nil {
		state.Renewed = lease.Spec.RenewTime.Time
	}
	if seconds := lease.Spec.LeaseDurationSeconds; seconds != nil && *seconds > 0 {
		state.Duration = time.Duration(*seconds) * time.Second
	}
	return state
}

// printable is a text that anybody may have written into a lease, without what
// would do something to a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Held says whether somebody holds the lease, dead or alive.
func (s State) Held() bool { return s.Holder != "" }

// Until is when the lease expires unless it is renewed, by the holder's clock.
func (s State) Until() time.Time { return s.Renewed.Add(s.Duration) }

// String says who holds the lease, and for which run.
func (s State) String() string {
	switch {
	case !s.Held():
		return "nobody"
	case s.Run == "":
		return s.Holder
	default:
		return fmt.Sprintf("%s (run %s)", s.Holder, s.Run)
	}
}

// HeldError says that another holds a lease.
type HeldError struct {
	Namespace string
	Holder    string
	// Run is the run that the holder has under way; empty if it has not said.
	Run string
	// Until is when the lease expires unless it is renewed.
	Until time.Time
}

func (e *HeldError) Error() string {
	holder := State{Holder: e.Holder, Run: e.Run}
	return fmt.Sprintf("the target is in use: %s holds the lease %s in namespace %s until %s UTC; wait for the run to end or end it there; when it has died the lease expires by itself",
		holder, Name, e.Namespace, e.Until.UTC().Format(time.TimeOnly))
}

// explain says what was being done to a lease when the API server refused.
func explain(doing, namespace string, err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%s the lease %s in namespace %s: %w; grant that right (`emco-chaos doctor` lists all that are needed)", doing, Name, namespace, err)
	}
	return fmt.Errorf("%s the lease %s in namespace %s: %w", doing, Name, namespace, err)
}
