package local_test

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/local/localtest"
)

// TestNewConnectionIsHeld holds a request for which the service has no
// connection yet.
func TestNewConnectionIsHeld(t *testing.T) {
	t.Parallel()
	cluster, outside := system(t)
	partition := apply(t, cluster, localtest.Partition())
	message := send(t, outside, "first")
	held(t, message)
	arrived(t, outside, "first", 0)
	partition.remove()
	if err := get(t, message); err != nil {
		t.Error(err)
	}
	arrived(t, outside, "first", 1)
}

// TestReleaseRightAfterKill removes the partition when the kill was sent and
// nothing is known of the process yet.
func TestReleaseRightAfterKill(t *testing.T) {
	t.Parallel()
	cluster, outside := system(t)
	for round := range 10 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			if round%2 == 0 { // with a connection that is there, or a new one
				if err := outside.Send(t.Context(), fmt.Sprintf("before %d", round)); err != nil {
					t.Fatal(err)
				}
			}
			dead := fmt.Sprintf("dead %d", round)
			partition := apply(t, cluster, localtest.Partition())
			message := send(t, outside, dead)
			held(t, message)
			kill := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
			partition.remove()
			if err := get(t, message); err == nil {
				t.Error("a killed process answered")
			}
			kill.await(plan.Ready)
			if err := outside.Send(t.Context(), fmt.Sprintf("after %d", round)); err != nil {
				t.Error(err)
			}
			arrived(t, outside, dead, 0)
			kill.remove()
		})
	}
}

// TestReleaseAfterCrash kills the source without the cluster's knowledge, and
// removes the partition as soon as that has been seen.
func TestReleaseAfterCrash(t *testing.T) {
	t.Parallel()
	cluster, outside := system(t)
	for round := range 5 {
		kill := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
		pid := processOf(t, kill.await(plan.Ready))
		dead := fmt.Sprintf("dead %d", round)
		partition := apply(t, cluster, localtest.Partition())
		message := send(t, outside, dead)
		held(t, message)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		partition.noted("has gone")
		partition.remove()
		if err := get(t, message); err == nil {
			t.Error("a killed process answered")
		}
		instance(t, outside)
		if err := outside.Send(t.Context(), fmt.Sprintf("after %d", round)); err != nil {
			t.Error(err)
		}
		arrived(t, outside, dead, 0)
	}
}

func TestDirections(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		direction v1alpha1.Direction
		reversed  bool // the back end is the source
		// What passes while the partition is there.
		request bool
	}{
		{v1alpha1.To, false, false},
		{v1alpha1.From, false, true},
		{v1alpha1.Both, false, false},
		{v1alpha1.To, true, true},
		{v1alpha1.From, true, false},
		{v1alpha1.Both, true, false},
	} {
		t.Run(fmt.Sprintf("%s, reversed %v", test.direction, test.reversed), func(t *testing.T) {
			cluster, outside := system(t)
			if err := outside.Send(t.Context(), "before"); err != nil {
				t.Fatal(err)
			}
			chaos := localtest.Partition()
			chaos.Spec.Direction = test.direction
			if test.reversed {
				chaos.Spec.PodSelector, *chaos.Spec.Target = *chaos.Spec.Target, chaos.Spec.PodSelector
			}
			partition := apply(t, cluster, chaos)
			message := send(t, outside, "message")
			held(t, message)
			if test.request {
				arrives(t, outside, "message")
			} else {
				arrived(t, outside, "message", 0)
			}
			partition.remove()
			if err := get(t, message); err != nil {
				t.Error(err)
			}
			arrived(t, outside, "message", 1)
		})
	}
}

func TestPartitionFromEverything(t *testing.T) {
	t.Parallel()
	cluster, outside := system(t)
	chaos := localtest.Partition()
	chaos.Spec.Target = nil
	partition := apply(t, cluster, chaos)
	message := send(t, outside, "message")
	held(t, message)
	partition.remove()
	if err := get(t, message); err != nil {
		t.Error(err)
	}
}

