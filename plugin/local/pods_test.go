package local_test

import (
	"errors"
	"fmt"
	"net"
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

// TestWholeGroupIsKilled kills a process whose child is what answers.
func TestWholeGroupIsKilled(t *testing.T) {
	t.Parallel()
	address := localtest.Addresses(t, 1)[0]
	description := describe(t, actor(t, "parent", "parent", address))
	description.Pods[0].RestartAfter = time.Minute
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

// TestKillWithoutProcess kills a pod whose process has just been killed: the
// next process is the one that is hit.
func TestKillWithoutProcess(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	description.Pods[1].RestartAfter = time.Second
	cluster := localtest.Start(t, description)
	outside := localtest.Outside(description)
	before := instance(t, outside)
	first := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
	first.await(plan.Down)
	second := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
	if second.has(plan.Injected) {
		t.Error("injected was observed with nothing there to kill")
	}
	second.noted("has no process now")
	killed := processOf(t, second.await(plan.Down))
	if killed == processOf(t, first.await(plan.Down)) {
		t.Error("a process was killed twice")
	}
	if second.seen[plan.Injected].At.Before(second.seen[plan.Created].At) {
		t.Error("injected is before created")
	}
	second.await(plan.Ready)
	first.await(plan.Ready)
	if after := instance(t, outside); after == before {
		t.Error("the process was not killed")
	}
}

// TestPendingKillIsRemoved removes a kill before there is something to kill.
func TestPendingKillIsRemoved(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	cluster := localtest.Start(t, description)
	failure := apply(t, cluster, localtest.PodChaos(v1alpha1.PodFailureAction, localtest.Service))
	failure.await(plan.Down)
	kill := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
	kill.remove()
	failure.remove()
	started := processOf(t, failure.await(plan.Ready))
	other := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
	if killed := processOf(t, other.await(plan.Injected)); killed != started {
		t.Errorf("process %d was killed, not %d: the removed kill hit something", killed, started)
	}
	if kill.has(plan.Injected) {
		t.Error("the removed kill was injected")
	}
}

func TestFailureOfWhatIsDown(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	description.Pods[1].RestartAfter = time.Second
	cluster := localtest.Start(t, description)
	outside := localtest.Outside(description)
	kill := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
	kill.await(plan.Down)
	failure := apply(t, cluster, localtest.PodChaos(v1alpha1.PodFailureAction, localtest.Service))
	if down := failure.await(plan.Down); !strings.Contains(down.Detail, "had no process") {
		t.Errorf("got %q", down.Detail)
	}
	time.Sleep(description.Pods[1].RestartAfter + quiet)
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
		pod.RestartAfter = time.Minute
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
		}), "spec.selector.expressionSelectors: the local cluster does not know it; select by namespaces and labelSelectors"},
		{"nodes", kill(func(s *v1alpha1.PodChaosSpec) { s.Selector.Nodes = []string{"a"} }), "spec.selector.nodes: "},
		{"pods", kill(func(s *v1alpha1.PodChaosSpec) { s.Selector.Pods = map[string][]string{"test": {"service"}} }), "spec.selector.pods: "},
		{"mode", kill(func(s *v1alpha1.PodChaosSpec) { s.Mode, s.Value = v1alpha1.FixedMode, "1" }), `spec.mode: the local cluster does not know "fixed"; use one or all`},
		{"other cluster", kill(func(s *v1alpha1.PodChaosSpec) { s.RemoteCluster = "other" }), "spec.remoteCluster: "},
		{"container", kill(func(s *v1alpha1.PodChaosSpec) {
			s.Action, s.ContainerNames = v1alpha1.ContainerKillAction, []string{"sidecar"}
		}), "spec.containerNames: pod service has one container, and its name is that of the pod; write [service]"},
		{"loss", partition(func(s *v1alpha1.NetworkChaosSpec) {
			s.Action, s.Loss = v1alpha1.LossAction, &v1alpha1.LossSpec{Loss: "50"}
		}), `spec.action: the local cluster does not know "loss"; use partition or delay`},
		{"rate", partition(func(s *v1alpha1.NetworkChaosSpec) { s.Rate = &v1alpha1.RateSpec{Rate: "1mbps"} }), "spec.rate: the local cluster does not know it; leave it out"},
		{"device", partition(func(s *v1alpha1.NetworkChaosSpec) { s.Device = "eth0" }), "spec.device: "},
		{"reject", partition(func(s *v1alpha1.NetworkChaosSpec) { s.PartitionBehavior = v1alpha1.RejectPartitionBehavior }), `spec.partitionBehavior: the local cluster does not know "reject"; use drop`},
		{"reorder", partition(func(s *v1alpha1.NetworkChaosSpec) {
			s.Action, s.Delay = v1alpha1.DelayAction, &v1alpha1.DelaySpec{Latency: "1ms", Reorder: &v1alpha1.ReorderSpec{Reorder: "1", Gap: 1}}
		}), "spec.delay.reorder: "},
		{"correlation", partition(func(s *v1alpha1.NetworkChaosSpec) {
			s.Action, s.Delay = v1alpha1.DelayAction, &v1alpha1.DelaySpec{Latency: "1ms", Correlation: "50"}
		}), "spec.delay.correlation: "},
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
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			var wrong *fault.FieldError
			if !errors.As(err, &wrong) || wrong.Remedy == "" {
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
