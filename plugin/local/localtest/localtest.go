// Package localtest is a small local cluster for tests: a service, its back
// end, and the link between them, all of them processes of the test binary.
// Its TestMain must call [drivertest.Serve] first.
package localtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine/drivertest"
	"github.com/emco-chaos/emco-chaos/plugin/local"
)

// Names of what the cluster has.
const (
	Namespace = "test"
	Service   = "service"
	BackEnd   = "back-end"
)

// RestartAfter is how long a killed process of the cluster stays away.
const RestartAfter = 150 * time.Millisecond

// Description describes the cluster in a folder of the test.
func Description(t testing.TB) *local.Description {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addresses := Addresses(t, 3)
	pod := func(name, listen, backEnd string, after ...string) local.Pod {
		return local.Pod{
			Name: name, Labels: map[string]string{"app": name}, Command: []string{program}, After: after,
			Env: map[string]string{
				drivertest.ListenVariable:  listen,
				drivertest.BackEndVariable: backEnd,
				// The race detector has a process wait for a second at its end.
				"GORACE": "atexit_sleep_ms=0",
			},
			Ready: local.Ready{TCP: listen}, RestartAfter: plan.Duration(RestartAfter),
		}
	}
	backEnd, link := addresses[1], addresses[2]
	return &local.Description{
		File:      filepath.Join(t.TempDir(), "cluster.yaml"),
		Name:      "test",
		Namespace: Namespace,
		Pods:      []local.Pod{pod(BackEnd, backEnd, ""), pod(Service, addresses[0], link, BackEnd)},
		Links:     []local.Link{{From: Service, To: BackEnd, Listen: link, Connect: backEnd}},
	}
}

// Start starts a cluster that ends with the test.
func Start(t testing.TB, description *local.Description) *local.Cluster {
	t.Helper()
	cluster, err := local.Start(t.Context(), description, local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

// Outside sees the cluster from outside.
func Outside(description *local.Description) drivertest.Outside {
	return drivertest.Outside{Service: description.Pods[1].Ready.TCP, BackEnd: description.Pods[0].Ready.TCP}
}

// System starts a cluster as the conformance suite wants it. Change, if not
// nil, changes its description before.
func System(t testing.TB, change func(*local.Description)) drivertest.System {
	t.Helper()
	description := Description(t)
	if change != nil {
		change(description)
	}
	outside := Outside(description)
	return drivertest.System{
		Driver:    Start(t, description),
		Kill:      func() fault.Object { return PodChaos(v1alpha1.PodKillAction, Service) },
		Failure:   func() fault.Object { return PodChaos(v1alpha1.PodFailureAction, Service) },
		Partition: func() fault.Object { return Partition() },
		Nothing:   func() fault.Object { return PodChaos(v1alpha1.PodKillAction, "nobody") },
		Ask:       outside.Ask,
		Send:      outside.Send,
		Crash:     outside.Crash,
		Received:  outside.Received,
		Patience:  20 * time.Second,
		Quiet:     200 * time.Millisecond,
	}
}

var counter atomic.Int64

// meta names an object as no other one of this process.
func meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: Namespace,
		Name:      fmt.Sprintf("test-%d", counter.Add(1)),
		Labels:    map[string]string{fault.RunLabel: "test"},
	}
}

func selector(app string) v1alpha1.PodSelector {
	return v1alpha1.PodSelector{
		Mode: v1alpha1.AllMode,
		Selector: v1alpha1.PodSelectorSpec{GenericSelectorSpec: v1alpha1.GenericSelectorSpec{
			Namespaces:     []string{Namespace},
			LabelSelectors: map[string]string{"app": app},
		}},
	}
}

// PodChaos makes a fault on the pods of an app.
func PodChaos(action v1alpha1.PodChaosAction, app string) *v1alpha1.PodChaos {
	chaos := &v1alpha1.PodChaos{ObjectMeta: meta()}
	chaos.Spec.Action, chaos.Spec.Duration = action, new("60s")
	chaos.Spec.PodSelector = selector(app)
	return chaos
}

// Partition makes a partition between the service and its back end.
func Partition() *v1alpha1.NetworkChaos {
	target := selector(BackEnd)
	chaos := &v1alpha1.NetworkChaos{ObjectMeta: meta()}
	chaos.Spec.Action, chaos.Spec.Duration = v1alpha1.PartitionAction, new("60s")
	chaos.Spec.PodSelector, chaos.Spec.Target = selector(Service), &target
	chaos.Spec.Direction = v1alpha1.Both
	return chaos
}

// Below the ports that the kernel gives to outgoing connections, so that none
// of them takes one that is free for a moment.
const firstPort, lastPort = 15000, 32000

// Addresses are loopback addresses that belong to the test until it ends,
// among all tests that take theirs from here.
func Addresses(t testing.TB, count int) []string {
	t.Helper()
	var addresses []string
	for range 1000 {
		if len(addresses) == count {
			return addresses
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		if lease(t, port) {
			addresses = append(addresses, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		}
	}
	t.Fatal("no free ports")
	return nil
}

// lease binds a socket to the port, which nobody else's may be bound to, and
// then lets others that share addresses, as Go's listeners do, have it too.
func lease(t testing.TB, port int) bool {
	t.Helper()
	descriptor, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if unix.Bind(descriptor, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}) != nil {
		_ = unix.Close(descriptor)
		return false
	}
	t.Cleanup(func() { _ = unix.Close(descriptor) })
	if err := unix.SetsockoptInt(descriptor, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	return true
}
