package drivertest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/engine/drivertest"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/plugin/local/localtest"
)

func TestMain(m *testing.M) {
	drivertest.Serve()
	m.Run()
}

// The checks, by short names.
const (
	kill        = "kill: moments in order and true"
	killRemoved = "kill: removed while the service is away"
	twice       = "kill: twice, one after the other"
	failure     = "failure: down until removed"
	watches     = "watch: what no fault did, and nothing else"
	holds       = "partition: holds a request and releases it"
	dead        = "partition: a killed source's request never arrives"
	free        = "partition: a replacement is free of it"
	afterDeath  = "partition: removed after its source died"
	duration    = "partition: ends by itself when its duration is over"
	delays      = "delay: delays, and no longer than it is there"
	created     = "object: created before Apply returns, removed before Remove returns"
	idempotent  = "object: removed twice, and without having been there"
	nothing     = "object: one that selects nothing is refused"
	cancelled   = "object: a cancelled Apply leaves nothing"
	left        = "object: listed while it is there"
	both        = "two faults at once"
)

// liar is a driver that lies, and the checks that must find it out.
type liar struct {
	name  string
	make  func(honest engine.Driver) engine.Driver
	fails []string
}

var liars = []liar{
	{
		"reports everything and does nothing",
		func(engine.Driver) engine.Driver { return &idle{objects: map[string]fault.Object{}} },
		[]string{kill, killRemoved, twice, failure, holds, dead, free, afterDeath, duration, nothing},
	},
	{
		"holds, and kills nothing",
		func(honest engine.Driver) engine.Driver {
			idle := &idle{objects: map[string]fault.Object{}}
			return split{pods: idle, network: honest}
		},
		[]string{kill, killRemoved, failure, dead, free, afterDeath},
	},
	{
		"kills, and holds nothing",
		func(honest engine.Driver) engine.Driver {
			idle := &idle{objects: map[string]fault.Object{}}
			return split{pods: honest, network: idle}
		},
		[]string{holds, dead, duration},
	},
	{
		"says down before it kills",
		func(honest engine.Driver) engine.Driver { return early{honest, plan.Down, 300 * time.Millisecond} },
		[]string{kill},
	},
	{
		"says ready when the service is down",
		func(honest engine.Driver) engine.Driver {
			return changed{Driver: honest, moment: func(m engine.Moment, observe func(engine.Moment)) {
				if m.Event == plan.Ready {
					return
				}
				observe(m)
				if m.Event == plan.Down {
					observe(engine.Moment{Event: plan.Ready, At: time.Now()})
				}
			}}
		},
		[]string{kill, failure, twice},
	},
	{
		"never says ready",
		func(honest engine.Driver) engine.Driver { return silent(honest, plan.Ready) },
		[]string{kill, failure, both},
	},
	{
		"never says rescheduled",
		func(honest engine.Driver) engine.Driver { return silent(honest, plan.Rescheduled) },
		[]string{kill},
	},
	{
		"does not watch",
		func(honest engine.Driver) engine.Driver { return strict{honest} },
		[]string{watches},
	},
	{
		"sees nothing",
		func(honest engine.Driver) engine.Driver { return &watching{Driver: honest, blind: true} },
		[]string{watches},
	},
	{
		"takes its own fault for somebody else's",
		func(honest engine.Driver) engine.Driver { return &watching{Driver: honest} },
		[]string{watches},
	},
	{
		"never says created",
		func(honest engine.Driver) engine.Driver { return silent(honest, plan.Created) },
		[]string{created},
	},
	{
		"says created after Apply has returned",
		func(honest engine.Driver) engine.Driver {
			return changed{Driver: honest, moment: func(m engine.Moment, observe func(engine.Moment)) {
				if m.Event == plan.Created || m.Event == plan.Injected {
					time.AfterFunc(50*time.Millisecond, func() { observe(m) })
					return
				}
				observe(m)
			}}
		},
		[]string{created},
	},
	{
		"never says removed",
		func(honest engine.Driver) engine.Driver { return silent(honest, plan.Removed) },
		[]string{killRemoved, created, idempotent},
	},
	{
		"says everything twice",
		func(honest engine.Driver) engine.Driver {
			return changed{Driver: honest, moment: func(m engine.Moment, observe func(engine.Moment)) {
				observe(m)
				observe(m)
			}}
		},
		[]string{kill, failure, created},
	},
	{
		"says when things will happen",
		func(honest engine.Driver) engine.Driver {
			return changed{Driver: honest, moment: func(m engine.Moment, observe func(engine.Moment)) {
				m.At = m.At.Add(time.Minute)
				observe(m)
			}}
		},
		[]string{kill, created},
	},
	{
		"says that the fault came before its object",
		func(honest engine.Driver) engine.Driver {
			return changed{Driver: honest, moment: func(m engine.Moment, observe func(engine.Moment)) {
				if m.Event == plan.Injected {
					m.At = m.At.Add(-time.Minute)
				}
				observe(m)
			}}
		},
		[]string{kill, created},
	},
	{
		"cuts the connection instead of holding it",
		func(honest engine.Driver) engine.Driver {
			// The back end dies: whoever waits for it sees the connection end.
			return changed{Driver: honest, apply: func(object fault.Object) fault.Object {
				if chaos, ok := object.(*v1alpha1.NetworkChaos); ok {
					failure := localtest.PodChaos(v1alpha1.PodFailureAction, localtest.BackEnd)
					failure.Name = chaos.Name
					return failure
				}
				return object
			}}
		},
		[]string{holds, duration},
	},
	{
		"lets a killed source's request go",
		func(honest engine.Driver) engine.Driver { return &leaky{Driver: honest} },
		[]string{dead, free},
	},
	{
		"holds the replacement too",
		func(honest engine.Driver) engine.Driver { return &clinging{Driver: honest} },
		[]string{free},
	},
	{
		"brings back by itself what is to stay down",
		func(honest engine.Driver) engine.Driver {
			return changed{Driver: honest, apply: func(object fault.Object) fault.Object {
				if chaos, ok := object.(*v1alpha1.PodChaos); ok {
					chaos = chaos.DeepCopy()
					chaos.Spec.Action = v1alpha1.PodKillAction
					return chaos
				}
				return object
			}}
		},
		[]string{failure},
	},
	{
		"knows no duration",
		func(honest engine.Driver) engine.Driver {
			return changed{Driver: honest, apply: func(object fault.Object) fault.Object {
				if chaos, ok := object.(*v1alpha1.NetworkChaos); ok {
					chaos = chaos.DeepCopy()
					long := time.Hour.String()
					chaos.Spec.Duration = &long
					return chaos
				}
				return object
			}}
		},
		[]string{duration},
	},
	{
		"does not say that a fault is over",
		func(honest engine.Driver) engine.Driver {
			return changed{Driver: honest, moment: func(m engine.Moment, observe func(engine.Moment)) {
				if m.Err == nil {
					observe(m)
				}
			}}
		},
		[]string{duration},
	},
	{
		"lists nothing",
		func(honest engine.Driver) engine.Driver { return blind{honest} },
		[]string{free, cancelled, left, both},
	},
	{
		"removes nothing",
		func(honest engine.Driver) engine.Driver { return keeping{honest} },
		[]string{holds, created, left},
	},
	{
		"does not remove what it does not know",
		func(honest engine.Driver) engine.Driver { return strict{honest} },
		[]string{idempotent},
	},
	{
		"does not hear that it is cancelled",
		func(honest engine.Driver) engine.Driver { return deaf{honest} },
		[]string{cancelled},
	},
	{
		"removes everything at once",
		func(honest engine.Driver) engine.Driver { return sweeping{honest} },
		[]string{both},
	},
}

