package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// nonceMark separates the holder's name from what tells it from its former
// selves.
const nonceMark = "_"

// Options say what is taken, and by whom.
type Options struct {
	// Namespaces are those that the target has pods in.
	Namespaces []string
	// Holder says who takes the leases, for a reader: a pod, or a user and a
	// machine.
	Holder string
	// Duration is how long a lease lasts that is not renewed, in whole
	// seconds; 0 is [DefaultDuration].
	Duration time.Duration
	// Observer knows leases that have not been renewed for their duration;
	// those are taken over at once. Without it, or when it has not watched
	// long enough, one that has expired by this machine's clock is watched for
	// half its duration first: the clock may be wrong.
	Observer *Observer
}

// Take takes the leases of all namespaces, or none: a [*HeldError] says that
// another holds one. Those of a dead holder are taken over, and [Held.Took]
// says so. Take returns with the leases being renewed until [Held.Release].
func Take(ctx context.Context, cluster client.Client, options Options) (*Held, error) {
	options, err := options.check()
	if err != nil {
		return nil, err
	}
	states, err := survey(ctx, cluster, options)
	if err != nil {
		return nil, err
	}
	held := newHeld(cluster, options)
	for _, state := range states {
		if err := held.take(ctx, state); err != nil {
			back, cancel := context.WithTimeout(context.WithoutCancel(ctx), options.Duration)
			defer cancel()
			return nil, errors.Join(err, held.Release(back))
		}
	}
	held.renewing.Go(held.keep)
	return held, nil
}

func (o Options) check() (Options, error) {
	o.Namespaces = slices.Sorted(slices.Values(o.Namespaces))
	o.Namespaces = slices.Compact(o.Namespaces)
	if len(o.Namespaces) == 0 {
		return o, errors.New("take the lease: no service of the target has pods; give services labels and a namespace in the target file")
	}
	if o.Duration == 0 {
		o.Duration = DefaultDuration
	}
	o.Duration = max(o.Duration.Truncate(time.Second), time.Second)
	o.Holder = strings.ReplaceAll(o.Holder, nonceMark, "-")
	if o.Holder == "" {
		return o, errors.New("take the lease: it has no holder's name")
	}
	return o, nil
}

// survey reads all leases, and returns when each is free or its holder dead.
func survey(ctx context.Context, cluster client.Client, options Options) ([]State, error) {
	var states []State
	var doubt time.Duration
	for _, namespace := range options.Namespaces {
		state, err := Read(ctx, cluster, namespace)
		switch {
		case err != nil:
			return nil, err
		case !state.Held() || options.Observer.expired(state):
		case time.Now().Before(state.Until()):
			return nil, heldBy(state, state.Until())
		default:
			doubt = max(doubt, state.Duration/2)
		}
		states = append(states, state)
	}
	if doubt == 0 {
		return states, nil
	}
	timer := time.NewTimer(doubt)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, fmt.Errorf("see whether the holder of an expired lease is dead: %w", context.Cause(ctx))
	}
	return states, nil
}

func heldBy(state State, until time.Time) error {
	return &HeldError{Namespace: state.Namespace, Holder: state.Holder, Run: state.Run, Until: until}
}

// take takes one lease if it is still as the survey saw it.
func (h *Held) take(ctx context.Context, seen State) error {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: seen.Namespace, Name: Name}}
	if seen.version == "" {
		h.claim(lease)
		err := h.cluster.Create(ctx, lease)
		switch {
		case apierrors.IsAlreadyExists(err):
			return h.beaten(ctx, seen.Namespace)
		case err != nil:
			return explain("create", seen.Namespace, err)
		}
		h.leases = append(h.leases, lease)
		return nil
	}
	err := h.cluster.Get(ctx, client.ObjectKeyFromObject(lease), lease)
	switch {
	case apierrors.IsNotFound(err):
		return h.take(ctx, State{Namespace: seen.Namespace})
	case err != nil:
		return explain("read", seen.Namespace, err)
	}
	if lease.ResourceVersion != seen.version {
		return h.beaten(ctx, seen.Namespace)
	}
	h.claim(lease)
	err = h.cluster.Update(ctx, lease)
	switch {
	case apierrors.IsConflict(err) || apierrors.IsNotFound(err):
		return h.beaten(ctx, seen.Namespace)
	case err != nil:
		return explain("take over", seen.Namespace, err)
	}
	h.leases = append(h.leases, lease)
	if seen.Held() && (h.took == nil || h.took.Run == "") {
		h.took = &seen
	}
	return nil
}

// beaten says who changed a lease while it was being taken: it is alive.
func (h *Held) beaten(ctx context.Context, namespace string) error {
	state, err := Read(ctx, h.cluster, namespace)
	if err != nil {
		return err
	}
	if !state.Held() {
		state.Holder = "another that has just ended"
	}
	return heldBy(state, time.Now().Add(state.Duration))
}

// claim writes this holder into a lease.
func (h *Held) claim(lease *coordinationv1.Lease) {
	now := metav1.NowMicro()
	seconds := int32(h.duration / time.Second)
	transitions := int32(0)
	if lease.Spec.LeaseTransitions != nil {
		transitions = *lease.Spec.LeaseTransitions + 1
	}
	delete(lease.Annotations, RunAnnotation)
	lease.Spec = coordinationv1.LeaseSpec{
		HolderIdentity:       &h.identity,
		LeaseDurationSeconds: &seconds,
		AcquireTime:          &now,
		RenewTime:            &now,
		LeaseTransitions:     &transitions,
	}
}

func newIdentity(holder string) string { return holder + nonceMark + rand.Text()[:10] }
