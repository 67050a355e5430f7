package chaosmesh_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

var everything, anything = labels.Everything(), fields.Everything()

// watcher keeps what a driver observes of one object.
type watcher struct {
	t       *testing.T
	mu      sync.Mutex
	moments []engine.Moment
	changed chan struct{}
}

func newWatcher(t *testing.T) *watcher { return &watcher{t: t, changed: make(chan struct{})} }

func (w *watcher) observe(moment engine.Moment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moments = append(w.moments, moment)
	close(w.changed)
	w.changed = make(chan struct{})
}

// await waits for the first moment that is wanted.
func (w *watcher) await(what string, wanted func(engine.Moment) bool) engine.Moment {
	w.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		w.mu.Lock()
		at, changed := slices.IndexFunc(w.moments, wanted), w.changed
		if at >= 0 {
			defer w.mu.Unlock()
			return w.moments[at]
		}
		w.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			w.t.Fatalf("%s was not observed, only:\n%s", what, w)
		}
	}
}

func (w *watcher) event(name string) engine.Moment {
	w.t.Helper()
	return w.await(name, func(m engine.Moment) bool { return m.Event == name })
}

func (w *watcher) note(text string) engine.Moment {
	w.t.Helper()
	return w.await("a note with "+text, func(m engine.Moment) bool {
		return m.Event == "" && m.Err == nil && strings.Contains(m.Detail, text)
	})
}

func (w *watcher) trouble() error {
	w.t.Helper()
	return w.await("an error", func(m engine.Moment) bool { return m.Err != nil }).Err
}

// events are the names of the events so far.
func (w *watcher) events() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, moment := range w.moments {
		if moment.Event != "" {
			list = append(list, moment.Event)
		}
	}
	return list
}

func (w *watcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var text strings.Builder
	for _, moment := range w.moments {
		fmt.Fprintf(&text, "  %q %s %v\n", moment.Event, moment.Detail, moment.Err)
	}
	return text.String()
}

func (w *watcher) want(events ...string) {
	w.t.Helper()
	if got := w.events(); !slices.Equal(got, events) {
		w.t.Errorf("the events are %v, not %v:\n%s", got, events, w)
	}
}

func meta(t *testing.T) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: namespace, Name: strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(t.Name(), "/", "-"), "_", "-")),
		Labels: map[string]string{fault.RunLabel: "test"},
	}
}

func selector(app string) v1alpha1.PodSelector {
	return v1alpha1.PodSelector{
		Mode: v1alpha1.AllMode,
		Selector: v1alpha1.PodSelectorSpec{GenericSelectorSpec: v1alpha1.GenericSelectorSpec{
			Namespaces:     []string{namespace},
			LabelSelectors: map[string]string{"app": app},
		}},
	}
}

func podChaos(t *testing.T, action v1alpha1.PodChaosAction) *v1alpha1.PodChaos {
	duration := "60s"
	chaos := &v1alpha1.PodChaos{ObjectMeta: meta(t)}
	chaos.Spec.Action = action
	chaos.Spec.Duration = &duration
	chaos.Spec.PodSelector = selector("orchestrator")
	if action == v1alpha1.ContainerKillAction {
		chaos.Spec.ContainerNames = []string{"orchestrator"}
	}
	return chaos
}

func partition(t *testing.T) *v1alpha1.NetworkChaos {
	duration := "60s"
	target := selector("etcd")
	chaos := &v1alpha1.NetworkChaos{ObjectMeta: meta(t)}
	chaos.Spec.Action = v1alpha1.PartitionAction
	chaos.Spec.Duration = &duration
	chaos.Spec.PodSelector = selector("orchestrator")
	chaos.Spec.Target = &target
	chaos.Spec.Direction = v1alpha1.Both
	return chaos
}

func apply(t *testing.T, driver *chaosmesh.Driver, object fault.Object) *watcher {
	t.Helper()
	w := newWatcher(t)
	if err := driver.Apply(t.Context(), object, w.observe); err != nil {
		t.Fatal(err)
	}
	return w
}

// seenReady returns when the driver has seen that the orchestrator is ready.
func seenReady(t *testing.T, driver *chaosmesh.Driver) {
	t.Helper()
	if err := driver.Check(t.Context(), partition(t)); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, driver *chaosmesh.Driver, object fault.Object) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := driver.Remove(ctx, object); err != nil {
		t.Fatal(err)
	}
}

// contains says which of the words an error lacks.
func contains(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("there is no error, and one was to say %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q:\n%v", word, err)
		}
	}
}

func TestKill(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.lazy = true })
	driver := m.open(nil)
	object := podChaos(t, v1alpha1.PodKillAction)
	w := apply(t, driver, object)
	if detail := w.event(plan.Created).Detail; !strings.Contains(detail, "the API server took ") {
		t.Errorf("created does not say how long the API server took: %s", detail)
	}
	w.event(plan.Injected)
	next := m.run("orchestrator")
	w.want(plan.Created, plan.Injected)
	m.end("orchestrator-1")
	down := w.event(plan.Down)
	for _, word := range []string{"orchestrator-1", "exit code 137"} {
		if !strings.Contains(down.Detail, word) {
			t.Errorf("down does not say %q: %s", word, down.Detail)
		}
	}
	if ready := w.event(plan.Ready); !strings.Contains(ready.Detail, next) || ready.At.Before(down.At) {
		t.Errorf("ready is wrong: %+v", ready)
	}
	remove(t, driver, object)
	w.want(plan.Created, plan.Injected, plan.Down, plan.Rescheduled, plan.Ready, plan.Removed)
}

// A pod that was killed without a grace period is forgotten before its
// process has ended.
func TestKillHasAGracePeriod(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	object := podChaos(t, v1alpha1.PodKillAction)
	apply(t, driver, object).event(plan.Down)
	var grace int64
	edit(m.apiServer, chaosKey(object), func(chaos *v1alpha1.PodChaos) { grace = chaos.Spec.GracePeriod })
	if grace != 1 {
		t.Errorf("the object has a grace period of %d s", grace)
	}
	if object.Spec.GracePeriod != 0 {
		t.Error("Apply changed the object that it was given")
	}
}

// The replacement of a removed kill is observed when it comes.
func TestReadyAfterRemoved(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	object := podChaos(t, v1alpha1.PodKillAction)
	w := apply(t, driver, object)
	w.event(plan.Injected)
	remove(t, driver, object)
	w.want(plan.Created, plan.Injected, plan.Down, plan.Removed)
	m.run("orchestrator")
	w.event(plan.Ready)
	w.want(plan.Created, plan.Injected, plan.Down, plan.Removed, plan.Rescheduled, plan.Ready)
	remove(t, driver, object)
	w.want(plan.Created, plan.Injected, plan.Down, plan.Removed, plan.Rescheduled, plan.Ready)
}

func TestContainerKill(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	object := podChaos(t, v1alpha1.ContainerKillAction)
	w := apply(t, driver, object)
	w.event(plan.Injected)
	m.stop("orchestrator-1", 137)
	w.event(plan.Down)
	// Ready without having been started anew: the kubelet is late.
	m.ready("orchestrator-1")
	seenReady(t, driver)
	w.want(plan.Created, plan.Injected, plan.Down)
	m.start("orchestrator-1")
	if ready := w.event(plan.Ready); !strings.Contains(ready.Detail, "again") {
		t.Errorf("ready is wrong: %+v", ready)
	}
}

// What the kubelet reports at once of a container that ended and was started
// again is down and ready.
func TestRestartSeenAtOnce(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	w := apply(t, driver, podChaos(t, v1alpha1.ContainerKillAction))
	w.event(plan.Injected)
	m.start("orchestrator-1")
	w.event(plan.Ready)
	w.want(plan.Created, plan.Injected, plan.Down, plan.Rescheduled, plan.Ready)
}

// While a pod-failure is on, the pod has a container of its own that runs and
// may be ready.
func TestFailure(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	object := podChaos(t, v1alpha1.PodFailureAction)
	w := apply(t, driver, object)
	w.event(plan.Injected)
	m.image("orchestrator-1", "pause:1")
	m.stop("orchestrator-1", 2)
	w.event(plan.Down)
	m.start("orchestrator-1")
	m.ready("orchestrator-1")
	seenReady(t, driver)
	w.want(plan.Created, plan.Injected, plan.Down)
	remove(t, driver, object)
	// The image is the old one again, and the container is not yet.
	m.image("orchestrator-1", "orchestrator:1")
	m.ready("orchestrator-1")
	w.want(plan.Created, plan.Injected, plan.Down, plan.Removed)
	m.stop("orchestrator-1", 0)
	m.start("orchestrator-1")
	m.ready("orchestrator-1")
	w.event(plan.Ready)
	w.want(plan.Created, plan.Injected, plan.Down, plan.Removed, plan.Rescheduled, plan.Ready)
}

