package local_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
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

func TestOneOwner(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	localtest.Start(t, description)
	_, err := local.Start(t.Context(), description, local.Options{})
	if !errors.Is(err, local.ErrLocked) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())+" holds it") {
		t.Errorf("got %v", err)
	}
}

func TestStartAgain(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	for range 2 {
		cluster, err := local.Start(t.Context(), description, local.Options{})
		if err != nil {
			t.Fatal(err)
		}
		instance(t, localtest.Outside(description))
		if err := cluster.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", localtest.Addresses(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	free := localtest.Addresses(t, 2)
	for _, test := range []struct {
		name string
		pods []local.Pod
		link *local.Link
		// within is how long the pods get; 0 is long enough.
		within time.Duration
		want   []string
	}{
		{
			"a process that ends", []local.Pod{actor(t, "orchestrator", "broken", free[0])}, nil, 0,
			[]string{"pod orchestrator ended before it was ready: exit status 3", "orchestrator.log:\nfirst line\nthe disk is on fire"},
		},
		{
			"a process that never answers", []local.Pod{actor(t, "orchestrator", "idle", free[0])}, nil, 300 * time.Millisecond,
			[]string{"pod orchestrator was not ready after 300ms: nothing answers at " + free[0]},
		},
		{
			"no program", []local.Pod{{Name: "orchestrator", Command: []string{"/no/such/program"}}}, nil, 0,
			[]string{"start pod orchestrator: ", "no such file or directory"},
		},
		{
			"a link's address is taken", []local.Pod{actor(t, "orchestrator", "stubborn", free[0])},
			&local.Link{From: "orchestrator", External: "edge", Listen: taken.Addr().String(), Connect: free[1]}, 0,
			[]string{"for the link orchestrator to edge", "address already in use"},
		},
		{
			"something else answers", []local.Pod{actor(t, "orchestrator", "stubborn", taken.Addr().String())}, nil, 300 * time.Millisecond,
			[]string{"start pod orchestrator: something else already answers at " + taken.Addr().String()},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			description := describe(t, test.pods...)
			if test.link != nil {
				description.Links = []local.Link{*test.link}
			}
			_, err := local.Start(t.Context(), description, local.Options{ReadyWithin: test.within})
			if err == nil {
				t.Fatal("it started")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %s", err, want)
				}
			}
		})
	}
}

func TestStartIsCancelled(t *testing.T) {
	t.Parallel()
	description := describe(t, actor(t, "orchestrator", "idle", localtest.Addresses(t, 1)[0]))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := local.Start(ctx, description, local.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("EMCO_TOKEN", "canary")
	t.Setenv("TMPDIR", os.TempDir())
	description := describe(t, actor(t, "telling", "telling", localtest.Addresses(t, 1)[0], "COLOUR=blue"))
	localtest.Start(t, description)
	log, err := os.ReadFile(filepath.Join(filepath.Dir(description.File), "logs", "telling.log"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(log)) {
		if name, _, found := strings.Cut(line, "="); found {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	want := []string{"COLOUR", "EMCO_CHAOS_LIFELINE", "GORACE", "HOME", listenVariable, roleVariable, "PATH", "TMPDIR"}
	if !slices.Equal(names, want) {
		t.Errorf("a process sees %v, not %v", names, want)
	}
	if folder := filepath.Dir(description.File); !strings.Contains(string(log), "folder "+folder+"\n") {
		t.Errorf("a process does not start in %s:\n%s", folder, log)
	}
}

// TestNothingIsLeft starts and stops a cluster with everything under way, and
// looks for what it leaves behind.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	description := localtest.Description(t)
	description.Pods = append(description.Pods, actor(t, "other", "telling", localtest.Addresses(t, 1)[0]))
	cluster, err := local.Start(t.Context(), description, local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	outside := localtest.Outside(description)
	partition := apply(t, cluster, localtest.Partition())
	failure := apply(t, cluster, localtest.PodChaos(v1alpha1.PodFailureAction, "other"))
	failure.await(plan.Down)
	apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, "other"))
	message := send(t, outside, "held")
	held(t, message)
	if err := cluster.Close(); err != nil {
		t.Error(err)
	}
	if err := get(t, message); err == nil {
		t.Error("a held message was confirmed by a cluster that closed")
	}
	if partition.has(plan.Removed) || failure.has(plan.Ready) {
		t.Error("a fault was observed at the cluster's end")
	}
	if _, err := outside.Ask(t.Context()); err == nil {
		t.Error("the service still answers")
	}
	for _, err := range []error{
		cluster.Apply(t.Context(), localtest.Partition(), func(engine.Moment) {}),
		cluster.Close(),
	} {
		if err != nil && !errors.Is(err, local.ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
	if err := cluster.Remove(t.Context(), partition.object); err != nil {
		t.Errorf("got %v", err)
	}
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestCloseKillsWhatDoesNotStop(t *testing.T) {
	t.Parallel()
	addresses := localtest.Addresses(t, 2)
	description := describe(t, actor(t, "stubborn", "stubborn", addresses[0]), actor(t, "patient", "patient", addresses[1]))
	cluster, err := local.Start(t.Context(), description, local.Options{StopWithin: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = cluster.Close()
	if err == nil || err.Error() != "pod stubborn did not stop within 3s and was killed" {
		t.Errorf("got %v", err)
	}
	for _, address := range addresses {
		if connection, err := net.Dial("tcp", address); err == nil {
			connection.Close()
			t.Errorf("something still listens at %s", address)
		}
	}
}

// TestOwnerIsKilled kills the owner of a cluster, and looks whether the next
// one finds a free field.
func TestOwnerIsKilled(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	write(t, description)
	outside := localtest.Outside(description)
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), roleVariable+"=owner", listenVariable+"="+description.File)
	if _, err := owner.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil || line != "started: <nil>\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	before := instance(t, outside)
	_, err = local.Start(t.Context(), description, local.Options{})
	if !errors.Is(err, local.ErrLocked) || !strings.Contains(err.Error(), strconv.Itoa(owner.Process.Pid)) {
		t.Errorf("got %v", err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	_ = owner.Wait()
	for {
		if _, err := outside.Ask(t.Context()); err != nil {
			break
		}
		if time.Since(killed) > 2*time.Second {
			t.Fatal("the service outlived its owner by 2 s")
		}
		time.Sleep(time.Millisecond)
	}
	localtest.Start(t, description)
	if after := instance(t, outside); after == before {
		t.Error("the service outlived its owner")
	}
}

var processNumber = regexp.MustCompile(`process (\d+)`)

// processOf finds the number of the process that a moment tells of.
func processOf(t testing.TB, moment engine.Moment) int {
	t.Helper()
	match := processNumber.FindStringSubmatch(moment.Detail)
	if match == nil {
		t.Fatalf("%q names no process", moment.Detail)
	}
	number, _ := strconv.Atoi(match[1])
	return number
}

// TestCrash kills a process without the cluster's knowledge.
func TestCrash(t *testing.T) {
	t.Parallel()
	cluster, outside := system(t)
	kill := apply(t, cluster, localtest.PodChaos(v1alpha1.PodKillAction, localtest.Service))
	pid := processOf(t, kill.await(plan.Ready))
	kill.remove()
	before := instance(t, outside)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for instance(t, outside) == before {
		time.Sleep(time.Millisecond)
	}
	if kill.has(plan.Removed); len(kill.seen) != 6 {
		t.Errorf("observed %v", kill.seen)
	}
}
