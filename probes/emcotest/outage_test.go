package emcotest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emcotest"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rsync"
)

// started is an EMCO in this process with a project whose deployment intent group is Approved.
func started(t *testing.T, options emcotest.Options) *replay {
	t.Helper()
	options.AppTime = 20 * time.Millisecond
	r := newReplay(t, options)
	create(t, r.call, controllers(r.emco.Address("rsync")), clusters(gmsProvider))
	approved(t, r.call, "p")
	return r
}

// calling makes a POST beside the test.
func calling(r *replay, path string) <-chan answer {
	ended := make(chan answer, 1)
	go func() { ended <- r.call.post(path) }()
	return ended
}

// inFlight demands that a call does not end for a while.
func inFlight(t *testing.T, call <-chan answer) {
	t.Helper()
	select {
	case got := <-call:
		t.Fatalf("answered %d %q %v, want it in flight", got.status, got.body, got.err)
	case <-time.After(1500 * time.Millisecond):
	}
}

// within waits for a call's end.
func within(t *testing.T, call <-chan answer) answer {
	t.Helper()
	select {
	case got := <-call:
		return got
	case <-time.After(patience):
		t.Fatalf("not answered within %v", patience)
		return answer{}
	}
}

func TestEtcdDown(t *testing.T) {
	t.Parallel()
	r := started(t, emcotest.Options{})
	for _, call := range []struct{ name, state string }{{"instantiate", "Instantiated"}, {"terminate", "Terminated"}} {
		r.kill("etcd")
		pending := calling(r, digOf("p")+"/"+call.name)
		inFlight(t, pending)
		r.restart("etcd")
		if got := within(t, pending); got.status != http.StatusAccepted {
			t.Fatalf("%s: %d %q %v, want 202", call.name, got.status, got.body, got.err)
		}
		r.call.reach(t, digOf("p"), call.state)
	}
}

func TestMongoDown(t *testing.T) {
	t.Parallel()
	r := started(t, emcotest.Options{StoreTimeout: 200 * time.Millisecond})
	r.kill("mongo")
	for _, call := range []string{"instantiate", "terminate"} {
		if got := r.call.post(digOf("p") + "/" + call); got.status != http.StatusInternalServerError {
			t.Errorf("%s: %d %q %v, want 500", call, got.status, got.body, got.err)
		}
	}
	r.restart("mongo")
	r.call.accept(t, digOf("p")+"/instantiate")
	r.call.reach(t, digOf("p"), "Instantiated")
}

func TestEdgeDown(t *testing.T) {
	t.Parallel()
	r := started(t, emcotest.Options{RsyncTimes: rsync.Times{Retry: 50 * time.Millisecond}})
	for _, call := range []struct{ name, during, state string }{
		{"instantiate", "Instantiating", "Instantiated"}, {"terminate", "Terminating", "Terminated"},
	} {
		r.kill("edge")
		r.call.accept(t, digOf("p")+"/"+call.name)
		r.call.reach(t, digOf("p"), call.during)
		eventually(t, "the connectivity of both apps is Retrying", func() bool {
			return strings.Count(r.call.get(digOf("p")+"/status?status=deployed").body, `"connectivity":"Retrying"`) == 2
		})
		r.restart("edge")
		r.call.reach(t, digOf("p"), call.state)
	}
}

// A call that is held at rsync, on a connection that is established: install waits, uninstall gives up after 10 s.
func TestRsyncHeld(t *testing.T) {
	t.Parallel()
	r := started(t, emcotest.Options{})
	link := r.proxies["orchestrator rsync"]
	link.hold()
	pending := calling(r, digOf("p")+"/instantiate")
	inFlight(t, pending)
	link.release()
	if got := within(t, pending); got.status != http.StatusAccepted {
		t.Fatalf("instantiate: %d %q %v, want 202", got.status, got.body, got.err)
	}
	r.call.reach(t, digOf("p"), "Instantiated")

	create(t, r.call, cloud("q", gmsProvider))
	r.call.accept(t, cloudOf("q")+"/instantiate")
	r.call.reach(t, cloudOf("q"), "Instantiated")
	link.hold()
	r.proxies["dcm rsync"].hold()
	began := time.Now()
	group, cloud := calling(r, digOf("p")+"/terminate"), calling(r, cloudOf("q")+"/terminate")
	refusedWith(t, within(t, group), http.StatusInternalServerError, "rpc error: code = DeadlineExceeded desc = context deadline exceeded")
	refusedWith(t, within(t, cloud), http.StatusInternalServerError, "The server encountered an internal error")
	if took := time.Since(began); took < 10*time.Second {
		t.Errorf("gave up after %v, want 10 s", took)
	}
	if state := r.call.deployed(digOf("p")); state != "Instantiated" {
		t.Errorf("state %q, want Instantiated", state)
	}
}

// A dcm that has not called rsync before does not wait for one that hangs.
func TestFreshDCMHeldAtRsync(t *testing.T) {
	t.Parallel()
	r := newReplay(t, emcotest.Options{})
	create(t, r.call, controllers(r.emco.Address("rsync")), clusters(gmsProvider), cloud("q", gmsProvider))
	r.proxies["dcm rsync"].hold()
	refusedWith(t, r.call.post(cloudOf("q")+"/instantiate"), http.StatusInternalServerError, "The server encountered an internal error")
	if state := r.call.deployed(cloudOf("q")); state != "" {
		t.Errorf("state %q, want none", state)
	}
}