// A fault that is on more than was announced, or on less, is an error at once.
func TestOnOtherThanAnnounced(t *testing.T) {
	for name, test := range map[string]struct {
		manner manner
		object func(*testing.T) fault.Object
		says   []string
	}{
		"a bystander is killed too": {
			manner{besides: []string{"etcd-2"}}, func(t *testing.T) fault.Object { return podChaos(t, v1alpha1.PodKillAction) },
			[]string{"it is on pod emco/etcd-2 too"},
		},
		"a bystander is cut off too": {
			manner{besides: []string{"etcd-2"}}, func(t *testing.T) fault.Object {
				chaos := partition(t)
				chaos.Spec.Target, chaos.Spec.ExternalTargets, chaos.Spec.Direction = nil, []string{"192.0.2.7"}, v1alpha1.To
				return chaos
			},
			[]string{"it is on pod emco/etcd-2 too"},
		},
		"the rule has no set": {
			manner{unset: true}, func(t *testing.T) fault.Object { return partition(t) },
			[]string{"the traffic of pod emco/orchestrator-1 with everything", "it was to be with 10.0.0.2/32"},
		},
		"there is no rule": {
			manner{unruled: true}, func(t *testing.T) fault.Object { return partition(t) },
			[]string{"it is injected, says Chaos Mesh, which keeps no rule of it"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t)
			m.set(func() { m.manner = test.manner })
			driver := m.open(nil)
			object := test.object(t)
			w := apply(t, driver, object)
			contains(t, w.trouble(), test.says...)
			remove(t, driver, object)
			w.want(plan.Created, plan.Removed)
		})
	}
}

// The names of external targets are resolved before anything is made, and their
// addresses go into the object.
func TestNamesAreResolved(t *testing.T) {
	m := newMesh(t)
	driver := m.open(func(o *chaosmesh.Options) {
		o.LookUp = func(_ context.Context, _, host string) ([]netip.Addr, error) {
			switch host {
			case "edge.example":
				return []netip.Addr{netip.MustParseAddr("fd00::1"), netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")}, nil
			case "six.example":
				return []netip.Addr{netip.MustParseAddr("fd00::1")}, nil
			}
			addr, err := netip.ParseAddr(host)
			if err != nil {
				return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
			}
			return []netip.Addr{addr}, nil
		}
	})
	to := func(targets ...string) *v1alpha1.NetworkChaos {
		chaos := partition(t)
		chaos.Spec.Target, chaos.Spec.ExternalTargets, chaos.Spec.Direction = nil, targets, v1alpha1.To
		return chaos
	}
	for target, says := range map[string]string{
		"six.example": "has no IPv4 address, only [fd00::1]", "six.example:443": "has no IPv4 address", "fd00::1": "has no IPv4 address",
		"fd00::/8": "has no IPv4 address", "nobody.example": "no such host",
	} {
		for what, err := range map[string]error{
			"check": driver.Check(t.Context(), to(target)), "apply": driver.Apply(t.Context(), to(target), newWatcher(t).observe),
		} {
			t.Log(what)
			contains(t, err, "spec.externalTargets[0]", says, "give an IPv4 address")
		}
	}
	answers := to("192.0.2.9:443")
	answers.Spec.Direction = v1alpha1.From
	contains(t, driver.Check(t.Context(), answers), "spec.externalTargets[0]: is 192.0.2.9:443", "nothing would be dropped", "leave the port out")
	counted := partition(t)
	counted.Annotations = map[string]string{fault.RequestAnnotation: "3"}
	contains(t, driver.Check(t.Context(), counted), "Chaos Mesh counts no requests")
	object := to("edge.example:6443", "192.0.2.9", "198.51.100.7/24:80")
	if err := driver.Check(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	w := apply(t, driver, object)
	if told := w.event(plan.Created).Detail; !strings.Contains(told, "edge.example is 192.0.2.7 and 192.0.2.8") {
		t.Errorf("created does not tell the addresses: %s", told)
	}
	w.event(plan.Injected)
	edit(m.apiServer, chaosKey(object), func(chaos *v1alpha1.NetworkChaos) {
		if want := []string{"192.0.2.7:6443", "192.0.2.8:6443", "192.0.2.9", "198.51.100.7/24:80"}; !slices.Equal(chaos.Spec.ExternalTargets, want) {
			t.Errorf("the object is on %v", chaos.Spec.ExternalTargets)
		}
	})
}

func TestPartition(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	object := partition(t)
	w := apply(t, driver, object)
	if injected := w.event(plan.Injected); !strings.Contains(injected.Detail, "emco/orchestrator-1") {
		t.Errorf("injected does not say on what: %s", injected.Detail)
	}
	// A pod that goes meanwhile is no doing of the partition's.
	m.end("orchestrator-1")
	m.run("orchestrator")
	remove(t, driver, object)
	w.want(plan.Created, plan.Injected, plan.Removed)
}

// TestKinds: a fault of every kind and action that stops nothing is put on, is
// found, and is taken off.
func TestKinds(t *testing.T) {
	m := newMesh(t)
	// The examples name a container.
	edit(m.apiServer, podKey("orchestrator-1"), func(pod *corev1.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "server"})
	})
	driver := m.open(nil)
	for _, kind := range fault.Kinds() {
		for _, action := range kind.Actions {
			if kind.Stops {
				continue
			}
			t.Run(kind.Name+"/"+action, func(t *testing.T) {
				described, err := kind.Read(kind.Example(action, "orchestrator", "etcd"), fault.Ends{
					Namespace: namespace, Spec: map[string]any{"mode": "all", "selector": selector("orchestrator").Selector},
				})
				if err != nil {
					t.Fatal(err)
				}
				object, err := fault.Decode(described.Object)
				if err != nil {
					t.Fatal(err)
				}
				object.SetName(meta(t).Name)
				object.SetLabels(meta(t).Labels)
				if err := driver.Check(t.Context(), object); err != nil {
					t.Fatal(err)
				}
				w := apply(t, driver, object)
				if injected := w.event(plan.Injected); !strings.Contains(injected.Detail, "emco/orchestrator-1") {
					t.Errorf("injected does not say on what: %s", injected.Detail)
				}
				left, err := driver.Leftovers(t.Context())
				if err != nil || len(left) != 1 || fault.NameOf(left[0]) != kind.Name || left[0].GetName() != object.GetName() {
					t.Errorf("there is %v: %v", left, err)
				}
				remove(t, driver, object)
				w.want(plan.Created, plan.Injected, plan.Removed)
			})
		}
	}
}

// Injected means that something was injected, and that it is on all.
func TestInjectedIsCounted(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.silent = true })
	driver := m.open(nil)
	object := partition(t)
	w := apply(t, driver, object)
	at := chaosKey(object)
	for _, records := range [][]*v1alpha1.Record{
		{{Id: "emco/orchestrator-1", Phase: v1alpha1.Injected}},
		{recordsOf(".", []string{"orchestrator-1"})[0], {Id: "emco/etcd-2", SelectorKey: ".Target", Phase: "Not Injected/Wait"}},
	} {
		m.said(at, func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
			status.Experiment.DesiredPhase, status.Experiment.Records = v1alpha1.RunningPhase, records
			// Both were seen of real Chaos Mesh with nothing injected.
			status.Conditions = []v1alpha1.ChaosCondition{{Type: v1alpha1.ConditionAllRecovered, Status: corev1.ConditionTrue}}
		})
	}
	// Another fault's way to its injection is time enough.
	other := podChaos(t, v1alpha1.PodKillAction)
	other.Name += "-2"
	m.set(func() { m.silent = false })
	apply(t, driver, other).event(plan.Injected)
	w.want(plan.Created)
	m.partition(manner{}, object, []string{"orchestrator-1"})
	m.said(at, func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
		for _, record := range status.Experiment.Records {
			record.Phase, record.InjectedCount = v1alpha1.Injected, 1
		}
	})
	w.event(plan.Injected)
}

func TestDurationIsOver(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	object := partition(t)
	w := apply(t, driver, object)
	w.event(plan.Injected)
	m.said(chaosKey(object), func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
		for _, record := range status.Experiment.Records {
			record.Phase, record.RecoveredCount = v1alpha1.NotInjected, 1
		}
	})
	contains(t, w.trouble(), "its duration is over", "give the fault a duration that is longer")
	remove(t, driver, object)
	w.want(plan.Created, plan.Injected, plan.Removed)
}

func TestSomebodyElseRemoved(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	object := partition(t)
	w := apply(t, driver, object)
	w.event(plan.Injected)
	m.erase(chaosKey(object))
	contains(t, w.trouble(), "emco-chaos did not remove it", "somebody else did")
	remove(t, driver, object)
	w.want(plan.Created, plan.Injected, plan.Removed)
}

