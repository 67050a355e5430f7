package emcoctl_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// world is an emulated EMCO whose requests are recorded.
type world struct {
	*testing.T
	client *emco.Client
	rsync  string

	// mu guards the rest: a request that was given up can still be served.
	mu      sync.Mutex
	deletes []string // anchors
	broken  string   // a path that is answered otherwise
	answer  int      // with this code, or not at all
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server := emcotest.Start(t, emcotest.Options{})
	w := &world{T: t, rsync: server.Address("rsync")}
	urls := map[emco.Service]string{}
	for _, service := range []emco.Service{emco.Orchestrator, emco.DCM, emco.CLM} {
		to, err := url.Parse(server.URL(string(service)))
		if err != nil {
			t.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(to)
		front := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			anchor := strings.TrimPrefix(r.URL.Path, "/v2/")
			switch code, broken := w.take(r.Method, anchor); {
			case !broken:
				proxy.ServeHTTP(out, r)
			case code == 0:
				panic(http.ErrAbortHandler)
			default:
				http.Error(out, "404 page not found", code)
			}
		}))
		t.Cleanup(front.Close)
		urls[service] = front.URL
	}
	client, err := emco.New(emco.Config{Endpoints: urls})
	if err != nil {
		t.Fatal(err)
	}
	w.client = client
	return w
}

// take records a DELETE, and returns with which code another request is answered
// in EMCO's place.
func (w *world) take(method, anchor string) (code int, broken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if method == http.MethodDelete {
		w.deletes = append(w.deletes, anchor)
		return 0, false
	}
	return w.answer, anchor == w.broken
}

// breaks has a path answered in EMCO's place from now on, and forgets the DELETEs.
func (w *world) breaks(anchor string, code int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken, w.answer, w.deletes = anchor, code, nil
}

func (w *world) deleted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.deletes)
}

func (w *world) post(anchor, body string) {
	w.Helper()
	request := emco.Post(anchor)
	if body != "" {
		request.JSON = jsonText(body)
	}
	if answer, err := w.client.Do(w.Context(), request); err != nil || answer.Outcome.Kind != emco.Accepted {
		w.Fatalf("POST %s: %s, %v", anchor, answer, err)
	}
}

type jsonText string

func (j jsonText) MarshalJSON() ([]byte, error) { return []byte(j), nil }

func (w *world) there(anchor string) bool {
	answer, err := w.client.Do(w.Context(), emco.Get(anchor))
	return err == nil && answer.Outcome.Kind == emco.Accepted
}

func (w *world) apply(resources []emcoctl.Resource) {
	w.Helper()
	if err := emcoctl.Apply(w.Context(), w.client, resources, quick, &recorder{}); err != nil {
		w.Fatal(err)
	}
}

// delete returns the verdicts, and the last step's text.
func (w *world) delete(resources []emcoctl.Resource, options emcoctl.Options) (verdicts, last string) {
	seen := &recorder{}
	_ = emcoctl.Delete(w.Context(), w.client, resources, options, seen)
	return strings.Join(seen.verdicts(), " "), seen.steps[len(seen.steps)-1].Text
}

var quick = emcoctl.Options{Interval: 10 * time.Millisecond, Patience: time.Minute}

const (
	project   = "version: emco/v2\nresourceContext: {anchor: projects}\nmetadata: {name: p, userData2: mine}\n"
	composite = "---\nversion: emco/v2\nresourceContext: {anchor: projects/p/composite-apps}\nmetadata: {name: a}\nspec: {compositeAppVersion: v1}\n"
)

func named(name string) string { return `{"metadata":{"name":"` + name + `"}}` }

// TestDeleteLeavesWhatApplyDidNotMake: what was there before stays, and so does
// what all users of an EMCO share, unless it is named.
func TestDeleteLeavesWhatApplyDidNotMake(t *testing.T) {
	w := newWorld(t)
	w.post("projects", named("p"))
	w.apply(parse(t, project+composite))
	verdicts, last := w.delete(parse(t, project+composite), quick)
	if verdicts != "done skipped" || last != "is left: emco-chaos apply did not make projects/p; --also projects/p deletes it too" || !w.there("projects/p") {
		t.Errorf("%s: %s", verdicts, last)
	}
	also := quick
	also.Also = []string{"projects/p"}
	if verdicts, last := w.delete(parse(t, project), also); verdicts != "done" || w.there("projects/p") {
		t.Errorf("named: %s: %s", verdicts, last)
	}

	// A label has no mark of its own.
	w.apply(parse(t, cluster+"---\nversion: emco/v2\nresourceContext: {anchor: cluster-providers/cp/clusters/c/labels}\nclusterLabel: l\n"))
	w.post("cluster-providers/cp/clusters/c/labels", `{"clusterLabel":"more"}`)
	labels := parse(t, "version: emco/v2\nresourceContext: {anchor: cluster-providers/cp/clusters/c/labels}\nclusterLabel: l\n---\n"+
		"version: emco/v2\nresourceContext: {anchor: cluster-providers/cp/clusters/c/labels}\nclusterLabel: more\n")
	if verdicts, last := w.delete(append(parse(t, cluster), labels...), quick); verdicts != "done done done done" {
		t.Errorf("labels: %s: %s", verdicts, last)
	}

	host, port, _ := strings.Cut(w.rsync, ":")
	controller := parse(t, strings.NewReplacer("HOST", host, "PORT", port).Replace(cloud))[:1]
	w.apply(controller)
	verdicts, last = w.delete(controller, quick)
	if verdicts != "skipped" || last != "is left: all users of this EMCO share it; --also controllers/rsync deletes it too" || !w.there("controllers/rsync") {
		t.Errorf("a controller: %s: %s", verdicts, last)
	}
	also.Also = []string{"controllers/rsync"}
	if verdicts, _ := w.delete(controller, also); verdicts != "done" || w.there("controllers/rsync") {
		t.Errorf("a controller that is named: %s", verdicts)
	}
}