func TestLiarsFail(t *testing.T) {
	byName := map[string]drivertest.Check{}
	for _, check := range drivertest.Checks() {
		byName[check.Name] = check
		if check.Name != delays && !slices.ContainsFunc(liars, func(liar liar) bool { return slices.Contains(liar.fails, check.Name) }) {
			t.Errorf("no driver fails the check %q: it may check nothing", check.Name)
		}
	}
	for _, liar := range liars {
		t.Run(liar.name, func(t *testing.T) {
			t.Parallel()
			for _, name := range liar.fails {
				check, known := byName[name]
				if !known {
					t.Fatalf("there is no check %q", name)
				}
				// Slow enough that a busy machine does not help the liar.
				system := localtest.System(t, func(description *local.Description) {
					for i := range description.Pods {
						description.Pods[i].RestartAfter = plan.Duration(300 * time.Millisecond)
					}
				})
				system.Driver = liar.make(system.Driver)
				system.Patience = 2 * time.Second
				system.Quiet = time.Second / 2
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				err := check.Run(ctx, system)
				cancel()
				if err == nil {
					t.Errorf("%s: is not found out", name)
					continue
				}
				t.Logf("%s: %v", name, err)
			}
		})
	}
}

// delayer does as if it delayed, on a system whose messages it delays itself:
// the local one cannot do that.
type delayer struct {
	engine.Driver
	by time.Duration
	// forever: it goes on when the delay is removed.
	forever bool
	on      atomic.Bool
	removed func()
}