// A kill is not kept on: what becomes of its object is no trouble.
func TestSomebodyElseRemovedAKill(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	object := podChaos(t, v1alpha1.PodKillAction)
	w := apply(t, driver, object)
	w.event(plan.Injected)
	m.erase(chaosKey(object))
	w.note("emco-chaos did not remove it")
	m.run("orchestrator")
	w.event(plan.Ready)
	w.want(plan.Created, plan.Injected, plan.Down, plan.Rescheduled, plan.Ready)
}

func TestSelectionIsRefused(t *testing.T) {
	tests := map[string]struct {
		change func(*mesh)
		object func(*testing.T) fault.Object
		words  []string
	}{
		"nothing": {
			object: func(t *testing.T) fault.Object {
				chaos := podChaos(t, v1alpha1.PodKillAction)
				chaos.Spec.Selector.LabelSelectors = map[string]string{"app": "orchestratr"}
				return chaos
			},
			words: []string{"spec.selector", "namespace emco", "app=orchestratr", "the pods there have app=etcd, app=orchestrator", "correct the selector", "kubectl --namespace emco"},
		},
		"no target": {
			object: func(t *testing.T) fault.Object {
				chaos := partition(t)
				chaos.Spec.Target.Selector.LabelSelectors = map[string]string{"app": "etc"}
				return chaos
			},
			words: []string{"spec.target.selector", "app=etc"},
		},
		"one of several": {
			change: func(m *mesh) { m.run("orchestrator") },
			object: func(t *testing.T) fault.Object {
				chaos := podChaos(t, v1alpha1.PodKillAction)
				chaos.Spec.Mode = v1alpha1.OneMode
				return chaos
			},
			words: []string{"spec.mode", "orchestrator-1 and orchestrator-3", "would be chance", "write all"},
		},
		"a mode by chance": {
			object: func(t *testing.T) fault.Object {
				chaos := partition(t)
				chaos.Spec.Mode, chaos.Spec.Value = v1alpha1.FixedPercentMode, "50"
				return chaos
			},
			words: []string{"spec.mode", "fixed-percent", "write all"},
		},
		"a pod that does not run": {
			change: func(m *mesh) {
				edit(m.apiServer, podKey("etcd-2"), func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodPending })
			},
			object: func(t *testing.T) fault.Object { return partition(t) },
			words:  []string{"spec.target.selector", "etcd-2", "Pending", "kubectl --namespace emco describe pod etcd-2"},
		},
		"a pod that was evicted": {
			change: func(m *mesh) {
				m.run("orchestrator")
				edit(m.apiServer, podKey("orchestrator-3"), func(pod *corev1.Pod) { pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "Evicted" })
			},
			object: func(t *testing.T) fault.Object { return podChaos(t, v1alpha1.PodKillAction) },
			words:  []string{"spec.selector", "pod emco/orchestrator-3, which has ended (Evicted)", "kubectl --namespace emco delete pod orchestrator-3"},
		},
		"a pod that has completed, at the other end": {
			change: func(m *mesh) {
				edit(m.apiServer, podKey("etcd-2"), func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodSucceeded })
			},
			object: func(t *testing.T) fault.Object { return partition(t) },
			words:  []string{"spec.target.selector", "which has ended (Succeeded)", "delete pod etcd-2"},
		},
		"a node's network": {
			change: func(m *mesh) {
				edit(m.apiServer, podKey("etcd-2"), func(pod *corev1.Pod) { pod.Spec.HostNetwork = true })
			},
			object: func(t *testing.T) fault.Object { return partition(t) },
			words:  []string{"spec.target.selector", "etcd-2", "hostNetwork", "would hit the node"},
		},
		"a container that is not there": {
			object: func(t *testing.T) fault.Object {
				chaos := podChaos(t, v1alpha1.ContainerKillAction)
				chaos.Spec.ContainerNames = []string{"sidecar"}
				return chaos
			},
			words: []string{"spec.containerNames", "container sidecar", "pod emco/orchestrator-1 has ", "write one that it has"},
		},
		"another namespace": {
			object: func(t *testing.T) fault.Object {
				chaos := partition(t)
				chaos.Spec.Target.Selector.Namespaces = []string{"kube-system"}
				return chaos
			},
			words: []string{"kube-system", "the target's services are in emco"},
		},
		"a selector that is not known": {
			object: func(t *testing.T) fault.Object {
				chaos := partition(t)
				chaos.Spec.Selector.FieldSelectors = map[string]string{"spec.nodeName": "x"}
				return chaos
			},
			words: []string{"spec.selector.fieldSelectors", "labelSelectors"},
		},
		"a remote cluster": {
			object: func(t *testing.T) fault.Object {
				chaos := partition(t)
				chaos.Spec.RemoteCluster = "edge"
				return chaos
			},
			words: []string{"spec.remoteCluster"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			if test.change != nil {
				test.change(m)
			}
			driver := m.open(nil)
			object := test.object(t)
			w := newWatcher(t)
			contains(t, driver.Check(t.Context(), object), test.words...)
			contains(t, driver.Apply(t.Context(), object, w.observe), test.words...)
			if created := m.count("create podchaos") + m.count("create networkchaos"); created > 0 {
				t.Errorf("%d objects were created", created)
			}
			w.want()
		})
	}
}

func TestCheckLetsPass(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	for _, object := range []fault.Object{partition(t), podChaos(t, v1alpha1.PodKillAction)} {
		if err := driver.Check(t.Context(), object); err != nil {
			t.Errorf("%T: %v", object, err)
		}
	}
	if created := m.count("create podchaos") + m.count("create networkchaos"); created > 0 {
		t.Errorf("%d objects were created", created)
	}
}

func TestCheckWaitsForSteadyPods(t *testing.T) {
	terminating := func(pod *corev1.Pod) {
		now := metav1.Now()
		pod.DeletionTimestamp = &now
	}
	unready := func(pod *corev1.Pod) { pod.Status.Conditions = nil }
	fresh := func(pod *corev1.Pod) {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
	}
	old := func(pod *corev1.Pod) {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(time.Now().Add(-time.Hour))}}
	}
	tests := map[string]struct {
		change    func(*corev1.Pod)
		meanwhile func(*mesh)
		limits    chaosmesh.Limits
		refused   string
	}{
		"one that goes in time": {
			change:    terminating,
			meanwhile: func(m *mesh) { m.end("orchestrator-1") },
		},
		"one that does not go": {
			change: terminating, limits: chaosmesh.Limits{Settle: 50 * time.Millisecond},
			refused: "selects pod emco/orchestrator-1, which is on its way out",
		},
		"one that gets ready in time": {
			change:    unready,
			meanwhile: func(m *mesh) { edit(m.apiServer, podKey("orchestrator-1"), old) },
		},
		"one that does not get ready": {
			change: unready, limits: chaosmesh.Limits{Settle: 50 * time.Millisecond},
			refused: "selects pod emco/orchestrator-1, which is not ready",
		},
		"one that was ready for long enough in time": {
			change: fresh, limits: chaosmesh.Limits{Steady: 1100 * time.Millisecond},
		},
		"one that was not ready for long enough": {
			change: fresh, limits: chaosmesh.Limits{Steady: time.Hour, Settle: 50 * time.Millisecond},
			refused: "selects pod emco/orchestrator-1, which has only just become ready",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			// Of two, so that there is one to select when the other has gone.
			m.run("orchestrator")
			edit(m.apiServer, podKey("orchestrator-1"), test.change)
			driver := m.open(func(o *chaosmesh.Options) {
				o.Limits.Steady, o.Limits.Settle = cmp.Or(test.limits.Steady, o.Limits.Steady), cmp.Or(test.limits.Settle, o.Limits.Settle)
			})
			var changing sync.WaitGroup
			defer changing.Wait()
			if test.meanwhile != nil {
				changing.Go(func() { test.meanwhile(m) })
			}
			err := driver.Check(t.Context(), podChaos(t, v1alpha1.PodKillAction))
			if test.refused == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			contains(t, err, test.refused, "kubectl --namespace emco describe pod orchestrator-1")
		})
	}
}

func TestReplicas(t *testing.T) {
	m := newMesh(t)
	m.run("orchestrator")
	m.set(func() { m.lazy = true })
	driver := m.open(nil)
	w := apply(t, driver, podChaos(t, v1alpha1.PodKillAction))
	w.event(plan.Injected)
	m.end("orchestrator-1")
	first := m.run("orchestrator")
	w.want(plan.Created, plan.Injected)
	m.end("orchestrator-3")
	w.event(plan.Down)
	w.want(plan.Created, plan.Injected, plan.Down)
	second := m.run("orchestrator")
	if detail := w.event(plan.Ready).Detail; !strings.Contains(detail, first) || !strings.Contains(detail, second) {
		t.Errorf("ready names not both pods: %s", detail)
	}
}