// TestDeleteLeavesWhatSomethingHangsOn: EMCO can destroy what it refuses to
// delete, so that no DELETE is sent for it.
func TestDeleteLeavesWhatSomethingHangsOn(t *testing.T) {
	w := newWorld(t)
	host, port, _ := strings.Cut(w.rsync, ":")
	edge, all := parse(t, cluster), parse(t, strings.NewReplacer("HOST", host, "PORT", port).Replace(cloud))
	w.apply(edge)
	w.apply(all)
	const group = "projects/p/composite-apps/a/v1/deployment-intent-groups"
	w.post("projects/p/composite-apps", `{"metadata":{"name":"a"},"spec":{"compositeAppVersion":"v1"}}`)
	w.post("projects/p/composite-apps/a/v1/composite-profiles", named("cp"))
	w.post(group, `{"metadata":{"name":"d"},"spec":{"compositeProfile":"cp","version":"r1","logicalCloud":"lc","overrideValues":[]}}`)
	on := map[string]string{
		"composite app":  "projects/p/composite-apps/a/v1 hangs on it, and the files do not name it",
		"group":          group + "/d hangs on it, and the files do not name it",
		"reference":      "projects/p/logical-clouds/lc/cluster-references/ref hangs on it, and the files do not name it",
		"deployed":       "the status of projects/p/logical-clouds/lc says Instantiated; name the file with its instantiate too",
		"logical clouds": "projects/p/logical-clouds/lc, projects/p/composite-apps/a/v1 hangs on it, and the files do not name it",
		"unreadable":     "left as it is, because what hangs on it cannot be read: GET projects/p/composite-apps: ",
	}
	keepGoing := quick
	keepGoing.KeepGoing = true
	for _, test := range []struct {
		name, broken string
		answer       int
		resources    []emcoctl.Resource
		options      emcoctl.Options
		verdicts     string
		last         string
	}{
		{"a project with others in it", "", 0, all[1:2], quick, "refused", on["logical clouds"]},
		{"a list that cannot be read", "projects/p/composite-apps", http.StatusInternalServerError, all[1:2], quick, "refused", on["unreadable"]},
		{"a list that something in front does not know", "projects/p/composite-apps", http.StatusNotFound, all[1:2], quick, "refused", on["unreadable"]},
		{"a list that does not come", "projects/p/composite-apps", 0, all[1:2], quick, "unreachable", "GET projects/p/composite-apps: connection-lost"},
		{"a logical cloud with a group on it", "", 0, all[4:], quick, "refused", on["group"]},
		{"a logical cloud that is instantiated", "", 0, all[3:4], quick, "refused", on["deployed"]},
		{"a cluster that is referred to", "", 0, edge[1:], quick, "refused", on["reference"]},
		{"no further up", "", 0, all[1:], keepGoing, "refused refused refused refused", on["logical clouds"]},
	} {
		w.breaks(test.broken, test.answer)
		verdicts, last := w.delete(test.resources, test.options)
		if verdicts != test.verdicts || !strings.Contains(last, test.last) || len(w.deleted()) > 0 {
			t.Errorf("%s: %s: %s\nDELETEs: %q", test.name, verdicts, last, w.deleted())
		}
	}
	w.breaks("", 0)
	also := quick
	also.Also = []string{"projects/p", "controllers"}
	rest := parse(t, strings.Split(cloud, "---\n")[1]+composite+"---\nversion: emco/v2\nresourceContext: {anchor: projects/p/composite-apps/a/v1/composite-profiles}\nmetadata: {name: cp}\n"+
		"---\nversion: emco/v2\nresourceContext: {anchor: "+group+"}\nmetadata: {name: d}\n")
	if verdicts, last := w.delete(append(append(append(edge, all[0]), all[2:]...), rest[1:]...), also); verdicts != "done done done done done done done done done" {
		t.Errorf("all of it: %s: %s", verdicts, last)
	}
	if verdicts, last := w.delete(rest[:1], quick); verdicts != "done" || w.there("projects/p") {
		t.Errorf("and the project: %s: %s", verdicts, last)
	}
}