func (d *delayer) Apply(_ context.Context, _ fault.Object, observe func(engine.Moment)) error {
	d.on.Store(true)
	observe(engine.Moment{Event: plan.Created, At: time.Now()})
	observe(engine.Moment{Event: plan.Injected, At: time.Now()})
	d.removed = func() { observe(engine.Moment{Event: plan.Removed, At: time.Now()}) }
	return nil
}

func (d *delayer) Remove(context.Context, fault.Object) error {
	d.on.Store(d.forever)
	d.removed()
	return nil
}

// TestDelayCheck has the check of delays find who does not.
func TestDelayCheck(t *testing.T) {
	checks := drivertest.Checks()
	check := checks[slices.IndexFunc(checks, func(check drivertest.Check) bool { return check.Name == delays })]
	const latency = 300 * time.Millisecond
	for _, test := range []struct {
		name   string
		driver *delayer
		want   string
	}{
		{"delays", &delayer{by: 2 * latency}, ""},
		{"delays hardly", &delayer{by: latency / 30}, "under a delay of"},
		{"delays forever", &delayer{by: 2 * latency, forever: true}, "after the delay was removed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			system := localtest.System(t, nil)
			system.Driver, system.Delay, system.Latency = test.driver, system.Partition, latency
			send := system.Send
			system.Send = func(ctx context.Context, message string) error {
				if test.driver.on.Load() {
					time.Sleep(test.driver.by)
				}
				return send(ctx, message)
			}
			switch err := check.Run(t.Context(), system); {
			case test.want == "" && err != nil, test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v", err)
			}
		})
	}
}

// idle reports everything and does nothing.
type idle struct {
	mu      sync.Mutex
	objects map[string]fault.Object
	observe map[string]func(engine.Moment)
}

func (d *idle) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.objects[object.GetName()] = object
	if d.observe == nil {
		d.observe = map[string]func(engine.Moment){}
	}
	d.observe[object.GetName()] = observe
	events := []string{plan.Created, plan.Injected}
	if _, pods := object.(*v1alpha1.PodChaos); pods {
		events = append(events, plan.Down, plan.Ready)
	}
	for _, event := range events {
		observe(engine.Moment{Event: event, At: time.Now()})
	}
	return nil
}

func (d *idle) Remove(_ context.Context, object fault.Object) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, there := d.objects[object.GetName()]; there {
		delete(d.objects, object.GetName())
		d.observe[object.GetName()](engine.Moment{Event: plan.Removed, At: time.Now()})
	}
	return nil
}

func (d *idle) Leftovers(context.Context) ([]fault.Object, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var objects []fault.Object
	for _, object := range d.objects {
		objects = append(objects, object)
	}
	return objects, nil
}

// split gives faults on pods to one driver and those on the network to
// another.
type split struct{ pods, network engine.Driver }

func (d split) of(object fault.Object) engine.Driver {
	if _, pods := object.(*v1alpha1.PodChaos); pods {
		return d.pods
	}
	return d.network
}

func (d split) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	return d.of(object).Apply(ctx, object, observe)
}

func (d split) Remove(ctx context.Context, object fault.Object) error {
	return d.of(object).Remove(ctx, object)
}

func (d split) Leftovers(ctx context.Context) ([]fault.Object, error) {
	pods, err := d.pods.Leftovers(ctx)
	network, other := d.network.Leftovers(ctx)
	return append(pods, network...), errors.Join(err, other)
}

// changed changes what goes to a driver, and what comes from it.
type changed struct {
	engine.Driver
	apply  func(fault.Object) fault.Object
	moment func(engine.Moment, func(engine.Moment))
}

func (d changed) changed(object fault.Object) fault.Object {
	if d.apply == nil {
		return object
	}
	return d.apply(object)
}

func (d changed) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	seen := observe
	if d.moment != nil {
		seen = func(m engine.Moment) { d.moment(m, observe) }
	}
	return d.Driver.Apply(ctx, d.changed(object), seen)
}