// Chaos Mesh would select a pod on its way out, and fail on it for ever.
func TestTerminatingPodIsWaitedFor(t *testing.T) {
	m := newMesh(t)
	terminating := m.run("orchestrator")
	edit(m.apiServer, podKey(terminating), func(pod *corev1.Pod) {
		now := metav1.Now()
		pod.DeletionTimestamp = &now
	})
	t.Run("and goes", func(t *testing.T) {
		driver := m.open(nil)
		var work sync.WaitGroup
		work.Go(func() { m.end(terminating) })
		defer work.Wait()
		w := apply(t, driver, partition(t))
		if injected := w.event(plan.Injected); strings.Contains(injected.Detail, terminating) {
			t.Errorf("the terminating pod was selected: %s", injected.Detail)
		}
	})
	t.Run("and does not go", func(t *testing.T) {
		stays := m.run("orchestrator")
		edit(m.apiServer, podKey(stays), func(pod *corev1.Pod) {
			now := metav1.Now()
			pod.DeletionTimestamp = &now
		})
		driver := m.open(func(o *chaosmesh.Options) { o.Limits.Terminate = 50 * time.Millisecond })
		contains(t, driver.Apply(t.Context(), partition(t), func(engine.Moment) {}), stays, "on its way out")
	})
}

func TestCannotBeInjected(t *testing.T) {
	tests := map[string]struct {
		says  string
		words []string
	}{
		"no netem": {
			says:  "unable to set tcs for pod orchestrator-1",
			words: []string{"emco/orchestrator-1", "unable to set tcs for pod", "log of chaos-daemon on node node-1", "kubectl --namespace chaos-mesh logs"},
		},
		"no daemon": {
			says:  "cannot find daemonIP on node node-1",
			words: []string{"chaos-daemon does not run on node node-1", "kubectl --namespace chaos-mesh get pods"},
		},
		"a daemon that does not answer": {
			says:  "rpc error: code = Unavailable desc = connection error",
			words: []string{"chaos-daemon on node node-1 does not answer"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			m.set(func() { m.failing = test.says })
			driver := m.open(func(o *chaosmesh.Options) {
				o.Limits.Retry, o.Limits.Notice, o.Limits.Free = 50*time.Millisecond, 50*time.Millisecond, time.Hour
			})
			object := partition(t)
			w := apply(t, driver, object)
			contains(t, w.trouble(), test.words...)
			// Its delete hangs; nothing is on the pod, so it is freed.
			remove(t, driver, object)
			w.note("its finalizer chaos-mesh/records keeps it")
			w.note("its rules were taken from its pods")
			w.want(plan.Created, plan.Removed)
			// A rule that stayed would spoil every later fault on the pod.
			edit(m.apiServer, key{"podnetworkchaos", namespace, "orchestrator-1"}, func(kept *v1alpha1.PodNetworkChaos) {
				if rules := kept.Spec.TrafficControls; len(rules) != 1 || rules[0].Source != "elsewhere/another" {
					t.Errorf("the pod has the rules %v", rules)
				}
			})
			if m.has(chaosKey(object)) {
				t.Error("the object is still there")
			}
		})
	}
}

// Without the right to what Chaos Mesh keeps for each pod the object can be
// freed all the same. What stays there may be carried out later, and no run
// begins before the pod is a new one.
func TestRulesStay(t *testing.T) {
	m := newMesh(t)
	m.set(func() {
		m.failing = "unable to set tcs"
		m.refuse = forbid("patch", "podnetworkchaos")
	})
	driver := m.open(func(o *chaosmesh.Options) {
		o.Limits.Retry, o.Limits.Notice, o.Limits.Free = 50*time.Millisecond, 50*time.Millisecond, 200*time.Millisecond
	})
	object := partition(t)
	w := apply(t, driver, object)
	w.trouble()
	remedy := "kubectl --namespace emco delete pod orchestrator-1"
	contains(t, driver.Remove(t.Context(), object), "its object is gone", "its rules stay with its pods", "no duration takes them off", remedy)
	w.note("the role needs the verb patch on podnetworkchaos.chaos-mesh.org")
	w.note("was freed of its finalizer by force")
	w.want(plan.Created, plan.Removed)
	remembered(t, m, driver, object, remedy)
}

// Chaos Mesh brings an object to its end once its rules were taken from its pods. It
// is given time as long as it works on it, and no longer.
func TestRulesAreTakenOffSlowly(t *testing.T) {
	for name, test := range map[string]struct {
		looks int // at which it works on the object
		ends  bool
		free  time.Duration
	}{
		"it comes to an end": {looks: 6, ends: true, free: time.Hour},
		"it stops":           {looks: 3, free: time.Hour},
		"it goes on":         {looks: math.MaxInt, free: 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			m.set(func() { m.failing = "unable to set tcs" })
			driver := m.open(func(o *chaosmesh.Options) {
				o.Limits.Retry, o.Limits.Notice, o.Limits.Free = 50*time.Millisecond, 50*time.Millisecond, test.free
			})
			object := partition(t)
			w := apply(t, driver, object)
			w.trouble()
			m.work.Wait()
			looks := 0
			m.set(func() {
				m.silent = true
				m.refuse = func(verb, resource string) *metav1.Status {
					there := m.objects[chaosKey(object)]
					switch {
					case verb == "patch" && resource == "podnetworkchaos":
						looks = 1
					case verb == "get" && resource == "networkchaos" && 0 < looks && looks < test.looks:
						looks++
						there = there.DeepCopy()
						m.objects[chaosKey(object)] = there
						m.tell("MODIFIED", chaosKey(object), there)
					case verb == "get" && resource == "networkchaos" && looks == test.looks && test.ends:
						delete(m.objects, chaosKey(object))
						m.tell("DELETED", chaosKey(object), there.DeepCopy())
					}
					return nil
				}
			})
			remove(t, driver, object)
			w.want(plan.Created, plan.Removed)
			w.mu.Lock()
			defer w.mu.Unlock()
			forced := slices.ContainsFunc(w.moments, func(m engine.Moment) bool { return strings.Contains(m.Detail, "was freed of its finalizer by force") })
			if forced == test.ends {
				t.Errorf("it was freed by force: %v", forced)
			}
		})
	}
}

// remembered checks that a fault that may still be on a pod is an error as long as
// that pod is there.
func remembered(t *testing.T, m *mesh, driver *chaosmesh.Driver, object fault.Object, remedy string) {
	t.Helper()
	contains(t, driver.Remove(t.Context(), object), remedy)
	left, err := driver.Leftovers(t.Context())
	contains(t, err, object.GetName()+" was removed", remedy)
	if len(left) > 0 {
		t.Errorf("%d objects are left", len(left))
	}
	m.end("orchestrator-1")
	m.end("etcd-2")
	m.run("orchestrator")
	within(t, "the leftovers are free of errors", func() bool { _, err = driver.Leftovers(t.Context()); return err == nil })
	remove(t, driver, object)
}

// within asks until something is so, of what no event reports.
func within(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// Chaos Mesh's web hook may be away for a moment.
func TestRulesAreTakenLater(t *testing.T) {
	m := newMesh(t)
	refusals := 0
	m.set(func() {
		m.failing = "unable to set tcs"
		m.refuse = func(verb, resource string) *metav1.Status {
			if verb != "patch" || resource != "podnetworkchaos" {
				return nil
			}
			if refusals++; refusals > 3 {
				return nil
			}
			return failed(500, metav1.StatusReasonInternalError, `Internal error occurred: failed calling webhook "mpodnetworkchaos.kb.io": connection refused`)
		}
	})
	driver := m.open(func(o *chaosmesh.Options) { o.Limits.Retry, o.Limits.Notice = 50*time.Millisecond, 50*time.Millisecond })
	object := partition(t)
	w := apply(t, driver, object)
	w.trouble()
	remove(t, driver, object)
	w.note("its rules stay with its pods")
	w.note("its rules were taken from its pods")
	w.want(plan.Created, plan.Removed)
	if _, err := driver.Leftovers(t.Context()); err != nil {
		t.Error(err)
	}
}

// What fails first and succeeds then is no trouble.
func TestRetriedInjection(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.failing = "the pod is not there yet" })
	driver := m.open(func(o *chaosmesh.Options) { o.Limits.Retry = 500 * time.Millisecond })
	object := partition(t)
	w := apply(t, driver, object)
	m.work.Wait()
	m.set(func() { m.failing = "" })
	records := m.partition(manner{}, object, []string{"orchestrator-1"})
	m.said(chaosKey(object), func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
		status.Experiment.Records = records
		for _, record := range records {
			record.Events = append(record.Events, *v1alpha1.NewRecordEvent(v1alpha1.TypeSucceeded, v1alpha1.Apply, "", metav1.Now()))
		}
	})
	w.event(plan.Injected)
	remove(t, driver, object)
	if text := w.String(); strings.Contains(text, "cannot inject") {
		t.Errorf("there was trouble:\n%s", text)
	}
}

