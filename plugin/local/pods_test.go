package local_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/plugin/local/localtest"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

func listens(address string) bool {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	connection.Close()
	return true
}

func TestContainerKill(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	cluster := localtest.Start(t, description)
	before := instance(t, localtest.Outside(description))
	chaos := localtest.PodChaos(v1alpha1.ContainerKillAction, localtest.Service)
	chaos.Spec.ContainerNames = []string{localtest.Service}
	kill := apply(t, cluster, chaos)
	kill.await(plan.Ready)
	if after := instance(t, localtest.Outside(description)); after == before {
		t.Error("the container was not killed")
	}
}

// TestReadyByHTTP has a pod whose readiness is a URL that answers 2xx.
func TestReadyByHTTP(t *testing.T) {
	t.Parallel()
	address := localtest.Addresses(t, 1)[0]
	description := describe(t, actor(t, "late", "late", address))
	description.Pods[0].Ready = local.Ready{HTTP: "http://" + address + "/ready"}
	cluster := localtest.Start(t, description)
	kill := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, "late"))
	down, ready := kill.await(plan.Down), kill.await(plan.Ready)
	if took := ready.At.Sub(down.At); took < localtest.RestartAfter {
		t.Errorf("it was ready %v after it went down", took)
	}
}

// TestCannotStartAgain takes a killed pod's program away for a while.
func TestCannotStartAgain(t *testing.T) {
	t.Parallel()
	description := describe(t, actor(t, "idle", "stubborn", localtest.Addresses(t, 1)[0]))
	pod := &description.Pods[0]
	installed, program := pod.Command[0], filepath.Join(t.TempDir(), "program")
	install := func() {
		if err := os.Symlink(installed, program); err != nil {
			t.Fatal(err)
		}
	}
	install()
	pod.Command, pod.RestartAfter = []string{program}, plan.Duration(time.Second)
	cluster, err := local.Start(t.Context(), description, local.Options{StopWithin: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	kill := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, "idle"))
	kill.troubled("start pod idle: ")
	install()
	kill.await(plan.Ready)
}

// TestWholeGroupIsKilled kills a process whose child is what answers.
func TestWholeGroupIsKilled(t *testing.T) {
	t.Parallel()
	address := localtest.Addresses(t, 1)[0]
	description := describe(t, actor(t, "parent", "parent", address))
	description.Pods[0].RestartAfter = plan.Duration(time.Minute)
	cluster, err := local.Start(t.Context(), description, local.Options{StopWithin: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	kill := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, "parent"))
	kill.await(plan.Down)
	if listens(address) {
		t.Error("down was observed while the process's child still listens")
	}
}

