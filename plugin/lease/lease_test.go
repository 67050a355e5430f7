package lease_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

var errUnreachable error = &url.Error{Op: "Put", URL: "https://10.96.0.1:443", Err: syscall.ECONNREFUSED}

// cluster is an API server whose leases can be put out of reach.
type cluster struct {
	client.WithWatch
	unreachable atomic.Bool
	// swallow makes the next update take effect without an answer.
	swallow atomic.Bool
}

func newCluster() *cluster {
	c := &cluster{}
	c.WithWatch = fake.NewClientBuilder().WithScheme(scheme.Scheme).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, server client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if c.unreachable.Load() {
				return errUnreachable
			}
			return server.Get(ctx, key, object, options...)
		},
		Update: func(ctx context.Context, server client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			if c.unreachable.Load() {
				return errUnreachable
			}
			if c.swallow.CompareAndSwap(true, false) {
				if err := server.Update(ctx, object.DeepCopyObject().(client.Object), options...); err != nil {
					return err
				}
				return errUnreachable
			}
			return server.Update(ctx, object, options...)
		},
	}).Build()
	return c
}

func take(t *testing.T, c client.Client, holder string, namespaces ...string) *lease.Held {
	t.Helper()
	held, err := lease.Take(t.Context(), c, lease.Options{Holder: holder, Namespaces: namespaces})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func release(t *testing.T, held *lease.Held) {
	t.Helper()
	if err := held.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c client.Client, namespace string) lease.State {
	t.Helper()
	state, err := lease.Read(t.Context(), c, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// abandon makes the lease of a holder that died: nothing renews it.
func abandon(t *testing.T, c client.Client, holder, run, namespace string, renewed time.Time) {
	t.Helper()
	held := take(t, c, holder, namespace)
	if err := held.Note(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	object := &coordinationv1.Lease{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: lease.Name}, object); err != nil {
		t.Fatal(err)
	}
	release(t, held)
	object.ResourceVersion = ""
	object.Spec.RenewTime.Time = renewed
	if err := c.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func TestTakeAndRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		held := take(t, c, "alice_laptop", "shop", "data", "shop")
		if err := held.Note(t.Context(), "r1"); err != nil {
			t.Fatal(err)
		}
		for _, namespace := range []string{"data", "shop"} {
			state := read(t, c, namespace)
			if state.Holder != "alice-laptop" || state.Run != "r1" || state.Duration != lease.Duration {
				t.Errorf("lease in %s: %+v", namespace, state)
			}
		}
		if dead, took := held.Took(); took {
			t.Errorf("took it over from %v", dead)
		}
		// Long after its first duration it is still held.
		time.Sleep(time.Minute)
		state := read(t, c, "shop")
		if !time.Now().Before(state.Until()) {
			t.Errorf("not renewed since %v", time.Since(state.Renewed))
		}
		if state.Run != "r1" {
			t.Errorf("the run is %q after renewals", state.Run)
		}
		release(t, held)
		release(t, held)
		for _, namespace := range []string{"data", "shop"} {
			if state := read(t, c, namespace); state.Held() {
				t.Errorf("lease in %s still held by %v", namespace, state)
			}
		}
	})
}

func TestHeldByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		alice := take(t, c, "alice", "shop")
		defer release(t, alice)
		if err := alice.Note(t.Context(), "r1"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := lease.Take(t.Context(), c, lease.Options{Holder: "bob", Namespaces: []string{"data", "shop"}})
		held, ok := errors.AsType[*lease.HeldError](err)
		if !ok {
			t.Fatalf("the error is %v", err)
		}
		if held.Holder != "alice" || held.Run != "r1" || held.Namespace != "shop" || !held.Until().Equal(began.Add(lease.Duration)) {
			t.Errorf("held: %+v", held)
		}
		for _, word := range []string{"alice", "run r1", "namespace shop", held.Until().UTC().Format(time.TimeOnly), "wait"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q does not say %q", err, word)
			}
		}
		if time.Since(began) > 0 {
			t.Error("it waited for a live holder")
		}
		// All or none.
		if state := read(t, c, "data"); state.Held() {
			t.Errorf("data is held by %v", state)
		}
	})
}

func TestTakeOverFromTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		abandon(t, c, "alice", "r1", "shop", time.Now())
		time.Sleep(lease.Duration + time.Second)
		began := time.Now()
		bob := take(t, c, "bob", "data", "shop")
		defer release(t, bob)
		if waited := time.Since(began); waited != lease.Duration/2 {
			t.Errorf("took it over after %v", waited)
		}
		dead, took := bob.Took()
		if !took || dead.Holder != "alice" || dead.Run != "r1" || dead.Namespace != "shop" {
			t.Errorf("took over from %+v, %v", dead, took)
		}
		if state := read(t, c, "shop"); state.Holder != "bob" || state.Run != "" {
			t.Errorf("the lease says %v", state)
		}
	})
}