func TestChaosMeshIsSilent(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.silent = true })
	driver := m.open(func(o *chaosmesh.Options) { o.Limits.Answer = 50 * time.Millisecond })
	object := partition(t)
	w := apply(t, driver, object)
	contains(t, w.trouble(), "nobody has touched", "chaos-controller-manager", "kubectl --namespace chaos-mesh get pods")
	remove(t, driver, object)
	w.want(plan.Created, plan.Removed)
}

func TestDaemonIsSilent(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.silent = true })
	driver := m.open(func(o *chaosmesh.Options) { o.Limits.Answer = 2 * time.Second })
	object := partition(t)
	w := apply(t, driver, object)
	m.said(chaosKey(object), func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
		status.Experiment.DesiredPhase = v1alpha1.RunningPhase
		status.Experiment.Records = []*v1alpha1.Record{{Id: "emco/orchestrator-1", Phase: "Not Injected/Wait"}}
	})
	contains(t, w.trouble(), "emco/orchestrator-1", "does chaos-daemon run on the node?")
}

// An object that selected nothing would hit whatever matches when it is next
// changed.
func TestSelectedNothing(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.nothing = true })
	driver := m.open(func(o *chaosmesh.Options) { o.Limits.Select = 50 * time.Millisecond })
	object := partition(t)
	w := apply(t, driver, object)
	contains(t, w.trouble(), "Failed to select targets: no pod is selected", "it was removed")
	w.event(plan.Removed)
	if m.has(chaosKey(object)) {
		t.Error("the object is still there")
	}
	remove(t, driver, object)
	w.want(plan.Created, plan.Removed)
}

// Without Chaos Mesh's word for it, an object is empty once it has had its time.
func TestSelectedNothingAndDoesNotSay(t *testing.T) {
	m := newMesh(t)
	m.set(func() {
		m.nothing = true
		m.refuse = forbid("list", "events")
	})
	driver := m.open(func(o *chaosmesh.Options) {
		o.Limits.Select, o.Limits.Answer = 50*time.Millisecond, 2*time.Second
	})
	object := partition(t)
	w := apply(t, driver, object)
	contains(t, w.trouble(), "no pod was written down", "within 2s", "kubectl --namespace chaos-mesh logs", "the object was removed")
	w.event(plan.Removed)
	if asked := m.count("get networkchaos"); asked < 2 {
		t.Errorf("it was asked for %d times", asked)
	}
	w.want(plan.Created, plan.Removed)
}

// Chaos Mesh writes down what it has selected when it has tried to inject all of
// it: an object that is empty until then is none that selected nothing.
func TestSlowToWriteDown(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.silent = true })
	driver := m.open(func(o *chaosmesh.Options) { o.Limits.Select = 30 * time.Millisecond })
	object := partition(t)
	w := apply(t, driver, object)
	m.said(chaosKey(object), func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
		status.Experiment.DesiredPhase = v1alpha1.RunningPhase
		status.Conditions = []v1alpha1.ChaosCondition{{Type: v1alpha1.ConditionSelected, Status: corev1.ConditionFalse}}
	})
	within(t, "it was asked for three times", func() bool { return m.count("get networkchaos") >= 3 })
	records := m.partition(manner{}, object, []string{"orchestrator-1"})
	m.said(chaosKey(object), func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) { status.Experiment.Records = records })
	w.event(plan.Injected)
	w.want(plan.Created, plan.Injected)
	if text := w.String(); strings.Contains(text, "removed") || strings.Contains(text, "no pod") {
		t.Errorf("there was trouble:\n%s", text)
	}
}

// The rules are those of the pods that the fault was seen on, though a late watch
// reports a state from before.
func TestLateWatchHasNoRecords(t *testing.T) {
	m := newMesh(t)
	asked, late := make(chan struct{}, 1), false
	m.set(func() {
		m.silent = true
		m.refuse = func(verb, resource string) *metav1.Status {
			if verb != "get" || resource != "podnetworkchaos" || late {
				return nil
			}
			select {
			case asked <- struct{}{}:
			default:
			}
			return failed(500, metav1.StatusReasonInternalError, "etcdserver: leader changed")
		}
	})
	driver := m.open(nil)
	object := partition(t)
	w := apply(t, driver, object)
	records := m.partition(manner{}, object, []string{"orchestrator-1"})
	say := func(records []*v1alpha1.Record) {
		m.said(chaosKey(object), func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
			status.Experiment.DesiredPhase, status.Experiment.Records = v1alpha1.RunningPhase, records
		})
	}
	say(records)
	select {
	case <-asked:
	case <-time.After(patience):
		t.Fatal("the rules were not asked for")
	}
	say(nil)
	reads := m.count("get podnetworkchaos")
	m.set(func() { late = true })
	within(t, "the rules were read", func() bool { return m.count("get podnetworkchaos") > reads })
	say(records)
	w.event(plan.Injected)
	w.want(plan.Created, plan.Injected)
	if text := w.String(); strings.Contains(text, "keeps no rule") {
		t.Errorf("there was trouble:\n%s", text)
	}
}

// What the watch is late to report is asked for before a part is blamed.
func TestWatchIsLate(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.silent = true })
	driver := m.open(func(o *chaosmesh.Options) { o.Limits.Answer = 300 * time.Millisecond })
	m.interrupt("networkchaos")
	object := partition(t)
	w := apply(t, driver, object)
	records := m.partition(manner{}, object, []string{"orchestrator-1"})
	m.said(chaosKey(object), func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
		status.Experiment.DesiredPhase, status.Experiment.Records = v1alpha1.RunningPhase, records
	})
	w.event(plan.Injected)
	if text := w.String(); strings.Contains(text, "nobody has touched") {
		t.Errorf("somebody was blamed:\n%s", text)
	}
}

// If the API server does not answer, no other part is blamed.
func TestNobodyIsBlamed(t *testing.T) {
	m := newMesh(t)
	m.set(func() {
		m.silent = true
		m.refuse = func(verb, resource string) *metav1.Status {
			if verb != "get" || resource != "networkchaos" {
				return nil
			}
			return failed(500, metav1.StatusReasonInternalError, "etcdserver: leader changed")
		}
	})
	driver := m.open(func(o *chaosmesh.Options) { o.Limits.Answer = 50 * time.Millisecond })
	w := apply(t, driver, partition(t))
	contains(t, w.trouble(), "the API server does not say", "etcdserver: leader changed")
}

// A fault that Chaos Mesh cannot take off stays on, whatever becomes of its
// object.
func TestCannotBeRecovered(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.stuck = "cannot find daemonIP on node node-1" })
	driver := m.open(func(o *chaosmesh.Options) {
		o.Limits.Notice, o.Limits.Free = 50*time.Millisecond, 100*time.Millisecond
	})
	object := partition(t)
	w := apply(t, driver, object)
	w.event(plan.Injected)
	contains(t, driver.Remove(t.Context(), object), "its object is gone", "it may still be on", "kubectl --namespace emco delete pod orchestrator-1")
	w.note("Chaos Mesh says of emco/orchestrator-1: cannot find daemonIP on node node-1")
	w.note("was freed of its finalizer by force")
	w.want(plan.Created, plan.Injected, plan.Removed)
	remembered(t, m, driver, object, "kubectl --namespace emco delete pod orchestrator-1")
}

// Chaos Mesh lets an object go only when the fault is off: what was seen of it
// before says nothing, unless that was the last of it, or it was forced.
func TestGoneIsBelieved(t *testing.T) {
	tests := map[string]struct {
		// free is when the object is looked at a second time.
		free time.Duration
		// go away lets the object go.
		goAway  func(*mesh, key)
		refused string
	}{
		"seen by a look": {
			free: 500 * time.Millisecond,
			goAway: func(m *mesh, at key) {
				m.interrupt(at.resource)
				m.recover(manner{}, at)
			},
		},
		"seen by a list": {
			free: time.Hour,
			goAway: func(m *mesh, at key) {
				m.interrupt(at.resource)
				m.recover(manner{}, at)
				m.set(func() { m.refuse = func(string, string) *metav1.Status { return nil } })
			},
		},
		"freed by somebody else": {
			free: time.Hour,
			goAway: func(m *mesh, at key) {
				m.said(at, func(meta *metav1.ObjectMeta, _ *v1alpha1.ChaosStatus) { meta.Finalizers = nil })
			},
			refused: "it may still be on",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			driver := m.open(func(o *chaosmesh.Options) { o.Limits.Notice, o.Limits.Free = 50*time.Millisecond, test.free })
			object := partition(t)
			w := apply(t, driver, object)
			w.event(plan.Injected)
			m.work.Wait()
			m.set(func() { m.silent = true })
			removed := make(chan error, 1)
			go func() { removed <- driver.Remove(t.Context(), object) }()
			w.note("its finalizer chaos-mesh/records keeps it")
			test.goAway(m, chaosKey(object))
			err := <-removed
			switch {
			case test.refused != "":
				contains(t, err, test.refused)
			case err != nil:
				t.Error(err)
			}
		})
	}
}