func TestNeverDeploys(t *testing.T) {
	t.Parallel()
	r := started(t, emcotest.Options{Bugs: []string{"never-deploys"}})
	r.call.accept(t, digOf("p")+"/instantiate")
	r.call.reach(t, digOf("p"), "Instantiating")
	r.call.accept(t, digOf("p")+"/terminate")
	r.call.reach(t, digOf("p"), "Terminated")
}

func TestNeverTerminates(t *testing.T) {
	t.Parallel()
	r := started(t, emcotest.Options{Bugs: []string{"never-terminates"}})
	r.call.accept(t, digOf("p")+"/instantiate")
	r.call.reach(t, digOf("p"), "Instantiated")
	r.call.accept(t, digOf("p")+"/terminate")
	r.call.reach(t, digOf("p"), "Terminating")
	r.kill("rsync")
	r.restart("rsync")
	limit := time.After(500 * time.Millisecond)
	for {
		if state := r.call.deployed(digOf("p")); state != "Terminating" {
			t.Fatalf("state %q, want Terminating for ever", state)
		}
		select {
		case <-limit:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestWrongCodeOnReissue(t *testing.T) {
	t.Parallel()
	r := started(t, emcotest.Options{Bugs: []string{"wrong-code-on-reissue"}})
	r.proxies["orchestrator etcd"].hold()
	pending := calling(r, digOf("p")+"/instantiate")
	inFlight(t, pending)
	r.kill("orchestrator")
	if got := within(t, pending); !connectionLost(got.err) {
		t.Fatalf("%+v, want a lost connection", got)
	}
	r.proxies["orchestrator etcd"].drop()
	r.proxies["orchestrator etcd"].release()
	r.restart("orchestrator")
	refusedWith(t, r.call.post(digOf("p")+"/instantiate"), http.StatusBadRequest, "This request has been made before")
}

// A stop is not a kill: nothing is forgotten.
func TestLoseStateNotWhenStopped(t *testing.T) {
	t.Parallel()
	r := started(t, emcotest.Options{Bugs: []string{"lose-state"}})
	r.proxies["rsync edge"].hold()
	r.call.accept(t, digOf("p")+"/instantiate")
	eventually(t, "rsync waits for the edge", func() bool { return r.proxies["rsync edge"].waiting() > 0 })
	if err := r.emco.Stop("orchestrator"); err != nil {
		t.Fatal(err)
	}
	r.restartAlone("orchestrator")
	if state := r.call.deployed(digOf("p")); state != "Instantiating" {
		t.Errorf("stopped: state %q, want Instantiating", state)
	}
	if err := r.emco.Kill("orchestrator"); err != nil {
		t.Fatal(err)
	}
	r.restartAlone("orchestrator")
	eventually(t, "forgotten after a kill", func() bool { return r.call.deployed(digOf("p")) == "" })
}

func TestTokenAndRoutes(t *testing.T) {
	t.Parallel()
	emco := emcotest.Start(t, emcotest.Options{Token: "secret"})
	call := caller{urls: emco.URL, token: "secret"}
	for _, path := range []string{"/v2/projects", "/v2/cluster-providers", "/v2/projects/p/logical-clouds/l"} {
		if got := (caller{urls: emco.URL}).get(path); got.status != http.StatusUnauthorized {
			t.Errorf("GET %s without a token: %d %q, want 401", path, got.status, got.body)
		}
		if got := (caller{urls: emco.URL, token: "other"}).get(path); got.status != http.StatusUnauthorized {
			t.Errorf("GET %s with another token: %d %q, want 401", path, got.status, got.body)
		}
		if got := call.get(path); got.status == http.StatusUnauthorized {
			t.Errorf("GET %s with the token: 401", path)
		}
	}
	for path, want := range map[string]answer{
		"/metrics":            {status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8"},
		"/healthz":            {status: 404, contentType: "text/plain; charset=utf-8", body: "404 page not found\n"},
		"/v2/projects/p/nope": {status: 404, contentType: "text/plain; charset=utf-8", body: "404 page not found\n"},
	} {
		got := call.get(path)
		if path == "/metrics" && strings.Contains(got.body, "process_start_time_seconds ") {
			got.body = ""
		}
		if got != want {
			t.Errorf("GET %s: %+v, want %+v", path, got, want)
		}
	}
	if got := call.do(http.MethodPut, "/v2/projects", nil, nil); got != (answer{status: http.StatusMethodNotAllowed}) {
		t.Errorf("PUT: %+v, want 405 without a body", got)
	}
}

// What an EMCO was told outlives it.
func TestStateOutlivesProcess(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first, err := emcotest.New(emcotest.Options{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	call := caller{urls: first.URL}
	create(t, call, controllers(first.Address("rsync")), clusters(gmsProvider))
	instantiated(t, call, "p")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := emcotest.Start(t, emcotest.Options{Data: data})
	call = caller{urls: second.URL}
	if state := call.deployed(digOf("p")); state != "Instantiated" {
		t.Errorf("state %q, want Instantiated", state)
	}
}
