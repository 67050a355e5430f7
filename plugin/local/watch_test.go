package local_test

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/plugin/local/localtest"
)

// watch watches a cluster until the test ends.
func watch(t *testing.T, cluster *local.Cluster) <-chan engine.Disturbance {
	t.Helper()
	seen := make(chan engine.Disturbance, 10)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- cluster.Watch(ctx, func(d engine.Disturbance) { seen <- d }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the watch ended with %v", err)
		}
	})
	return seen
}

var number = regexp.MustCompile(`process (\d+) of pod`)

// pid finds the process of a pod by what a fault on it says.
func pid(t *testing.T, moment engine.Moment) int {
	t.Helper()
	found := number.FindStringSubmatch(moment.Detail)
	if found == nil {
		t.Fatalf("no process in %q", moment.Detail)
	}
	id, _ := strconv.Atoi(found[1])
	return id
}

// TestWatch has a service killed by a fault, then by somebody else, then stopped.
func TestWatch(t *testing.T) {
	t.Parallel()
	cluster := localtest.Start(t, localtest.Description(t))
	seen := watch(t, cluster)
	again := func() int {
		return pid(t, apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service)).await(plan.Ready))
	}
	process := again()
	select {
	case d := <-seen:
		t.Fatalf("a fault is told as a disturbance: %+v", d)
	default:
	}
	for signal, want := range map[syscall.Signal]string{syscall.SIGKILL: "has gone: signal: killed", syscall.SIGSTOP: "was stopped by a signal"} {
		if err := syscall.Kill(process, signal); err != nil {
			t.Fatal(err)
		}
		select {
		case d := <-seen:
			if d.Service != localtest.Service || !strings.HasSuffix(d.Text, want) || time.Since(d.At) > time.Minute {
				t.Errorf("after %v: %+v", signal, d)
			}
		case <-time.After(time.Minute):
			t.Fatalf("nobody saw %v", signal)
		}
		process = again()
	}
}
