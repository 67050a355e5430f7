package local_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/engine/drivertest"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/plugin/local/localtest"
)

// roleVariable makes a process of this test binary something other than a
// test.
const roleVariable = "LOCAL_TEST_ROLE"

const listenVariable = "LOCAL_TEST_LISTEN"

func init() {
	if os.Getenv(roleVariable) == "headless" {
		runtime.LockOSThread() // to the first one
	}
}

func TestMain(m *testing.M) {
	drivertest.Serve()
	if role, found := roles[os.Getenv(roleVariable)]; found {
		role()
		os.Exit(0)
	}
	m.Run()
}

var roles = map[string]func(){
	"broken": func() {
		fmt.Println("first line")
		fmt.Fprintln(os.Stderr, "the disk is on fire")
		os.Exit(3)
	},
	// idle never answers anywhere.
	"idle": func() { endWithLifeline() },
	// stubborn does not stop when it is asked to.
	"stubborn": func() {
		signal.Ignore(syscall.SIGTERM)
		hold(os.Getenv(listenVariable))
		endWithLifeline()
	},
	// patient takes a while to stop.
	"patient": func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		hold(os.Getenv(listenVariable))
		<-stop
		time.Sleep(200 * time.Millisecond)
	},
	// parent has a child that answers in its place.
	"parent": func() {
		signal.Ignore(syscall.SIGTERM)
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), roleVariable+"=stubborn")
		child.ExtraFiles = []*os.File{os.NewFile(3, "lifeline")}
		if err := child.Run(); err != nil {
			os.Exit(1)
		}
	},
	// headless listens, and the thread that the process began with has ended.
	"headless": func() {
		hold(os.Getenv(listenVariable))
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0)
	},
	// late answers by HTTP, and first that it is not ready.
	"late": func() {
		var asked atomic.Int32
		http.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) == 1 {
				http.Error(w, "not yet", http.StatusServiceUnavailable)
			}
		})
		go func() { _ = http.ListenAndServe(os.Getenv(listenVariable), nil) }()
		endWithLifeline()
	},
	// telling writes its environment and its folder.
	"telling": func() {
		fmt.Println(strings.Join(os.Environ(), "\n"))
		folder, _ := os.Getwd()
		fmt.Println("folder " + folder)
		hold(os.Getenv(listenVariable))
		endWithLifeline()
	},
	// owner runs a cluster until it is killed.
	"owner": func() {
		description, err := local.Load(os.Getenv(listenVariable))
		if err == nil {
			_, err = local.Start(context.Background(), description, local.Options{})
		}
		fmt.Println("started:", err)
		_, _ = io.Copy(io.Discard, os.Stdin)
	},
}

// hold listens at an address from here on.
func hold(address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connection.Close()
		}
	}()
}

func endWithLifeline() {
	_, _ = io.Copy(io.Discard, os.NewFile(3, "lifeline"))
}

// actor is a pod that is a process of this test binary.
func actor(t testing.TB, name, role, address string, env ...string) local.Pod {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pod := local.Pod{
		Name: name, Labels: map[string]string{"app": name}, Command: []string{program},
		Env:          map[string]string{roleVariable: role, listenVariable: address, "GORACE": "atexit_sleep_ms=0"},
		Ready:        local.Ready{TCP: address},
		RestartAfter: plan.Duration(localtest.RestartAfter),
	}
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		pod.Env[name] = value
	}
	return pod
}

func describe(t testing.TB, pods ...local.Pod) *local.Description {
	return &local.Description{File: filepath.Join(t.TempDir(), "cluster.yaml"), Name: "test", Namespace: localtest.Namespace, Pods: pods}
}