func TestGracePeriod(t *testing.T) {
	t.Parallel()
	addresses := localtest.Addresses(t, 2)
	description := describe(t, actor(t, "patient", "patient", addresses[0]), actor(t, "stubborn", "stubborn", addresses[1]))
	cluster, err := local.Start(t.Context(), description, local.Options{StopWithin: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	for _, test := range []struct {
		name, ending string
		grace        int64
	}{
		{"patient", "exit status 0", 60},
		{"stubborn", "signal: killed", 1},
	} {
		chaos := localtest.PodChaos(v1alpha1.PodKillAction, test.name)
		chaos.Spec.GracePeriod = test.grace
		kill := apply(t, cluster, chaos)
		injected, down := kill.await(plan.Injected), kill.await(plan.Down)
		if !strings.Contains(down.Detail, test.ending) {
			t.Errorf("%s: %s, not %s", test.name, down.Detail, test.ending)
		}
		took := down.At.Sub(injected.At)
		if test.name == "stubborn" && took < time.Second {
			t.Errorf("it had %v to stop, not 1 s", took)
		}
		kill.await(plan.Ready)
	}
}

// TestKillWithoutProcess kills a pod whose process has gone: it is down at
// once, and the next process is not hit.
func TestKillWithoutProcess(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	description.Pods[1].RestartAfter = plan.Duration(time.Second)
	cluster := localtest.Start(t, description)
	first := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
	first.await(plan.Down)
	second := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
	if !second.has(plan.Injected) || !second.has(plan.Down) {
		t.Errorf("observed %v of a kill of what is down", second.seen)
	}
	if detail := second.await(plan.Down).Detail; detail != "pod service had no process" {
		t.Errorf("got %q", detail)
	}
	if processOf(t, second.await(plan.Ready)) != processOf(t, first.await(plan.Ready)) {
		t.Error("a process was killed that was not there")
	}
	first.remove()
	second.remove()
}

// TestKillOfTheDying kills a process that was killed and has not gone yet.
func TestKillOfTheDying(t *testing.T) {
	t.Parallel()
	cluster := localtest.Start(t, localtest.Description(t))
	first := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
	second := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
	first.remove()
	second.remove()
	if processOf(t, first.await(plan.Ready)) != processOf(t, second.await(plan.Ready)) {
		t.Error("the second kill hit the next process")
	}
}

func TestFailureOfWhatIsDown(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	description.Pods[1].RestartAfter = plan.Duration(time.Second)
	cluster := localtest.Start(t, description)
	outside := localtest.Outside(description)
	kill := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
	kill.await(plan.Down)
	failure := apply(t, cluster, localtest.PodChaos(v1alpha1.PodFailureAction, localtest.Service))
	if down := failure.await(plan.Down); !strings.Contains(down.Detail, "had no process") {
		t.Errorf("got %q", down.Detail)
	}
	time.Sleep(time.Duration(description.Pods[1].RestartAfter) + quiet)
	if _, err := outside.Ask(t.Context()); err == nil {
		t.Error("the pod came back under the failure")
	}
	if kill.has(plan.Ready) {
		t.Error("ready was observed under the failure")
	}
	failure.remove()
	failure.await(plan.Ready)
	kill.await(plan.Ready)
	instance(t, outside)
}

func TestTwoFailures(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	cluster := localtest.Start(t, description)
	first := apply(t, cluster, localtest.PodChaos(v1alpha1.PodFailureAction, localtest.Service))
	second := apply(t, cluster, localtest.PodChaos(v1alpha1.PodFailureAction, localtest.Service))
	first.await(plan.Down)
	second.await(plan.Down)
	first.remove()
	time.Sleep(quiet)
	if _, err := localtest.Outside(description).Ask(t.Context()); err == nil {
		t.Error("the pod came back under the second failure")
	}
	second.remove()
	first.await(plan.Ready)
	second.await(plan.Ready)
}

// TestFailureIsRemovedAtOnce removes a failure when its process may not have
// gone yet.
func TestFailureIsRemovedAtOnce(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	cluster := localtest.Start(t, description)
	before := instance(t, localtest.Outside(description))
	failure := apply(t, cluster, localtest.PodChaos(v1alpha1.PodFailureAction, localtest.Service))
	failure.remove()
	if !failure.has(plan.Down) {
		t.Error("removed was observed before down")
	}
	failure.await(plan.Ready)
	if after := instance(t, localtest.Outside(description)); after == before {
		t.Error("the process was not killed")
	}
}

func TestFailureEndsByItself(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	cluster := localtest.Start(t, description)
	chaos := localtest.PodChaos(v1alpha1.PodFailureAction, localtest.Service)
	duration := "1s"
	chaos.Spec.Duration = &duration
	failure := apply(t, cluster, chaos)
	failure.troubled("its duration of 1s is over; give the fault a duration that is longer")
	ready := failure.await(plan.Ready)
	if took := ready.At.Sub(failure.await(plan.Created).At); took < time.Second {
		t.Errorf("it was over after %v", took)
	}
	if failure.has(plan.Removed) {
		t.Error("removed was observed, and nobody removed it")
	}
	objects, err := cluster.Leftovers(t.Context())
	if err != nil || len(objects) != 1 || objects[0].GetName() != chaos.Name {
		t.Errorf("the leftovers are %v, %v", objects, err)
	}
	failure.remove()
	if !failure.has(plan.Removed) {
		t.Error("removed was not observed")
	}
}

// A kill is not kept on: that its duration is over is no trouble.
func TestKillOutlivesItsDuration(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	cluster := localtest.Start(t, description)
	chaos := localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service)
	duration := "1s"
	chaos.Spec.Duration = &duration
	kill := apply(t, cluster, chaos)
	kill.noted("its duration of 1s is over")
	kill.await(plan.Ready)
	kill.remove()
}

func TestMode(t *testing.T) {
	t.Parallel()
	addresses := localtest.Addresses(t, 3)
	var pods []local.Pod
	for i, address := range addresses {
		pod := actor(t, fmt.Sprintf("replica-%d", i), "telling", address)
		pod.Labels = map[string]string{"app": "replica", "number": fmt.Sprint(i)}
		pod.RestartAfter = plan.Duration(time.Minute)
		pods = append(pods, pod)
	}
	description := describe(t, pods...)
	cluster := localtest.Start(t, description)
	down := func() (count int) {
		for _, address := range addresses {
			if !listens(address) {
				count++
			}
		}
		return count
	}
	one := localtest.PodChaos(v1alpha1.PodFailureAction, "replica")
	one.Spec.Mode = v1alpha1.OneMode
	failure := apply(t, cluster, one)
	failure.await(plan.Down)
	if got := down(); got != 1 {
		t.Errorf("one: %d pods are down", got)
	}
	failure.remove()
	failure.await(plan.Ready)
	failure = apply(t, cluster, localtest.PodChaos(v1alpha1.PodFailureAction, "replica"))
	detail := failure.await(plan.Down).Detail
	if got := down(); got != 3 {
		t.Errorf("all: %d pods are down", got)
	}
	for _, pod := range pods {
		if !strings.Contains(detail, pod.Name) {
			t.Errorf("down says %q, and nothing of %s", detail, pod.Name)
		}
	}
	failure.remove()
	failure.await(plan.Ready)
	if got := down(); got != 0 {
		t.Errorf("ready: %d pods are down", got)
	}
}

// TestKindsThatAreRefused: what needs Chaos Mesh is refused before a run.
func TestKindsThatAreRefused(t *testing.T) {
	t.Parallel()
	cluster := localtest.Start(t, localtest.Description(t))
	for _, kind := range fault.Kinds() {
		if kind.Name == fault.PodChaos || kind.Name == fault.NetworkChaos {
			continue
		}
		described, err := kind.Read(kind.Example(kind.Actions[0], localtest.Service), fault.Ends{
			Namespace: "test", Spec: map[string]any{"mode": "all", "selector": localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service).Spec.Selector},
		})
		if err != nil {
			t.Fatal(err)
		}
		object, err := fault.Decode(described.Object)
		if err != nil {
			t.Fatal(err)
		}
		fault.Stamp(object, "run", 1, "experiment", "fault")
		want := "kind: a local cluster cannot do " + kind.Name + "; use NetworkChaos or PodChaos, or run it on a cluster with Chaos Mesh"
		if err := cluster.Check(t.Context(), object); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	cluster := localtest.Start(t, description)
	kill := func(change func(*v1alpha1.PodChaosSpec)) fault.Object {
		chaos := localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service)
		change(&chaos.Spec)
		return chaos
	}
	partition := func(change func(*v1alpha1.NetworkChaosSpec)) fault.Object {
		chaos := localtest.Partition()
		change(&chaos.Spec)
		return chaos
	}
	nameless := localtest.Partition()
	nameless.Name = ""
	for _, test := range []struct {
		name   string
		object fault.Object
		want   string
	}{
		{"no such label", kill(func(s *v1alpha1.PodChaosSpec) { s.Selector.LabelSelectors["app"] = "servise" }), "spec.selector: selects no pod: none in namespace test has app=servise; namespace test has back-end (app=back-end), service (app=service); correct the selector"},
		{"no such namespace", kill(func(s *v1alpha1.PodChaosSpec) { s.Selector.Namespaces = []string{"emco"} }), "spec.selector: selects no pod: none in namespace emco has app=service"},
		{"expressions", kill(func(s *v1alpha1.PodChaosSpec) {
			s.Selector.ExpressionSelectors = v1alpha1.LabelSelectorRequirements{{Key: "app", Operator: metav1.LabelSelectorOpExists}}
		}), "spec.selector.expressionSelectors: a local cluster cannot do it; select by namespaces and labelSelectors"},
		{"nodes", kill(func(s *v1alpha1.PodChaosSpec) { s.Selector.Nodes = []string{"a"} }), "spec.selector.nodes: "},
		{"pods", kill(func(s *v1alpha1.PodChaosSpec) { s.Selector.Pods = map[string][]string{"test": {"service"}} }), "spec.selector.pods: "},
		{"mode", kill(func(s *v1alpha1.PodChaosSpec) { s.Mode, s.Value = v1alpha1.FixedMode, "1" }), `spec.mode: a local cluster cannot do fixed; use one or all, or run it on a cluster with Chaos Mesh`},
		{"other cluster", kill(func(s *v1alpha1.PodChaosSpec) { s.RemoteCluster = "other" }), "spec.remoteCluster: "},
		{"container", kill(func(s *v1alpha1.PodChaosSpec) {
			s.Action, s.ContainerNames = v1alpha1.ContainerKillAction, []string{"sidecar"}
		}), "spec.containerNames: pod service has one container, and its name is that of the pod; write [service]"},
		{"loss", partition(func(s *v1alpha1.NetworkChaosSpec) {
			s.Action, s.Loss = v1alpha1.LossAction, &v1alpha1.LossSpec{Loss: "50"}
		}), `spec.action: a local cluster cannot do loss; use partition, or run it on a cluster with Chaos Mesh`},
		{"rate", partition(func(s *v1alpha1.NetworkChaosSpec) { s.Rate = &v1alpha1.RateSpec{Rate: "1mbps"} }), "spec.rate: a local cluster cannot do it; leave it out"},
		{"device", partition(func(s *v1alpha1.NetworkChaosSpec) { s.Device = "eth0" }), "spec.device: "},
		{"reject", partition(func(s *v1alpha1.NetworkChaosSpec) { s.PartitionBehavior = v1alpha1.RejectPartitionBehavior }), `spec.partitionBehavior: a local cluster cannot do reject; use drop, or run it on a cluster with Chaos Mesh`},
		{"delay", partition(func(s *v1alpha1.NetworkChaosSpec) {
			s.Action, s.Delay = v1alpha1.DelayAction, &v1alpha1.DelaySpec{Latency: "1ms"}
		}), `spec.action: a local cluster cannot do delay; use partition, or run it on a cluster with Chaos Mesh`},
		{"target", partition(func(s *v1alpha1.NetworkChaosSpec) { s.Target.Selector.LabelSelectors["app"] = "mongo" }), "spec.target.selector: selects no pod: none in namespace test has app=mongo"},
		{"external target", partition(func(s *v1alpha1.NetworkChaosSpec) { s.ExternalTargets = []string{"edge.emulated"} }), "spec.externalTargets[0]: no link leads to edge.emulated; there are the links service to back-end; correct the name"},
		{"no link", partition(func(s *v1alpha1.NetworkChaosSpec) { s.Target.Selector.LabelSelectors["app"] = localtest.Service }), "spec: no link runs between service and service; there are the links service to back-end; select both ends"},
		{"no name", nameless, "metadata.name: is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := cluster.Apply(t.Context(), test.object, func(m engine.Moment) { t.Errorf("observed %+v", m) })
			if err == nil {
				t.Fatal("it was accepted")
			}
			if before := cluster.Check(t.Context(), test.object); before == nil || before.Error() != err.Error() {
				t.Errorf("a check before says %v\nand not       %v", before, err)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if wrong, is := errors.AsType[document.Problem](err); !is || wrong.Remedy == "" {
				t.Errorf("%v has no remedy", err)
			}
		})
	}
	if objects, err := cluster.Leftovers(t.Context()); err != nil || len(objects) != 0 {
		t.Errorf("left: %v, %v", objects, err)
	}
}

func TestSameObjectTwice(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	cluster := localtest.Start(t, description)
	partition := apply(t, cluster, localtest.Partition())
	err := cluster.Apply(t.Context(), partition.object, func(engine.Moment) {})
	if err == nil || !strings.Contains(err.Error(), "is already there") {
		t.Errorf("got %v", err)
	}
	partition.remove()
	apply(t, cluster, partition.object).remove()
}