// What the API server could not do while it was started anew is asked again.
func TestDeleteIsTriedAgain(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	object := partition(t)
	w := apply(t, driver, object)
	w.event(plan.Injected)
	refusals := 0
	m.set(func() {
		m.refuse = func(verb, _ string) *metav1.Status {
			if verb != "delete" {
				return nil
			}
			if refusals++; refusals > 2 {
				return nil
			}
			return failed(500, metav1.StatusReasonInternalError, "etcdserver: leader changed")
		}
	})
	remove(t, driver, object)
	w.note("could not be deleted, which is tried again: delete networkchaos.chaos-mesh.org in namespace emco: etcdserver: leader changed")
	w.want(plan.Created, plan.Injected, plan.Removed)
	if asked := m.count("delete networkchaos"); asked != 3 {
		t.Errorf("it was asked %d times", asked)
	}
}

// What cannot be deleted was not, and Remove says so.
func TestCannotBeDeleted(t *testing.T) {
	tests := map[string]struct {
		status *metav1.Status
		asks   int
	}{
		"for a while": {status: failed(503, metav1.StatusReasonServiceUnavailable, "the server is busy")},
		"denied":      {status: failed(403, metav1.StatusReasonForbidden, `admission webhook "vauth.kb.io" denied the request: not yours`), asks: 1},
		"invalid":     {status: failed(422, metav1.StatusReasonInvalid, "no such field"), asks: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			driver := m.open(nil)
			object := partition(t)
			w := apply(t, driver, object)
			w.event(plan.Injected)
			m.set(func() {
				m.refuse = func(verb, _ string) *metav1.Status {
					if verb != "delete" {
						return nil
					}
					return test.status
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			err := driver.Remove(ctx, object)
			contains(t, err, "it could not be deleted, so the fault may still be on", test.status.Message)
			if strings.Contains(err.Error(), "it is deleted") {
				t.Errorf("it says that the object is deleted: %v", err)
			}
			asked := m.count("delete networkchaos")
			if test.asks > 0 && asked != test.asks {
				t.Errorf("it was asked %d times", asked)
			}
			if test.asks == 0 && (asked < 2 || !errors.Is(err, context.DeadlineExceeded)) {
				t.Errorf("it was asked %d times: %v", asked, err)
			}
			w.want(plan.Created, plan.Injected)
		})
	}
}

// With the controller down nothing frees an object, and Remove says so.
func TestRemoveDoesNotLie(t *testing.T) {
	m := newMesh(t)
	driver := m.open(func(o *chaosmesh.Options) {
		o.Limits.Notice, o.Limits.Free = 20*time.Millisecond, 40*time.Millisecond
	})
	object := partition(t)
	w := apply(t, driver, object)
	w.event(plan.Injected)
	m.work.Wait()
	m.set(func() {
		m.silent = true
		m.refuse = func(verb, resource string) *metav1.Status {
			if verb != "patch" || resource != "networkchaos" {
				return nil
			}
			return failed(500, metav1.StatusReasonInternalError, `Internal error occurred: failed calling webhook "mnetworkchaos.kb.io": connection refused`)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	removed := make(chan error, 1)
	go func() { removed <- driver.Remove(ctx, object) }()
	w.note("it could not be freed")
	cancel()
	err := <-removed
	contains(t, err, "was not seen gone", "the fault may still be on", "finalizer chaos-mesh/records", "chaos-controller-manager", "failed calling webhook")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it is not the context's error: %v", err)
	}
	w.want(plan.Created, plan.Injected)
}

// What another process left can be listed and removed.
func TestLeftovers(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.failing = "unable to set tcs" })
	func() {
		gone, err := chaosmesh.Open(t.Context(), m.config, chaosmesh.Options{Namespaces: []string{namespace}})
		if err != nil {
			t.Fatal(err)
		}
		apply(t, gone, partition(t))
		apply(t, gone, podChaos(t, v1alpha1.PodFailureAction))
		if err := gone.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	foreign := partition(t)
	foreign.Kind, foreign.APIVersion = fault.NetworkChaos, fault.GroupVersion
	foreign.Name, foreign.Labels = "foreign", nil
	m.put(foreign)
	m.work.Wait()
	var mu sync.Mutex
	var told []string
	driver := m.open(func(o *chaosmesh.Options) {
		o.Limits.Notice = 20 * time.Millisecond
		o.Tell = func(text string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, text)
		}
	})
	left, err := driver.Leftovers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 2 {
		t.Fatalf("%d objects are left", len(left))
	}
	for _, object := range left {
		if object.GetObjectKind().GroupVersionKind().Kind == "" {
			t.Errorf("%s has no kind", object.GetName())
		}
		remove(t, driver, object)
	}
	if left, err = driver.Leftovers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("still left: %d, %v", len(left), err)
	}
	if !m.has(chaosKey(foreign)) {
		t.Error("what is not ours was removed")
	}
	mu.Lock()
	defer mu.Unlock()
	if text := strings.Join(told, "\n"); !strings.Contains(text, "its rules were taken from its pods") {
		t.Errorf("what was freed was not told: %q", text)
	}
}

// What Chaos Mesh keeps for a pod, and no object accounts for, is a fault that
// may be on.
func TestResiduals(t *testing.T) {
	rules := func(sources ...string) (spec v1alpha1.PodNetworkChaosSpec) {
		for _, source := range sources {
			spec.Iptables = append(spec.Iptables, v1alpha1.RawIptables{Name: source, RawRuleSource: v1alpha1.RawRuleSource{Source: source}})
		}
		return spec
	}
	for name, test := range map[string]struct {
		kept v1alpha1.PodNetworkChaos
		says string
	}{
		"nothing":                        {v1alpha1.PodNetworkChaos{}, ""},
		"rules of an object":             {v1alpha1.PodNetworkChaos{Spec: rules("emco/there")}, ""},
		"rules of an object that failed": {v1alpha1.PodNetworkChaos{Spec: rules("emco/there"), Status: v1alpha1.PodNetworkChaosStatus{FailedMessage: "no daemon"}}, ""},
		"of one that is not looked at":   {v1alpha1.PodNetworkChaos{Spec: rules("elsewhere/away")}, ""},
		"of one that is gone":            {v1alpha1.PodNetworkChaos{Spec: rules("emco/away", "emco/there")}, "whose NetworkChaos is gone: emco/away"},
		"not taken off":                  {v1alpha1.PodNetworkChaos{Status: v1alpha1.PodNetworkChaosStatus{FailedMessage: "no daemon"}}, "could not take a fault off its network, which may still be on: no daemon"},
		"yet to be taken off":            {v1alpha1.PodNetworkChaos{ObjectMeta: metav1.ObjectMeta{Generation: 2}}, "has yet to take a fault off"},
		"failed before":                  {v1alpha1.PodNetworkChaos{ObjectMeta: metav1.ObjectMeta{Generation: 2}, Status: v1alpha1.PodNetworkChaosStatus{ObservedGeneration: 1, FailedMessage: "no netem"}}, "has yet to take a fault off"},
		"of another pod of its name":     {v1alpha1.PodNetworkChaos{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{UID: "another"}}}, Spec: rules("emco/away")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t)
			m.set(func() { m.silent = true })
			driver := m.open(nil)
			there := partition(t)
			there.Kind, there.APIVersion, there.Name, there.Labels = fault.NetworkChaos, fault.GroupVersion, "there", nil
			m.put(there)
			test.kept.TypeMeta = metav1.TypeMeta{APIVersion: fault.GroupVersion, Kind: "PodNetworkChaos"}
			test.kept.Namespace, test.kept.Name = namespace, "etcd-2"
			m.put(&test.kept)
			_, err := driver.Leftovers(t.Context())
			if test.says != "" {
				contains(t, err, "pod emco/etcd-2: ", test.says, "kubectl --namespace emco delete pod etcd-2")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRemoveWhatIsNotThere(t *testing.T) {
	driver := newMesh(t).open(nil)
	remove(t, driver, partition(t))
	remove(t, driver, podChaos(t, v1alpha1.PodKillAction))
}

func TestCancelledApply(t *testing.T) {
	m := newMesh(t)
	m.delayed = 100 * time.Millisecond
	driver := m.open(nil)
	for _, after := range []time.Duration{0, 20 * time.Millisecond} {
		object := partition(t)
		ctx, cancel := context.WithTimeout(t.Context(), after)
		err := driver.Apply(ctx, object, func(engine.Moment) {})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled after %v: %v", after, err)
		}
		if m.has(chaosKey(object)) {
			t.Errorf("cancelled after %v, and the object is there", after)
		}
	}
	if created := m.count("create networkchaos"); created != 1 {
		t.Errorf("%d objects were created", created)
	}
}

func TestAlreadyThere(t *testing.T) {
	m := newMesh(t)
	driver, other := m.open(nil), m.open(nil)
	object := partition(t)
	apply(t, driver, object).event(plan.Injected)
	for _, driver := range []*chaosmesh.Driver{driver, other} {
		contains(t, driver.Apply(t.Context(), object, func(engine.Moment) {}), "is already there")
	}
	if !m.has(chaosKey(object)) {
		t.Error("what was there has gone")
	}
}

func forbid(verb, resource string) func(string, string) *metav1.Status {
	return func(asked, of string) *metav1.Status {
		if asked != verb || of != resource {
			return nil
		}
		return failed(403, metav1.StatusReasonForbidden,
			fmt.Sprintf("%s is forbidden: User \"emco-chaos\" cannot %s resource %q", resource, verb, resource))
	}
}

func TestMissingRights(t *testing.T) {
	for _, resource := range []string{"pods", "endpointslices", "podchaos", "networkchaos"} {
		for _, verb := range []string{"list", "watch"} {
			t.Run("open/"+verb+" "+resource, func(t *testing.T) {
				t.Parallel()
				m := newMesh(t)
				m.refuse = forbid(verb, resource)
				driver, err := chaosmesh.Open(t.Context(), m.config, chaosmesh.Options{Namespaces: []string{namespace}})
				if err == nil {
					driver.Close()
				}
				contains(t, err, "the verb "+verb, resource, "emco-chaos doctor", `User "emco-chaos"`)
			})
		}
	}
	tests := map[string]func(t *testing.T, driver *chaosmesh.Driver) error{
		"create": func(t *testing.T, driver *chaosmesh.Driver) error {
			return driver.Apply(t.Context(), partition(t), func(engine.Moment) {})
		},
		"delete": func(t *testing.T, driver *chaosmesh.Driver) error { return driver.Remove(t.Context(), partition(t)) },
		"list": func(t *testing.T, driver *chaosmesh.Driver) error {
			_, err := driver.Leftovers(t.Context())
			return err
		},
	}
	for verb, do := range tests {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			driver := m.open(nil)
			m.set(func() { m.refuse = forbid(verb, "networkchaos") })
			contains(t, do(t, driver), "the role needs the verb "+verb+" on networkchaos.chaos-mesh.org", "namespace emco", "emco-chaos doctor")
		})
	}
}