// The holder's clock is an hour behind, and it is alive.
func TestSlowClockIsNoDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		abandon(t, c, "alice", "r1", "shop", time.Now().Add(-time.Hour))
		renewed := time.AfterFunc(5*time.Second, func() {
			object := &coordinationv1.Lease{}
			if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: lease.Name}, object); err != nil {
				t.Error(err)
			}
			object.Spec.RenewTime.Time = object.Spec.RenewTime.Add(5 * time.Second)
			if err := c.Update(t.Context(), object); err != nil {
				t.Error(err)
			}
		})
		defer renewed.Stop()
		_, err := lease.Take(t.Context(), c, lease.Options{Holder: "bob", Namespaces: []string{"shop"}})
		if held, ok := errors.AsType[*lease.HeldError](err); !ok || held.Holder != "alice" || !held.Until().After(time.Now()) {
			t.Errorf("the error is %v", err)
		}
	})
}

// The dead holder's clock was an hour ahead: only who has watched its lease
// knows.
func TestObserverKnowsTheDeadByItsOwnClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		abandon(t, c, "alice", "r1", "shop", time.Now().Add(time.Hour))
		var observer lease.Observer
		dies := observer.See(read(t, c, "shop"))
		if want := time.Now().Add(lease.Duration); !dies.Equal(want) {
			t.Errorf("dies at %v, not at %v", dies, want)
		}
		options := lease.Options{Holder: "bob", Namespaces: []string{"shop"}, Observer: &observer}
		if _, err := lease.Take(t.Context(), c, options); !errors.As(err, new(*lease.HeldError)) {
			t.Fatalf("the error is %v", err)
		}
		time.Sleep(time.Until(dies) - time.Second)
		if _, err := lease.Take(t.Context(), c, options); !errors.As(err, new(*lease.HeldError)) {
			t.Fatalf("before its time the error is %v", err)
		}
		time.Sleep(time.Until(dies))
		if again := observer.See(read(t, c, "shop")); !again.Equal(dies) {
			t.Errorf("the same lease dies at %v now", again)
		}
		held, err := lease.Take(t.Context(), c, options)
		if err != nil {
			t.Fatal(err)
		}
		defer release(t, held)
		if _, took := held.Took(); !took {
			t.Error("nothing was taken over")
		}
		// A new holder's lease is another one.
		if dies := observer.See(read(t, c, "shop")); !dies.Equal(time.Now().Add(lease.Duration)) {
			t.Errorf("a fresh lease dies at %v", dies)
		}
	})
}

func TestLost(t *testing.T) {
	for name, test := range map[string]struct {
		happen func(*testing.T, *cluster)
		after  time.Duration
		words  string
	}{
		"deleted": {
			happen: func(t *testing.T, c *cluster) {
				if err := c.Delete(t.Context(), object(t, c)); err != nil {
					t.Error(err)
				}
			},
			after: time.Second,
			words: "somebody deleted the lease emco-chaos in namespace shop",
		},
		"taken over": {
			happen: func(t *testing.T, c *cluster) {
				changed, thief := object(t, c), "mallory"
				changed.Spec.HolderIdentity = &thief
				if err := c.Update(t.Context(), changed); err != nil {
					t.Error(err)
				}
			},
			after: time.Second,
			words: "mallory took the lease",
		},
		"out of reach": {
			happen: func(_ *testing.T, c *cluster) { c.unreachable.Store(true) },
			after:  14 * time.Second,
			words:  "not renewed for 15s: renew the lease emco-chaos in namespace shop: Put \"https://10.96.0.1:443\": connection refused",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				held := take(t, c, "alice", "shop")
				defer release(t, held)
				guarded, stop := held.Guard(t.Context())
				defer stop()
				// It is between two renewals.
				time.Sleep(time.Second)
				began := time.Now()
				test.happen(t, c)
				<-guarded.Done()
				if after := time.Since(began); after != test.after {
					t.Errorf("lost after %v, not %v", after, test.after)
				}
				if why := context.Cause(guarded).Error(); !strings.HasPrefix(why, "the target is not ours alone any more: ") || !strings.Contains(why, test.words) {
					t.Errorf("what it guards ends because %v", why)
				}
				c.unreachable.Store(false)
			})
		})
	}
}

func TestGuardEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := take(t, newCluster(), "alice", "shop")
		defer release(t, held)
		ctx, cancel := context.WithCancel(t.Context())
		inner, stopInner := held.Guard(ctx)
		cancel()
		<-inner.Done()
		stopInner()
		stopped, stop := held.Guard(t.Context())
		stop()
		if !errors.Is(context.Cause(stopped), context.Canceled) {
			t.Errorf("it ends because %v", context.Cause(stopped))
		}
	})
}

// Whoever may write a lease writes to the terminal of whoever finds it held.
func TestNamesAreHarmless(t *testing.T) {
	c := newCluster()
	held := take(t, c, "mallory\x1b[2J", "shop")
	defer release(t, held)
	if err := held.Note(t.Context(), "r\r\none"); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, c, "shop").String(), "mallory [2J (run r one)"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