func (d changed) Remove(ctx context.Context, object fault.Object) error {
	return d.Driver.Remove(ctx, d.changed(object))
}

func silent(honest engine.Driver, event string) engine.Driver {
	return changed{Driver: honest, moment: func(m engine.Moment, observe func(engine.Moment)) {
		if m.Event != event {
			observe(m)
		}
	}}
}

// watching watches wrongly: it sees nothing, or what its own faults do too.
type watching struct {
	engine.Driver
	blind bool
	mu    sync.Mutex
	tell  func(engine.Disturbance)
}

func (d *watching) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	return d.Driver.Apply(ctx, object, func(m engine.Moment) {
		d.mu.Lock()
		if m.Event == plan.Down && d.tell != nil {
			d.tell(engine.Disturbance{Service: localtest.Service, At: m.At, Text: "it has gone"})
		}
		d.mu.Unlock()
		observe(m)
	})
}

func (d *watching) Watch(ctx context.Context, observe func(engine.Disturbance)) error {
	if d.blind {
		<-ctx.Done()
		return ctx.Err()
	}
	d.mu.Lock()
	d.tell = observe
	d.mu.Unlock()
	return d.Driver.(engine.Watcher).Watch(ctx, observe)
}

// early says what will happen, and does it later.
type early struct {
	engine.Driver
	until string
	by    time.Duration
}

func (d early) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	said := []string{plan.Created, plan.Injected, plan.Down}
	for _, event := range said {
		observe(engine.Moment{Event: event, At: time.Now()})
	}
	time.AfterFunc(d.by, func() {
		_ = d.Driver.Apply(context.WithoutCancel(ctx), object, func(m engine.Moment) {
			if !slices.Contains(said, m.Event) {
				observe(m)
			}
		})
	})
	return nil
}

// leaky ends all partitions before it kills.
type leaky struct {
	engine.Driver
	mu         sync.Mutex
	partitions []fault.Object
}

func (d *leaky) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, network := object.(*v1alpha1.NetworkChaos); network {
		d.partitions = append(d.partitions, object)
		return d.Driver.Apply(ctx, object, observe)
	}
	for _, partition := range d.partitions {
		if err := d.Driver.Remove(ctx, partition); err != nil {
			return err
		}
	}
	// What was let go needs a moment to arrive.
	time.Sleep(time.Second / 2)
	return d.Driver.Apply(ctx, object, observe)
}

// clinging puts partitions on again when their source is replaced.
type clinging struct {
	engine.Driver
	mu        sync.Mutex
	partition fault.Object
}

func (d *clinging) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, network := object.(*v1alpha1.NetworkChaos); network {
		d.partition = object
		return d.Driver.Apply(ctx, object, observe)
	}
	return d.Driver.Apply(ctx, object, func(m engine.Moment) {
		if m.Event != plan.Ready {
			observe(m)
			return
		}
		go func() {
			again := d.partition.DeepCopyObject().(fault.Object)
			again.SetName(again.GetName() + "-again")
			_ = d.Driver.Apply(context.WithoutCancel(ctx), again, func(engine.Moment) {})
			observe(m)
		}()
	})
}

// blind lists nothing.
type blind struct{ engine.Driver }

func (blind) Leftovers(context.Context) ([]fault.Object, error) { return nil, nil }

// keeping removes nothing.
type keeping struct{ engine.Driver }

func (keeping) Remove(context.Context, fault.Object) error { return nil }

// strict makes it an error to remove what is not there.
type strict struct{ engine.Driver }

func (d strict) Remove(ctx context.Context, object fault.Object) error {
	objects, err := d.Leftovers(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(objects, func(other fault.Object) bool { return other.GetName() == object.GetName() }) {
		return errors.New("not found")
	}
	return d.Driver.Remove(ctx, object)
}

// deaf does not hear that it is cancelled.
type deaf struct{ engine.Driver }

func (d deaf) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	return d.Driver.Apply(context.WithoutCancel(ctx), object, observe)
}

// sweeping removes everything at once.
type sweeping struct{ engine.Driver }

func (d sweeping) Remove(ctx context.Context, object fault.Object) error {
	objects, err := d.Leftovers(ctx)
	if err != nil {
		return err
	}
	for _, other := range append(objects, object) {
		if err := d.Driver.Remove(ctx, other); err != nil {
			return err
		}
	}
	return nil
}
