package probes

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// wedges starts an EMCO in which all of a service that is there is wedged, and then no more.
func wedges(t *testing.T, service string, state map[string]any) (*emulated, Subject) {
	t.Helper()
	e := startEMCO(t, emcotest.Options{Bugs: []string{"wedges"}})
	subject := e.subject("wedged")
	run(t, subject, "ensure", given(state), Passed)
	must(t, e.Kill(service))
	must(t, e.Restart(service))
	return e, subject
}

func reasons(seen *record) map[string]string {
	left := map[string]string{}
	for _, r := range seen.resources {
		if r.State == Left {
			left[r.Anchor] = r.Reason
		}
	}
	return left
}

func TestWedge(t *testing.T) {
	for service, test := range map[string]struct {
		state  map[string]any
		call   string
		anchor string
		blocks []string
	}{
		"orchestrator": {map[string]any{"logicalCloud": "Instantiated", "dig": "Instantiated"}, "dig.terminate", "{dig}",
			[]string{"{logicalCloud}", "{compositeApp}", "{project}", "{provider}"}},
		"dcm": {map[string]any{"logicalCloud": "Instantiated"}, "logical-cloud.terminate", "{logicalCloud}", []string{"{project}", "{provider}"}},
	} {
		t.Run(service, func(t *testing.T) {
			e, subject := wedges(t, service, test.state)
			anchor := subject.Names.Anchor(test.anchor)
			isWedged := func(kind string, got Result) {
				t.Helper()
				if got.Evidence["wedged"] != anchor || !strings.Contains(got.Evidence["tried"], "status for") || !strings.Contains(got.Message, "wedged: ") {
					t.Errorf("%s: %+v", kind, got)
				}
				for _, blocked := range test.blocks {
					if !strings.Contains(got.Evidence["blocks"], subject.Names.Anchor(blocked)) {
						t.Errorf("%s: blocks %s, want %s among them", kind, got.Evidence["blocks"], blocked)
					}
				}
			}
			reissued, _ := run(t, subject, "reissue", forCall(test.call), Failed)
			isWedged("reissue", reissued)
			if reissued.Evidence["posts"] != "2" || !strings.Contains(reissued.Evidence["tried"], "POST terminate, twice: 500") {
				t.Errorf("%+v", reissued)
			}
			reached, _ := run(t, subject, "reached", forCall(test.call), Failed)
			isWedged("reached", reached)
			listed, _ := run(t, subject, "leftovers", nil, Passed)
			isWedged("leftovers", listed)
			if listed.Evidence["run wedged, attempt 1"] != "projects/wedged-1, cluster-providers/wedged-1" {
				t.Errorf("%+v", listed)
			}

			subject.Unanswered, subject.Settle = []emco.Call{callNamed(test.call)}, 30*time.Second
			began := time.Now()
			torn, seen := run(t, subject, "teardown", nil, Errored)
			isWedged("teardown", torn)
			if reason := reasons(seen)[anchor]; !strings.HasPrefix(reason, "wedged: GET: 200 OK; status for ") || !strings.Contains(reason, "; DELETE ") {
				t.Errorf("%s: %s", anchor, reason)
			}
			left := reasons(seen)
			if left[subject.Names.Anchor("{provider}")] != blocked || torn.Evidence["left"] != "1" || !strings.Contains(left[anchor], "more of the attempt stay because of it") {
				t.Errorf("left: %v, %v", left, torn.Evidence)
			}
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("the teardown took %v", took)
			}

			// The next run is not hindered, and what it leaves is removed beside the wedge.
			next := e.subject("next")
			run(t, next, "ensure", given(test.state), Passed)
			cleaned, seen := run(t, subject, "clean", nil, Errored)
			if left := reasons(seen); len(left) != 1 {
				t.Errorf("clean tells of %v, want the wedge", left)
			}
			isWedged("clean", cleaned)
			if got, want := e.collections(subject), []string{"projects/wedged-1", "cluster-providers/wedged-1"}; !slices.Equal(got, want) {
				t.Errorf("EMCO has %v, want %v", got, want)
			}
		})
	}
}