func object(t *testing.T, c client.Client) *coordinationv1.Lease {
	t.Helper()
	found := &coordinationv1.Lease{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: lease.Name}, found); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestNoteOutlastsAShortOutage(t *testing.T) {
	for name, test := range map[string]struct {
		away time.Duration
		says string
	}{
		"3s":           {3 * time.Second, ""},
		"for too long": {time.Minute, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				held := take(t, c, "alice", "shop")
				defer release(t, held)
				c.unreachable.Store(true)
				defer c.unreachable.Store(false)
				timer := time.AfterFunc(test.away, func() { c.unreachable.Store(false) })
				defer timer.Stop()
				err := held.Note(t.Context(), "rone")
				if test.says == "" && (err != nil || read(t, c, "shop").Run != "rone") {
					t.Errorf("it is not noted: %v", err)
				}
				if test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
					t.Errorf("the error is %v", err)
				}
			})
		})
	}
}

func TestShortOutageIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		held := take(t, c, "alice", "shop")
		guarded, stop := held.Guard(t.Context())
		defer stop()
		holders := *object(t, c).Spec.LeaseTransitions
		// It goes just before a renewal.
		time.Sleep(1900 * time.Millisecond)
		c.unreachable.Store(true)
		time.Sleep(12 * time.Second)
		c.unreachable.Store(false)
		time.Sleep(time.Minute)
		// An update that took effect although its answer was lost.
		c.swallow.Store(true)
		time.Sleep(time.Minute)
		if guarded.Err() != nil {
			t.Errorf("lost: %v", context.Cause(guarded))
		}
		if counted := *object(t, c).Spec.LeaseTransitions; counted != holders {
			t.Errorf("the lease counts %d changes of its holder after the outages, and %d before", counted, holders)
		}
		release(t, held)
	})
}

func TestReleaseLeavesAnothersLeaseAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		held := take(t, c, "alice", "shop")
		// It is between two renewals.
		time.Sleep(time.Second)
		changed, thief := object(t, c), "mallory"
		changed.Spec.HolderIdentity = &thief
		if err := c.Update(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		release(t, held)
		if state := read(t, c, "shop"); state.Holder != "mallory" {
			t.Errorf("held by %v", state)
		}
	})
}

func TestOnlyOneOfManyTakesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		abandon(t, c, "dead", "r0", "shop", time.Now().Add(-time.Hour))
		var taken []*lease.Held
		results := make(chan *lease.Held)
		for _, name := range []string{"a", "b", "c", "d"} {
			go func() {
				held, err := lease.Take(t.Context(), c, lease.Options{Holder: name, Namespaces: []string{"data", "shop"}})
				if err != nil && !errors.As(err, new(*lease.HeldError)) {
					t.Error(err)
				}
				results <- held
			}()
		}
		for range 4 {
			if held := <-results; held != nil {
				taken = append(taken, held)
			}
		}
		if len(taken) != 1 {
			t.Errorf("%d hold it", len(taken))
		}
		for _, held := range taken {
			release(t, held)
		}
	})
}

func TestMistakes(t *testing.T) {
	c := newCluster()
	if _, err := lease.Take(t.Context(), c, lease.Options{Holder: "a"}); err == nil || !strings.Contains(err.Error(), "give services labels") {
		t.Errorf("no namespaces: %v", err)
	}
	if _, err := lease.Take(t.Context(), c, lease.Options{Namespaces: []string{"shop"}}); err == nil {
		t.Error("no holder was no error")
	}
	forbidding := interceptor.NewClient(c, interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
			return apierrors.NewForbidden(schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}, lease.Name, errors.New("no"))
		},
	})
	_, err := lease.Take(t.Context(), forbidding, lease.Options{Holder: "a", Namespaces: []string{"shop"}})
	if err == nil || !strings.Contains(err.Error(), "emco-chaos doctor") {
		t.Errorf("forbidden: %v", err)
	}
}

// An API server that takes requests and never answers does not keep the holder
// from knowing in time: whoever watches the lease takes it over after its
// duration.
func TestLostInTimeWhenNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := atomic.Bool{}
		c := interceptor.NewClient(newCluster(), interceptor.Funcs{
			Create: func(ctx context.Context, server client.WithWatch, object client.Object, options ...client.CreateOption) error {
				// The second lease of two is long in coming.
				if object.GetNamespace() == "shop" {
					time.Sleep(4 * time.Second)
				}
				return server.Create(ctx, object, options...)
			},
			Update: func(ctx context.Context, server client.WithWatch, object client.Object, options ...client.UpdateOption) error {
				if silent.Load() {
					<-ctx.Done()
					return ctx.Err()
				}
				return server.Update(ctx, object, options...)
			},
		})
		held := take(t, c, "alice", "data", "shop")
		defer release(t, held)
		silent.Store(true)
		until := read(t, c, "data").Until()
		guarded, stop := held.Guard(t.Context())
		defer stop()
		<-guarded.Done()
		if late := time.Since(until); late > 0 {
			t.Errorf("it was lost %v after it had expired", late)
		}
		silent.Store(false)
	})
}