// TestOptionalKinds: a driver that may not watch a kind of fault does without
// it, unless the kind is one of those that every experiment needs.
func TestOptionalKinds(t *testing.T) {
	m := newMesh(t)
	m.refuse = forbid("watch", "timechaos")
	driver := m.open(nil)
	skew := &v1alpha1.TimeChaos{ObjectMeta: meta(t)}
	skew.Spec.PodSelector, skew.Spec.TimeOffset, skew.Spec.Duration = selector("orchestrator"), "-10m", new("60s")
	for what, err := range map[string]error{
		"check":  driver.Check(t.Context(), skew),
		"apply":  driver.Apply(t.Context(), skew, func(engine.Moment) {}),
		"remove": driver.Remove(t.Context(), skew),
	} {
		if err == nil || !strings.Contains(err.Error(), "the role needs the verb watch on timechaos.chaos-mesh.org") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if left, err := driver.Leftovers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("there is %v: %v", left, err)
	}
	object := partition(t)
	apply(t, driver, object).event(plan.Injected)
	remove(t, driver, object)
}

func TestControllerIsDownAtCreate(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	m.set(func() {
		m.refuse = func(verb, _ string) *metav1.Status {
			if verb != "create" {
				return nil
			}
			return failed(500, metav1.StatusReasonInternalError, `Internal error occurred: failed calling webhook "mnetworkchaos.kb.io": connection refused`)
		}
	})
	contains(t, driver.Apply(t.Context(), partition(t), func(engine.Moment) {}), "failed calling webhook", "chaos-controller-manager", "emco-chaos doctor")
}

func TestOpenWithoutNamespaces(t *testing.T) {
	_, err := chaosmesh.Open(t.Context(), newAPIServer(t).config, chaosmesh.Options{})
	contains(t, err, "no namespace is named")
}

func TestChaosMeshIsNotInstalled(t *testing.T) {
	server := newAPIServer(t)
	server.without = "chaos-mesh.org/v1alpha1"
	_, err := chaosmesh.Open(t.Context(), server.config, chaosmesh.Options{Namespaces: []string{namespace}})
	contains(t, err, "podchaos.chaos-mesh.org", "is Chaos Mesh installed?", "emco-chaos doctor")
}

// A watch that breaks is taken up again, and what happened meanwhile is seen.
func TestWatchBreaks(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.lazy = true })
	driver := m.open(nil)
	w := apply(t, driver, podChaos(t, v1alpha1.PodKillAction))
	w.event(plan.Injected)
	m.dropWatches("pods")
	m.end("orchestrator-1")
	m.run("orchestrator")
	w.event(plan.Ready)
	w.want(plan.Created, plan.Injected, plan.Down, plan.Rescheduled, plan.Ready)
}

// Down is when what serves has ended, whatever else the pod has.
func TestDownIsOfWhatServes(t *testing.T) {
	port := func(number int32) []corev1.ContainerPort { return []corev1.ContainerPort{{ContainerPort: number}} }
	for name, test := range map[string]struct {
		containers []corev1.Container
		serves     string
	}{
		"the first, as none has a port":        {[]corev1.Container{{Name: "main"}, {Name: "sidecar"}}, "main"},
		"that with the port of the Service":    {[]corev1.Container{{Name: "sidecar", Ports: port(15090)}, {Name: "main", Ports: port(9015)}}, "main"},
		"the first, as the Service has others": {[]corev1.Container{{Name: "main", Ports: port(1)}, {Name: "sidecar", Ports: port(2)}}, "main"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t)
			m.set(func() { m.lazy = true })
			edit(m.apiServer, key{"endpointslices", namespace, "orchestrator"}, func(slice *discoveryv1.EndpointSlice) {
				slice.Ports = []discoveryv1.EndpointPort{{Port: new(int32(9015))}}
			})
			edit(m.apiServer, podKey("orchestrator-1"), func(pod *corev1.Pod) {
				status := pod.Status.ContainerStatuses[0]
				pod.Spec.Containers, pod.Status.ContainerStatuses = test.containers, nil
				for _, container := range test.containers {
					status.Name, status.ContainerID = container.Name, "containerd://"+container.Name
					pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, status)
				}
			})
			driver := m.open(nil)
			w := apply(t, driver, podChaos(t, v1alpha1.PodKillAction))
			w.event(plan.Injected)
			ended := time.Now().Add(-time.Hour).Truncate(time.Second)
			edit(m.apiServer, podKey("orchestrator-1"), func(pod *corev1.Pod) {
				for i := range pod.Status.ContainerStatuses {
					if status := &pod.Status.ContainerStatuses[i]; status.Name == test.serves {
						status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ContainerID: status.ContainerID, FinishedAt: metav1.NewTime(ended)}}
					}
				}
			})
			if down := w.event(plan.Down); !down.Told.Equal(ended) || strings.Contains(down.Detail, "sidecar") {
				t.Errorf("down is told at %v, not %v: %s", down.Told, ended, down.Detail)
			}
		})
	}
}

// What happened while the API server was away lies between when the watch was
// last known to be live and when it was told.
func TestMomentsOfAPause(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.lazy = true })
	driver := m.open(nil)
	w := apply(t, driver, podChaos(t, v1alpha1.PodKillAction))
	w.event(plan.Injected)
	within(t, "the pods are asked for", func() bool { return m.count("list pods") >= 3 })
	m.interrupt("pods")
	away := time.Now()
	m.end("orchestrator-1")
	next := m.run("orchestrator")
	was := time.Now().Add(-time.Minute).Truncate(time.Second)
	edit(m.apiServer, podKey(next), func(pod *corev1.Pod) { pod.Status.Conditions[0].LastTransitionTime = metav1.NewTime(was) })
	// As long as it takes for the difference to be seen.
	within(t, "it has been away for a second", func() bool { return time.Since(away) > time.Second })
	m.set(func() { m.refuse = func(string, string) *metav1.Status { return nil } })
	created := w.event(plan.Created)
	down, back, ready := w.event(plan.Down), w.event(plan.Rescheduled), w.event(plan.Ready)
	for _, moment := range []engine.Moment{down, back, ready} {
		if moment.After.After(away) || moment.After.Before(created.At) || moment.At.Sub(away) < time.Second {
			t.Errorf("%s is between %v and %v, and the API server was away from %v", moment.Event, moment.After, moment.At, away)
		}
	}
	if !ready.Told.Equal(was) {
		t.Errorf("ready is told at %v, not %v", ready.Told, was)
	}
}