// write writes a description as the file that it would have been read from.
func write(t testing.TB, description *local.Description) {
	t.Helper()
	var pods, links []any
	for _, pod := range description.Pods {
		fields := map[string]any{
			"name": pod.Name, "labels": pod.Labels, "command": pod.Command, "env": pod.Env,
			"restartAfter": pod.RestartAfter.String(), "after": append([]string{}, pod.After...),
		}
		if pod.Ready.TCP != "" {
			fields["ready"] = map[string]string{"tcp": pod.Ready.TCP}
		}
		pods = append(pods, fields)
	}
	for _, link := range description.Links {
		fields := map[string]any{"from": link.From, "listen": link.Listen, "connect": link.Connect}
		if link.To != "" {
			fields["to"] = link.To
		} else {
			fields["external"] = link.External
		}
		links = append(links, fields)
	}
	data, err := yaml.Marshal(map[string]any{
		"apiVersion": "emco-chaos/v1", "kind": "LocalCluster",
		"metadata": map[string]any{"name": description.Name},
		"spec":     map[string]any{"namespace": description.Namespace, "pods": pods, "links": links},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(description.File, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// patience is how long anything may take that must happen.
const patience = 20 * time.Second

// applied is an object with what was observed of it.
type applied struct {
	t       testing.TB
	driver  engine.Driver
	object  fault.Object
	moments chan engine.Moment
	seen    map[string]engine.Moment
	notes   []string
}

// system starts a cluster, and looks at it from outside.
func system(t testing.TB) (*local.Cluster, drivertest.Outside) {
	t.Helper()
	description := localtest.Description(t)
	return localtest.Start(t, description), localtest.Outside(description)
}

func apply(t testing.TB, driver engine.Driver, object fault.Object) *applied {
	t.Helper()
	a := &applied{t: t, driver: driver, object: object, moments: make(chan engine.Moment, 100), seen: map[string]engine.Moment{}}
	if err := driver.Apply(t.Context(), object, func(m engine.Moment) { a.moments <- m }); err != nil {
		t.Fatal(err)
	}
	return a
}

// await waits for an event.
func (a *applied) await(event string) engine.Moment {
	a.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		if moment, seen := a.seen[event]; seen {
			return moment
		}
		select {
		case moment := <-a.moments:
			a.take(moment)
		case <-timer.C:
			a.t.Fatalf("%s was not observed, only %v %q", event, a.seen, a.notes)
		}
	}
}

func (a *applied) take(moment engine.Moment) {
	a.t.Helper()
	switch {
	case moment.Err != nil:
		a.t.Fatalf("the driver says: %v", moment.Err)
	case moment.Event == "":
		a.notes = append(a.notes, moment.Detail)
	default:
		a.seen[moment.Event] = moment
	}
}

// has says whether an event was observed so far.
func (a *applied) has(event string) bool {
	a.t.Helper()
	for {
		select {
		case moment := <-a.moments:
			a.take(moment)
			continue
		default:
		}
		_, seen := a.seen[event]
		return seen
	}
}

// noted waits for a note that has the words.
func (a *applied) noted(words string) {
	a.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		for _, note := range a.notes {
			if strings.Contains(note, words) {
				return
			}
		}
		select {
		case moment := <-a.moments:
			a.take(moment)
		case <-timer.C:
			a.t.Fatalf("nothing was noted of %q, only %q", words, a.notes)
		}
	}
}

// troubled waits for the driver to say an error that has the words.
func (a *applied) troubled(words string) {
	a.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case moment := <-a.moments:
			if moment.Err != nil && strings.Contains(moment.Err.Error(), words) {
				return
			}
			a.take(moment)
		case <-timer.C:
			a.t.Fatalf("the driver did not say %q, only %v %q", words, a.seen, a.notes)
		}
	}
}

func (a *applied) remove() {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	if err := a.driver.Remove(ctx, a.object); err != nil {
		a.t.Fatal(err)
	}
}

// instance asks the service until it answers.
func instance(t testing.TB, outside drivertest.Outside) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		name, err := outside.Ask(t.Context())
		if err == nil {
			return name
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// send has the service send a message, and gives what became of it.
func send(t testing.TB, outside drivertest.Outside, message string) <-chan error {
	done := make(chan error, 1)
	go func() { done <- outside.Send(t.Context(), message) }()
	return done
}

func arrived(t testing.TB, outside drivertest.Outside, message string, times int) {
	t.Helper()
	count, err := outside.Received(t.Context(), message)
	if err != nil {
		t.Fatal(err)
	}
	if count != times {
		t.Errorf("message %s arrived %d times, not %d", message, count, times)
	}
}

// arrives waits until a message has arrived.
func arrives(t testing.TB, outside drivertest.Outside, message string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		count, err := outside.Received(t.Context(), message)
		switch {
		case err != nil:
			t.Fatal(err)
		case count == 1:
			return
		case time.Now().After(deadline):
			t.Fatalf("message %s did not arrive", message)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// quiet is how long nothing is to be seen of what must not happen.
const quiet = 100 * time.Millisecond

// held checks that a message is neither confirmed nor lost for a while.
func held(t testing.TB, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		t.Fatalf("the message was not held: %v", err)
	case <-time.After(quiet):
	}
}

func get(t testing.TB, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("nothing came")
		return nil
	}
}