// What goes away by itself is no wedge, nor is a service that is away.
func TestNoWedge(t *testing.T) {
	there := reply{code: 200, body: `{"metadata":{"name":"run-1-dig"}}`}
	for name, test := range map[string]struct {
		status, dig []reply
		post        reply
		want        Conclusion
	}{
		"the status comes back":      {append(slices.Repeat([]reply{broken}, 5), installed), []reply{there}, accepted, Passed},
		"the call is accepted":       {[]reply{broken}, []reply{there}, accepted, Passed},
		"the store is away":          {[]reply{broken}, []reply{broken}, accepted, Failed},
		"the service is away":        {[]reply{lost}, []reply{there}, accepted, Failed},
		"a status of what is absent": {[]reply{noJSON}, []reply{{code: 404, body: "DeploymentIntentGroup not found\n"}}, accepted, Failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newScripted(t, map[string][]reply{digStatus: test.status, "GET " + digPath: test.dig, digTerminate: {test.post}})
			subject := server.subject()
			subject.Setup.quiet = 200 * time.Millisecond
			got, _ := runWithin(t, 2*time.Second, subject, "reissue", forCall("dig.terminate"), test.want, "")
			if got.Evidence["wedged"] != "" || strings.Contains(got.Message, "wedged") {
				t.Errorf("%+v", got)
			}
		})
	}
}

// before puts a server in front of the orchestrator, dcm and clm that does something before each request.
func (e *emulated) before(subject Subject, do func(w http.ResponseWriter, r *http.Request) (answered bool)) Subject {
	e.t.Helper()
	endpoints := map[emco.Service]string{}
	for _, service := range []emco.Service{emco.Orchestrator, emco.DCM, emco.CLM} {
		behind, err := url.Parse(e.URL(string(service)))
		if err != nil {
			e.t.Fatal(err)
		}
		forward := httputil.NewSingleHostReverseProxy(behind)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !do(w, r) {
				forward.ServeHTTP(w, r)
			}
		}))
		e.t.Cleanup(server.Close)
		endpoints[service] = server.URL
	}
	client, err := emco.New(emco.Config{Endpoints: endpoints, Answered: func(a emco.Answer) {
		if a.Request.Method == http.MethodDelete && a.Outcome.Kind != emco.Accepted {
			e.t.Errorf("DELETE %s: %s", a.Request.Anchor, a)
		}
	}})
	if err != nil {
		e.t.Fatal(err)
	}
	subject.Client = client
	return subject
}

// child is what somebody else makes in a collection.
func child(collection string) emco.Request {
	request := emco.Post(collection)
	metadata := map[string]any{"name": "theirs"}
	spec := map[string]any{}
	switch path.Base(collection) {
	case "clusters":
		request.File = &emco.File{Name: "kubeconfig", Content: []byte("k")}
	case "labels":
		request.JSON = map[string]any{"clusterLabel": "theirs"}
		return request
	case "logical-clouds":
		spec["level"] = "0"
	case "composite-apps":
		spec["compositeAppVersion"] = "v1"
	case "cluster-references":
		spec["clusterProvider"], spec["cluster"], spec["loadBalancerIP"] = "p", "c", "0.0.0.0"
	case "deployment-intent-groups":
		spec["compositeProfile"], spec["version"], spec["logicalCloud"], spec["overrideValues"] = "p", "r1", "l", []string{}
	case "intents":
		spec["intent"] = map[string]string{"genericPlacementIntent": "g"}
	case "app-intents":
		spec["app"], spec["intent"] = "a", map[string]any{}
	}
	request.JSON = map[string]any{"metadata": metadata, "spec": spec}
	return request
}

