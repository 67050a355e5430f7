// Package lease keeps two runs off one target: a process that puts faults on it
// holds its Lease of coordination.k8s.io. A holder renews it; one that died
// stops, and the process that takes the Lease over sweeps what it left.
//
// A target with pods in several namespaces has the Lease in each of them, held
// as one: another target file may name some of these namespaces only, and its
// sweep must not take a live run's faults there for a dead one's.
package lease

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

const (
	// Name is the name of every target's Lease.
	Name = "emco-chaos"
	// Leader is the name of the Lease by which one of a namespace's controllers is chosen.
	Leader = "emco-chaos-controller"
	// RunAnnotation has the name of the run that the holder has under way.
	RunAnnotation = "emco-chaos.io/run"
	// Duration is how long a Lease lasts that is not renewed.
	Duration = 15 * time.Second
)

// State is the content of a Lease.
type State struct {
	Namespace string
	Holder    string // who holds it, for a reader; empty when nobody does
	Run       string // the run that the holder has under way; empty if it has not said
	// Renewed is when the holder last renewed it, by the holder's clock, and
	// Duration how long it lasts from then.
	Renewed  time.Time
	Duration time.Duration
	version  string // changes with every renewal
}

// Read reads the Lease in a namespace. Where there is none nobody holds it.
func Read(ctx context.Context, reader client.Reader, namespace string) (State, error) {
	lease, err := get(ctx, reader, namespace)
	if client.IgnoreNotFound(err) != nil {
		return State{}, explain("read", namespace, err)
	}
	return stateOf(lease), nil
}

// get reads the Lease in a namespace. One that is not there has no holder.
func get(ctx context.Context, reader client.Reader, namespace string) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: Name}}
	return lease, reader.Get(ctx, client.ObjectKeyFromObject(lease), lease)
}

func holderOf(lease *coordinationv1.Lease) string { return ptr.Deref(lease.Spec.HolderIdentity, "") }

func stateOf(lease *coordinationv1.Lease) State {
	holder, _, _ := strings.Cut(holderOf(lease), nonceMark)
	state := State{
		Namespace: lease.Namespace,
		// Anybody may have written them.
		Holder:   document.Shown(holder),
		Run:      document.Shown(lease.Annotations[RunAnnotation]),
		Duration: time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 0)) * time.Second,
		Renewed:  ptr.Deref(lease.Spec.RenewTime, metav1.MicroTime{}).Time,
		version:  lease.ResourceVersion,
	}
	if state.Duration <= 0 {
		state.Duration = Duration
	}
	return state
}

// Held reports whether somebody holds the Lease, dead or alive.
func (s State) Held() bool { return s.Holder != "" }

// Until is when the Lease expires unless it is renewed, by the holder's clock.
func (s State) Until() time.Time { return s.Renewed.Add(s.Duration) }

// String names the holder and its run.
func (s State) String() string {
	if s.Run == "" {
		return s.Holder
	}
	return fmt.Sprintf("%s (run %s)", s.Holder, s.Run)
}

// HeldError is the refusal of a target that another holds.
type HeldError struct{ State }

func (e *HeldError) Error() string {
	return fmt.Sprintf("the target is in use: %s holds the lease %s in namespace %s until %s UTC; wait for the run to end or end it there; when it has died the lease expires by itself",
		e.State, Name, e.Namespace, e.Until().UTC().Format(time.TimeOnly))
}

// explain says what was being done to a Lease when the API server refused.
func explain(doing, namespace string, err error) error {
	if err == nil {
		return nil
	}
	if apierrors.IsForbidden(err) {
		err = fmt.Errorf("%w; grant that right (`emco-chaos doctor` lists all that are needed)", err)
	}
	return fmt.Errorf("%s the lease %s in namespace %s: %w", doing, Name, namespace, err)
}

// Transient reports whether a request to the API server that ended with this
// error is worth repeating: the server could not be reached, or had trouble of
// its own. One that restarts is away for some seconds.
func Transient(err error) bool {
	if errors.As(err, new(*url.Error)) {
		return true
	}
	answer, is := errors.AsType[*apierrors.StatusError](err)
	return is && (answer.ErrStatus.Code == http.StatusTooManyRequests || answer.ErrStatus.Code >= http.StatusInternalServerError)
}

// Observer remembers since when Leases have not changed. That tells a dead
// holder from a live one whatever the clocks of the two machines say. Its
// methods may be called from any goroutine.
type Observer struct {
	mu   sync.Mutex
	seen map[string]observation
}

type observation struct {
	version string
	since   time.Time
}

// See takes note of a Lease, and returns from when on its holder is dead unless it is renewed.
func (o *Observer) See(state State) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	last := o.seen[state.Namespace]
	if last.version != state.version {
		if o.seen == nil {
			o.seen = map[string]observation{}
		}
		last = observation{state.version, time.Now()}
		o.seen[state.Namespace] = last
	}
	return last.since.Add(state.Duration)
}