// disturbances are what a driver tells beside its faults.
type disturbances struct {
	mu   sync.Mutex
	list []engine.Disturbance
}

func (d *disturbances) observe(one engine.Disturbance) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, one)
}

func (d *disturbances) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []string
	for _, one := range d.list {
		if one.Service != "canary" {
			list = append(list, one.Service+": "+one.Text)
		}
	}
	return strings.Join(list, "\n")
}

// watch has a driver watched until the test ends.
func watch(t *testing.T, m *mesh, driver *chaosmesh.Driver) *disturbances {
	t.Helper()
	seen := &disturbances{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- driver.Watch(ctx, seen.observe) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	within(t, "the watch has begun", func() bool {
		m.erase(podKey(m.run("canary")))
		seen.mu.Lock()
		defer seen.mu.Unlock()
		return len(seen.list) > 0
	})
	return seen
}

// What happens to a pod of the target without a fault that explains it is told.
func TestDisturbances(t *testing.T) {
	for name, test := range map[string]struct {
		do    func(*mesh)
		tells string
	}{
		"deleted": {func(m *mesh) {
			edit(m.apiServer, podKey("etcd-2"), func(pod *corev1.Pod) { pod.DeletionTimestamp = new(metav1.Now()) })
			m.end("etcd-2")
		}, "etcd: pod etcd-2 is on its way out: somebody deleted it"},
		"deleted by force":   {func(m *mesh) { m.erase(podKey("etcd-2")) }, "etcd: pod etcd-2 has gone"},
		"its container ends": {func(m *mesh) { m.stop("etcd-2", 137) }, "etcd: in pod etcd-2 container etcd has ended with exit code 137 (Error)"},
		"restarted at once":  {func(m *mesh) { m.start("etcd-2") }, "etcd: in pod etcd-2 container etcd has been replaced"},
		"not ready": {func(m *mesh) {
			edit(m.apiServer, podKey("orchestrator-1"), func(pod *corev1.Pod) { pod.Status.Conditions[0].Status = corev1.ConditionFalse })
		}, "orchestrator: pod orchestrator-1 is not ready any more"},
		"one more":    {func(m *mesh) { m.run("etcd") }, ""},
		"of nobody's": {func(m *mesh) { m.erase(podKey(m.run("bystander"))) }, ""},
		"another's labels": {func(m *mesh) {
			edit(m.apiServer, podKey("etcd-2"), func(pod *corev1.Pod) { pod.Annotations = map[string]string{"a": "b"} })
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t)
			seen := watch(t, m, m.open(nil))
			test.do(m)
			if test.tells != "" {
				within(t, test.tells+" is told, not "+seen.String(), func() bool { return seen.String() == test.tells })
			}
			// What comes in order has come when this has.
			m.erase(podKey("orchestrator-1"))
			last := strings.TrimPrefix(test.tells+"\norchestrator: pod orchestrator-1 has gone", "\n")
			within(t, last+" is told", func() bool { return seen.String() == last })
		})
	}
}

// A fault explains what happens to the pods that it names from its beginning
// until what serves in their place is ready, and nothing else.
func TestFaultsExplainTheirPods(t *testing.T) {
	m := newMesh(t)
	driver := m.open(nil)
	seen := watch(t, m, driver)
	hold := partition(t)
	apply(t, driver, hold).event(plan.Injected)
	unready := func(name string) {
		edit(m.apiServer, podKey(name), func(pod *corev1.Pod) { pod.Status.Conditions[0].Status = corev1.ConditionFalse })
	}
	unready("orchestrator-1")
	m.ready("orchestrator-1")
	kill := podChaos(t, v1alpha1.PodKillAction)
	kill.Name += "-kill"
	w := apply(t, driver, kill)
	w.event(plan.Down)
	m.stop("etcd-2", 1)
	within(t, "the bystander's end is told", func() bool { return strings.HasPrefix(seen.String(), "etcd: in pod etcd-2") })
	next := m.run("orchestrator")
	w.event(plan.Ready)
	m.erase(podKey(next))
	want := "etcd: in pod etcd-2 container etcd has ended with exit code 1 (Error)\norchestrator: pod " + next + " has gone"
	within(t, "the next pod's end is told, and not "+seen.String(), func() bool { return seen.String() == want })
}

func TestWatchEndsWithTheDriver(t *testing.T) {
	driver := newMesh(t).open(nil)
	ended := make(chan error)
	go func() { ended <- driver.Watch(t.Context(), func(engine.Disturbance) {}) }()
	if err := driver.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, chaosmesh.ErrClosed) {
		t.Errorf("it ended with %v", err)
	}
}

// Pods of a StatefulSet keep their names: after an interruption the watch reports
// the next one as a change of the one before.
func TestPodOfTheSameName(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.lazy = true })
	driver := m.open(func(o *chaosmesh.Options) { o.Limits.Terminate = time.Second })
	w := apply(t, driver, podChaos(t, v1alpha1.PodKillAction))
	w.event(plan.Injected)
	m.interrupt("pods")
	m.erase(podKey("orchestrator-1"))
	next := m.pod("orchestrator")
	next.Name, next.UID, next.Status.PodIP = "orchestrator-1", "another", "10.0.0.1"
	m.put(next)
	m.set(func() { m.refuse = func(string, string) *metav1.Status { return nil } })
	w.event(plan.Ready)
	w.want(plan.Created, plan.Injected, plan.Down, plan.Rescheduled, plan.Ready)
	apply(t, driver, partition(t)).event(plan.Injected)
}

func TestClose(t *testing.T) {
	m := newMesh(t)
	m.set(func() { m.silent = true })
	driver, err := chaosmesh.Open(t.Context(), m.config, chaosmesh.Options{Namespaces: []string{namespace}})
	if err != nil {
		t.Fatal(err)
	}
	object := partition(t)
	w := apply(t, driver, object)
	for range 2 {
		if err := driver.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := driver.Remove(t.Context(), object); !errors.Is(err, chaosmesh.ErrClosed) {
		t.Errorf("remove says %v", err)
	}
	if err := driver.Apply(t.Context(), object, w.observe); !errors.Is(err, chaosmesh.ErrClosed) {
		t.Errorf("apply says %v", err)
	}
	w.want(plan.Created)
}

func TestSelect(t *testing.T) {
	m := newMesh(t)
	reader, err := client.New(m.config, client.Options{Scheme: chaosmesh.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	names := func(pods []corev1.Pod, err error) string {
		if err != nil {
			t.Error(err)
		}
		var list []string
		for _, pod := range pods {
			list = append(list, pod.Name)
		}
		return strings.Join(list, " ")
	}
	byPods := podChaos(t, v1alpha1.PodKillAction)
	byPods.Spec.Selector = v1alpha1.PodSelectorSpec{Pods: map[string][]string{namespace: {"etcd-2", "nobody"}}}
	byExpression := podChaos(t, v1alpha1.PodKillAction)
	byExpression.Spec.Selector.LabelSelectors = nil
	byExpression.Spec.Selector.ExpressionSelectors = v1alpha1.LabelSelectorRequirements{{Key: "app", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"etcd"}}}
	byNode := podChaos(t, v1alpha1.PodKillAction)
	byNode.Spec.Selector.Nodes = []string{"node-2"}
	byPhase := podChaos(t, v1alpha1.PodKillAction)
	byPhase.Spec.Selector.PodPhaseSelectors = []string{"Running"}
	for want, object := range map[string]fault.Object{
		"orchestrator-1":        podChaos(t, v1alpha1.PodKillAction),
		"orchestrator-1 etcd-2": partition(t),
		"etcd-2":                byPods,
	} {
		if got := names(chaosmesh.Select(t.Context(), reader, []string{namespace}, object)); got != want {
			t.Errorf("selected %q, not %q", got, want)
		}
	}
	if got := names(chaosmesh.Select(t.Context(), reader, []string{namespace}, byExpression)); got != "orchestrator-1" {
		t.Errorf("by expression: %q", got)
	}
	if got := names(chaosmesh.Select(t.Context(), reader, []string{namespace}, byPhase)); got != "orchestrator-1" {
		t.Errorf("by phase: %q", got)
	}
	sixth := partition(t)
	sixth.Spec.Target, sixth.Spec.ExternalTargets = nil, []string{"fd00::6"}
	_, err = chaosmesh.Select(t.Context(), reader, []string{namespace}, sixth)
	contains(t, err, "spec.externalTargets[0]", "fd00::6, which has no IPv4 address")
	_, err = chaosmesh.Select(t.Context(), reader, []string{namespace}, byNode)
	contains(t, err, "node node-2")
	if got := names(chaosmesh.Pods(t.Context(), reader, namespace, map[string]string{"app": "etcd"})); got != "etcd-2" {
		t.Errorf("by labels: %q", got)
	}
}