// What others have made below the run's resources stays, with all that it lies in, and no DELETE is sent that EMCO
// would refuse: a refused one destroys.
func TestTeardownLeavesWhatHoldsSomethingOfOthers(t *testing.T) {
	for _, collection := range []string{
		"{project}/logical-clouds", "{project}/composite-apps", "{provider}/clusters", "{cluster}/labels", "{logicalCloud}/cluster-references",
		"{compositeApp}/composite-profiles", "{compositeApp}/deployment-intent-groups", "{dig}/generic-placement-intents", "{dig}/intents",
		"{placement}/app-intents",
	} {
		t.Run(collection, func(t *testing.T) {
			t.Parallel()
			e := startEMCO(t, emcotest.Options{})
			subject := e.subject("holds")
			state := map[string]any{"logicalCloud": "Instantiated", "dig": "Instantiated"}
			if strings.HasPrefix(collection, "{logicalCloud}") {
				state = map[string]any{"logicalCloud": "Created"}
			}
			run(t, subject, "ensure", given(state), Passed)
			made := subject.Names.Anchor(collection)
			if answer, err := subject.Client.Do(t.Context(), child(made)); err != nil || answer.Code != http.StatusCreated {
				t.Fatal(answer, err)
			}
			began := time.Now()
			_, seen := run(t, e.before(subject, func(http.ResponseWriter, *http.Request) bool { return false }), "teardown", nil, Errored)
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
			left := reasons(seen)
			for anchor := path.Dir(made); strings.Contains(anchor, "/"); anchor = path.Dir(anchor) {
				isResource := slices.ContainsFunc(subject.Names.Resources(emco.Material{}), func(r emco.Resource) bool { return r.Anchor == anchor })
				if isResource && !strings.HasPrefix(left[anchor], "it holds ") {
					t.Errorf("%s: %q; left: %v", anchor, left[anchor], left)
				}
			}
			list, err := subject.Client.Do(t.Context(), emco.Get(made))
			if err != nil || !strings.Contains(list.Text(), "theirs") {
				t.Errorf("%v, %v", list, err)
			}
		})
	}
}

// A list that cannot be read can hide something.
func TestTeardownDeletesNothingWhoseChildrenItCannotRead(t *testing.T) {
	e := startEMCO(t, emcotest.Options{})
	subject := e.subject("hidden")
	run(t, subject, "ensure", given(map[string]any{"logicalCloud": "Created", "dig": "Created"}), Passed)
	list := subject.Names.Anchor("{dig}/intents")
	var mended atomic.Bool
	front := e.before(subject, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v2/"+list || r.Method != http.MethodGet || mended.Load() {
			return false
		}
		http.Error(w, "The server encountered an internal error", http.StatusInternalServerError)
		return true
	})
	_, seen := runWithin(t, time.Second, front, "teardown", nil, Errored, "left")
	if reason := reasons(seen)[subject.Names.Anchor("{dig}")]; !strings.HasPrefix(reason, "GET intents: 500") {
		t.Errorf("%v", reasons(seen))
	}
	mended.Store(true)
	run(t, front, "teardown", nil, Passed)
}

// A child that appears between the look and the DELETE has EMCO refuse it, once.
func TestTeardownSendsNoSecondRefusedDelete(t *testing.T) {
	e := startEMCO(t, emcotest.Options{})
	subject := e.subject("between")
	run(t, subject, "ensure", given(map[string]any{"logicalCloud": "Created", "dig": "Created"}), Passed)
	dig := subject.Names.Anchor("{dig}")
	var deletes atomic.Int32
	front := e.before(subject, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v2/"+dig || r.Method != http.MethodDelete {
			return false
		}
		if deletes.Add(1) == 1 {
			if answer, err := subject.Client.Do(r.Context(), child(dig+"/generic-placement-intents")); err != nil || answer.Code != http.StatusCreated {
				t.Error(answer, err)
			}
		}
		http.Error(w, "Cannot delete parent without deleting child references first", http.StatusConflict)
		return true
	})
	front.Client, _ = emco.New(emco.Config{Endpoints: map[emco.Service]string{emco.Orchestrator: endpoint(front, t, dig), emco.DCM: e.URL("dcm"), emco.CLM: e.URL("clm")}})
	_, seen := runWithin(t, 10*time.Second, front, "teardown", nil, Errored, "left")
	if n := deletes.Load(); n != 1 || !strings.HasPrefix(reasons(seen)[dig], "it holds generic-placement-intents/theirs, which this run did not make") {
		t.Errorf("%d DELETEs; %v", n, reasons(seen))
	}
}

// endpoint is where a subject's client asks for an anchor.
func endpoint(subject Subject, t *testing.T, anchor string) string {
	t.Helper()
	at, err := subject.Client.URL(emco.Get(anchor))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(at, "/v2/"+anchor)
}