// TestExternalTarget holds a link that leads out of the cluster. One of the two
// may have a port.
func TestExternalTarget(t *testing.T) {
	t.Parallel()
	for _, named := range [][2]string{
		{"edge.emulated", "edge.emulated"}, {"edge.emulated", "edge.emulated:6443"},
		{"edge.emulated:6443", "edge.emulated"}, {"edge.emulated:6443", "edge.emulated:6443"},
	} {
		t.Run(named[0]+" by "+named[1], func(t *testing.T) {
			t.Parallel()
			description := localtest.Description(t)
			description.Links[0].To, description.Links[0].External = "", named[0]
			cluster := localtest.Start(t, description)
			outside := localtest.Outside(description)
			chaos := localtest.Partition()
			chaos.Spec.Target, chaos.Spec.ExternalTargets = nil, []string{named[1]}
			partition := apply(t, cluster, chaos)
			if detail := partition.await(plan.Injected).Detail; !strings.Contains(detail, "service to "+named[0]) {
				t.Errorf("got %q", detail)
			}
			message := send(t, outside, "message")
			held(t, message)
			partition.remove()
			if err := get(t, message); err != nil {
				t.Error(err)
			}
			arrived(t, outside, "message", 1)
			chaos.Name, chaos.Spec.ExternalTargets = "other", []string{"edge.emulated:443"}
			if err := cluster.Check(t.Context(), chaos); (err != nil) != (named[0] != "edge.emulated") {
				t.Errorf("another port: %v", err)
			}
		})
	}
}

// TestBackEndDies kills what a held request is for. The request is lost, its
// sender learns it, and the next one finds the new back end, free.
func TestBackEndDies(t *testing.T) {
	t.Parallel()
	cluster, outside := system(t)
	if err := outside.Send(t.Context(), "before"); err != nil {
		t.Fatal(err)
	}
	partition := apply(t, cluster, localtest.Partition())
	message := send(t, outside, "lost")
	held(t, message)
	kill := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.BackEnd))
	if err := get(t, message); err == nil {
		t.Error("a request was answered by a back end that was killed")
	}
	kill.await(plan.Ready)
	partition.noted("is free of this fault")
	if err := outside.Send(t.Context(), "after"); err != nil {
		t.Error(err)
	}
	arrived(t, outside, "after", 1)
	arrived(t, outside, "lost", 0)
	partition.remove()
}

// TestLinkRefusesWhileDown looks whether a link looks as its other end would.
func TestLinkRefusesWhileDown(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	cluster := localtest.Start(t, description)
	outside := localtest.Outside(description)
	failure := apply(t, cluster, localtest.PodChaos(v1alpha1.PodFailureAction, localtest.BackEnd))
	failure.await(plan.Down)
	_, err := net.Dial("tcp", description.Links[0].Listen)
	if err == nil || !strings.Contains(err.Error(), syscall.ECONNREFUSED.Error()) {
		t.Errorf("got %v", err)
	}
	failure.remove()
	failure.await(plan.Ready)
	if err := outside.Send(t.Context(), "after"); err != nil {
		t.Error(err)
	}
}

// TestTwoHolds holds a link twice.
func TestTwoHolds(t *testing.T) {
	t.Parallel()
	cluster, outside := system(t)
	first, second := apply(t, cluster, localtest.Partition()), apply(t, cluster, localtest.Partition())
	message := send(t, outside, "message")
	held(t, message)
	first.remove()
	held(t, message)
	second.remove()
	if err := get(t, message); err != nil {
		t.Error(err)
	}
	arrived(t, outside, "message", 1)
}

// TestHoldWithoutProcess holds a pod that has no process at the moment: the
// hold is on the one that comes.
func TestHoldWithoutProcess(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	description.Pods[1].RestartAfter = plan.Duration(time.Second)
	cluster := localtest.Start(t, description)
	outside := localtest.Outside(description)
	kill := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
	kill.await(plan.Down)
	partition := apply(t, cluster, localtest.Partition())
	kill.await(plan.Ready)
	message := send(t, outside, "message")
	held(t, message)
	partition.remove()
	if err := get(t, message); err != nil {
		t.Error(err)
	}
}
