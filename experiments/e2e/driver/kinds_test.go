package driver_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// injectLimit is how long Chaos Mesh may say neither that a fault is on nor
// that it cannot be.
const injectLimit = 30 * time.Second

// lacking is why the cluster that `make cluster-up` brings up cannot inject the
// faults of a kind. Of NetworkChaos it can partition.
var lacking = map[string]string{
	"NetworkChaos": "the kernel needs the queueing disciplines prio and netem (CONFIG_NET_SCH_PRIO, CONFIG_NET_SCH_NETEM)",
	"DNSChaos":     "Chaos Mesh's chart needs its DNS server, and the pod's image a shell with cp and sed, which chaos-daemon runs there",
	"IOChaos":      "the image of chaos-daemon needs the program toda",
	"HTTPChaos":    "the image of chaos-daemon needs the program tproxy",
}

// here is what an example of a kind must name to be of use to a pair's pods.
func (p *pair) here() map[string]any {
	return map[string]any{
		"container": p.service, "port": int64(port), "path": "/*", "method": "GET", "code": int64(200),
		"volume": dataFolder, "clocks": []any{"CLOCK_REALTIME"}, "patterns": []any{"nowhere.example"},
		// The machine is small, and runs the other tests meanwhile.
		"workers": int64(1), "load": int64(10), "size": "16MB",
	}
}

// example is a fault of the kind on the pair's service, with a name of its own.
func (p *pair) example(t *testing.T, kind fault.Kind, action string) fault.Object {
	t.Helper()
	short := kind.Example(action, p.service, p.backEnd)
	for key, value := range p.here() {
		if _, has := short[key]; has {
			short[key] = value
		}
	}
	if kind.Name == "IOChaos" {
		short["path"] = dataFolder + "/*"
	}
	source := p.selector(p.service)
	spec := map[string]any{"selector": source.Selector, "mode": source.Mode}
	if kind.Between {
		maps.Copy(spec, map[string]any{"target": p.selector(p.backEnd), "direction": "both"})
	}
	described, err := kind.Read(short, fault.Ends{Service: p.service, Namespace: p.namespace, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	object, err := fault.Decode(described.Object)
	if err != nil {
		t.Fatal(err)
	}
	fault.Stamp(object, "driver-test", 1, "kinds", fmt.Sprintf("%s-%d", strings.ToLower(kind.Name), p.number.Add(1)))
	return object
}

// TestKindsAreAdmitted: the API server, with the custom resource definitions
// and the admission web hook of the real Chaos Mesh, takes a fault of every
// kind and action.
func TestKindsAreAdmitted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := &pair{site: s, t: t, service: "service", backEnd: "back-end"}
	for _, kind := range fault.Kinds() {
		for _, action := range kind.Actions {
			object := p.example(t, kind, action)
			if err := s.client.Create(t.Context(), object, client.DryRunAll); err != nil {
				t.Errorf("%s %s: our check takes it, and the API server says: %v", kind.Name, action, err)
			}
		}
	}
}

// TestKindsAreInjected puts a fault of every kind and action that stops nothing
// on a real pod, as far as the kernel of the node and the chaos-daemon can: one
// that is known to be lacking something is skipped and says what, and leaves the
// pod free. In any case the object is seen gone afterwards, and the service
// answers.
func TestKindsAreInjected(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.newPair(t)
	driver := s.open(t)
	for _, kind := range fault.Kinds() {
		for _, action := range kind.Actions {
			if kind.Stops {
				continue // the conformance suite has these
			}
			t.Run(kind.Name+"/"+action, func(t *testing.T) {
				object := p.example(t, kind, action)
				if err := driver.Check(t.Context(), object); err != nil {
					t.Fatal(err)
				}
				cannot := p.inject(t, driver, object)
				if left, err := driver.Leftovers(t.Context()); err != nil || len(left) > 0 {
					t.Errorf("%d objects are left: %v", len(left), err)
				}
				s.passable(t, "the service does not answer after the fault", func(ctx context.Context) error {
					_, err := p.Ask(ctx)
					return err
				})
				lacks, known := lacking[kind.Name]
				switch {
				case cannot == nil:
				case known && action != string(v1alpha1.PartitionAction):
					t.Skipf("not injected: %s; %v", lacks, cannot)
				default:
					t.Errorf("not injected: %v", cannot)
				}
			})
		}
	}
}

// inject puts the fault on and takes it off, and returns why it could not be
// put on.
func (p *pair) inject(t *testing.T, driver engine.Driver, object fault.Object) (cannot error) {
	t.Helper()
	var mu sync.Mutex
	var events []string
	told := make(chan error, 100)
	start := time.Now()
	if err := driver.Apply(t.Context(), object, func(moment engine.Moment) {
		mu.Lock()
		defer mu.Unlock()
		t.Logf("%7.3f s %-8s %s", time.Since(start).Seconds(), moment.Event, moment.Detail)
		if moment.Event != "" {
			events = append(events, moment.Event)
		}
		if moment.Event == plan.Injected || moment.Err != nil {
			told <- moment.Err
		}
	}); err != nil {
		t.Fatal(err)
	}
	select {
	case cannot = <-told:
	case <-time.After(injectLimit):
		t.Errorf("Chaos Mesh neither injected it nor said within %v that it cannot", injectLimit)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := driver.Remove(ctx, object); err != nil {
		t.Errorf("it is not gone: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	want := []string{plan.Created, plan.Injected, plan.Removed}
	if cannot != nil {
		want = []string{plan.Created, plan.Removed}
	}
	if got := strings.Join(events, " "); got != strings.Join(want, " ") {
		t.Errorf("the events are %s, not %v", got, want)
	}
	return cannot
}
