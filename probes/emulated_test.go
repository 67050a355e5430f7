package probes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// emulated is an emulated EMCO, and subjects that work on it. Tests that stop
// one of its services do not run beside others, which could take its port.
type emulated struct {
	*emcotest.EMCO
	t          *testing.T
	kubeconfig string
	token      emco.Secret
}

func startEMCO(t *testing.T, options emcotest.Options) *emulated {
	t.Helper()
	if options.AppTime == 0 {
		options.AppTime = 5 * time.Millisecond
	}
	if options.CloudTime == 0 {
		options.CloudTime = 5 * time.Millisecond
	}
	e := &emulated{EMCO: emcotest.Start(t, options), t: t, kubeconfig: filepath.Join(t.TempDir(), "edge.kubeconfig")}
	if err := os.WriteFile(e.kubeconfig, kubeconfigOf(e.URL("edge"), ""), 0o600); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *emulated) subject(run string) Subject {
	e.t.Helper()
	client, err := emco.New(emco.Config{
		Endpoints: map[emco.Service]string{
			emco.Orchestrator: e.URL("orchestrator"), emco.DCM: e.URL("dcm"), emco.CLM: e.URL("clm"),
		},
		Token: e.token,
	})
	if err != nil {
		e.t.Fatal(err)
	}
	names, err := emco.NewNames(run, 1)
	if err != nil {
		e.t.Fatal(err)
	}
	return Subject{Client: client, Names: names, Setup: Setup{
		Kubeconfig: e.kubeconfig, Rsync: e.Address("rsync"), Apps: []string{"adservice", "currencyservice"}, interval: 10 * time.Millisecond, quiet: 50 * time.Millisecond,
	}}
}

// run runs a probe and demands a conclusion.
func run(t *testing.T, subject Subject, kind string, args map[string]any, want Conclusion) (Result, *record) {
	t.Helper()
	return runWithin(t, time.Minute, subject, kind, args, want, "")
}

// runWithin runs a probe for so long at most, and demands a conclusion and a message.
func runWithin(t *testing.T, limit time.Duration, subject Subject, kind string, args map[string]any, want Conclusion, message string) (Result, *record) {
	t.Helper()
	seen := &record{}
	got := mustNew(t, kind, args).Run(within(t, limit), subject, seen)
	check(t, kind, seen, got, want, message)
	return got, seen
}

func forCall(call string) map[string]any { return map[string]any{"call": call} }

func given(document map[string]any) map[string]any { return map[string]any{"given": document} }

// collections are all projects and cluster providers that EMCO lists.
func (e *emulated) collections(subject Subject) []string {
	e.t.Helper()
	var all []string
	for _, collection := range []string{"projects", "cluster-providers"} {
		answer, err := subject.Client.Do(e.t.Context(), emco.Get(collection))
		if err != nil {
			e.t.Fatal(err)
		}
		list, ok := answer.List()
		if !ok {
			e.t.Fatalf("GET %s: %s", collection, answer)
		}
		for _, entry := range list {
			all = append(all, collection+"/"+entry.Metadata.Name)
		}
	}
	return all
}

func (e *emulated) isEmpty(subject Subject) {
	e.t.Helper()
	if left := append(e.collections(subject), e.objects()...); len(left) > 0 {
		e.t.Errorf("left: %v", left)
	}
}

// objects are the names of all objects on the edge.
func (e *emulated) objects() []string {
	e.t.Helper()
	response, err := http.Get(e.URL("edge") + "/objects")
	if err != nil {
		e.t.Fatal(err)
	}
	defer response.Body.Close()
	var objects []struct {
		Kind     string
		Metadata struct{ Name string }
	}
	if err := json.NewDecoder(response.Body).Decode(&objects); err != nil {
		e.t.Fatal(err)
	}
	var names []string
	for _, o := range objects {
		names = append(names, o.Kind+"/"+o.Metadata.Name)
	}
	slices.Sort(names)
	return names
}

// stateIs demands the state of what a call works on.
func stateIs(t *testing.T, subject Subject, call string, want emco.State) {
	t.Helper()
	got, _ := run(t, subject, "status", map[string]any{"call": call, "state": string(want)}, Passed)
	if got.Conclusion != Passed {
		t.Errorf("%s is not %s: %s", call, want, got.Message)
	}
}

// Every given of the experiments is brought about from nothing, and a
// teardown leaves nothing of it.
func TestEnsureAndTeardown(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	documents := map[string]map[string]any{
		"dig-approved":     {"logicalCloud": "Instantiated", "dig": "Approved"},
		"digs":             {"logicalCloud": "Instantiated", "dig": "Instantiated", "dig2": "Approved", "dig3": "Instantiated"},
		"dig-created":      {"logicalCloud": "Instantiated", "dig": "Created"},
		"dig-up":           {"logicalCloud": "Instantiated", "dig": "Instantiated"},
		"dig-down":         {"logicalCloud": "Instantiated", "dig": "Terminated"},
		"cloud-created":    {"logicalCloud": "Created"},
		"cloud-up":         {"logicalCloud": "Instantiated"},
		"cloud-down":       {"logicalCloud": "Terminated"},
		"cloud-down-dig":   {"logicalCloud": "Terminated", "dig": "Approved"},
		"provider-missing": {"logicalCloud": "Created", "dig": "Approved", "clusterProvider": "absent"},
		"nothing":          {"clusterProvider": "absent"},
	}
	for _, call := range emco.CallNames() {
		documents["for-"+strings.ReplaceAll(call, ".", "-")] = map[string]any{"for": call}
	}
	t.Run("givens", func(t *testing.T) {
		for name, document := range documents {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				e.ensureAndTearDown(t, name, document)
			})
		}
	})
	e.isEmpty(e.subject("x"))
}

func (e *emulated) ensureAndTearDown(t *testing.T, name string, document map[string]any) {
	subject := e.subject(name)
	got, seen := run(t, subject, "ensure", given(document), Passed)
	if got.Conclusion != Passed {
		return
	}
	full, err := emco.ParseGiven(document)
	if err != nil {
		t.Fatal(err)
	}
	full = full.Full()
	for number, call := range []string{1: "dig.instantiate", 2: "dig2.instantiate", 3: "dig3.instantiate"} {
		if call != "" && full.Group(number) != emco.Absent {
			stateIs(t, subject, call, full.Group(number))
		}
	}
	if full.LogicalCloud != emco.Absent {
		stateIs(t, subject, "logical-cloud.instantiate", full.LogicalCloud)
	}
	var objects []string
	for _, object := range e.objects() {
		if strings.Contains(object, subject.Names.String()+"-") {
			objects = append(objects, object)
		}
	}
	var want []string
	for number := 1; number <= emco.Groups; number++ {
		for _, app := range subject.Setup.Apps {
			if name := subject.Names.Group(number).Object(app); full.Group(number) == emco.Instantiated {
				want = append(want, "Deployment/"+name, "Service/"+name)
			}
		}
	}
	slices.Sort(objects)
	slices.Sort(want)
	if !slices.Equal(objects, want) {
		t.Errorf("objects on the edge: %v, want %v", objects, want)
	}

	// What was told as made is what there is, and each was told
	// before it was made.
	var made []string
	for i, r := range seen.resources {
		if r.State == Made {
			made = append(made, r.Anchor)
			if i == 0 || seen.resources[i-1] != (Resource{Anchor: r.Anchor, State: Making}) {
				t.Errorf("%s was made unannounced", r.Anchor)
			}
		}
	}
	_, seen = run(t, subject, "teardown", nil, Passed)
	var removed []string
	for _, r := range seen.resources {
		if r.State == Removed {
			removed = append(removed, r.Anchor)
		}
	}
	slices.Sort(made)
	slices.Sort(removed)
	if len(made) == 0 || !slices.Equal(made, removed) {
		t.Errorf("made %v\nremoved %v", made, removed)
	}
	got, _ = run(t, subject, "teardown", nil, Passed)
	if got.Evidence["removed"] != "0" {
		t.Errorf("a second teardown: %s", got.Message)
	}
}

// A whole run without a fault: each call brings about its state, and what is
// repeated is not repeated blindly.
func TestCallsAndReissue(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	for _, name := range emco.CallNames() {
		call := mustCall(t, name)
		if call.During != "" {
			continue // no given state is under way; TestTornDown makes it
		}
		t.Run(call.Name, func(t *testing.T) {
			t.Parallel()
			subject := e.subject(strings.ReplaceAll(call.Name, ".", "-"))
			if got, _ := run(t, subject, "ensure", given(map[string]any{"for": call.Name}), Passed); got.Conclusion != Passed {
				return
			}
			got, seen := run(t, subject, "call", forCall(call.Name), Passed)
			if got.Outcome != "accepted" {
				t.Errorf("outcome %q: %s", got.Outcome, got.Message)
			}
			if !slices.Equal(seen.events, []string{"started", "connected", "sent", "first-byte", "accepted"}) {
				t.Errorf("events %v", seen.events)
			}
			got, _ = run(t, subject, "reissue", forCall(call.Name), Passed)
			if got.Evidence["posts"] != "0" || !strings.HasPrefix(got.Message, "not reissued: status says ") {
				t.Errorf("reissue: %s, %v", got.Message, got.Evidence)
			}
			got, _ = run(t, subject, "reached", forCall(call.Name), Passed)
			if !strings.HasPrefix(got.Message, string(call.End)+" after ") {
				t.Errorf("reached: %s", got.Message)
			}
			got, _ = run(t, subject, "call", forCall(call.Name), Passed)
			again := call.End == emco.Approved || call.Replaces != "" // which makes one more revision
			if again != (got.Outcome == "accepted") || !again && !strings.HasPrefix(got.Outcome, "rejected ") {
				t.Errorf("the second call: %s", got.Message)
			}
			run(t, subject, "teardown", nil, Passed)
		})
	}
}

// A reissue in each state of the matrix that EMCO's answers were recorded in.
func TestReissueMatrix(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	for _, test := range []struct {
		given   map[string]any
		call    string
		want    Conclusion
		message string
		posts   string
	}{
		{map[string]any{"logicalCloud": "Instantiated", "dig": "Created"}, "dig.instantiate", Failed, "DeploymentIntentGroup must be Approved", "1"},
		{map[string]any{"logicalCloud": "Instantiated", "dig": "Approved"}, "dig.instantiate", Passed, "reissued: 202 Accepted", "1"},
		{map[string]any{"logicalCloud": "Instantiated", "dig": "Instantiated"}, "dig.instantiate", Passed, "not reissued: status says Instantiated", "0"},
		{map[string]any{"logicalCloud": "Instantiated", "dig": "Terminated"}, "dig.instantiate", Passed, "reissued: 202 Accepted", "1"},
		{map[string]any{"logicalCloud": "Created", "dig": "Approved"}, "dig.instantiate", Failed, "The Logical Cloud has never been instantiated", "1"},
		{map[string]any{"logicalCloud": "Terminated", "dig": "Approved"}, "dig.instantiate", Failed, "The Logical Cloud is not currently instantiated", "1"},
		{map[string]any{"logicalCloud": "Instantiated", "dig": "Created"}, "dig.terminate", Failed, "is not instantiated :", "1"},
		{map[string]any{"logicalCloud": "Instantiated", "dig": "Approved"}, "dig.terminate", Failed, "is not instantiated :", "1"},
		{map[string]any{"logicalCloud": "Instantiated", "dig": "Instantiated"}, "dig.terminate", Passed, "reissued: 202 Accepted", "1"},
		{map[string]any{"logicalCloud": "Instantiated", "dig": "Terminated"}, "dig.terminate", Passed, "not reissued: status says Terminated", "0"},
		{map[string]any{"logicalCloud": "Created"}, "logical-cloud.instantiate", Passed, "reissued: 202 Accepted", "1"},
		{map[string]any{"logicalCloud": "Instantiated"}, "logical-cloud.instantiate", Passed, "not reissued: status says Instantiated", "0"},
		{map[string]any{"logicalCloud": "Terminated"}, "logical-cloud.instantiate", Passed, "reissued: 202 Accepted", "1"},
		{map[string]any{"logicalCloud": "Instantiated", "dig": "Approved"}, "logical-cloud.terminate", Failed, "Found at least one DIG associated", "1"},
		{map[string]any{"logicalCloud": "Instantiated"}, "logical-cloud.terminate", Passed, "reissued: 202 Accepted", "1"},
		{map[string]any{"logicalCloud": "Terminated"}, "logical-cloud.terminate", Passed, "not reissued: status says Terminated", "0"},
		{map[string]any{"clusterProvider": "absent"}, "cluster-provider.create", Passed, "reissued: 201 Created", "1"},
		{map[string]any{}, "cluster-provider.create", Passed, "not reissued: status says Created", "0"},
		{map[string]any{"clusterProvider": "absent"}, "cluster.create", Failed, "Parent resource not found", "1"},
	} {
		t.Run(fmt.Sprint(test.call, test.given), func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprintf("m-%s-%v-%v-%v", test.call, test.given["clusterProvider"], test.given["logicalCloud"], test.given["dig"])
			name = strings.NewReplacer(".", "-", "<nil>", "no", "logical-cloud", "cloud", "cluster-provider", "provider", "instantiate", "up", "terminate", "down",
				"instantiated", "up", "terminated", "down").Replace(strings.ToLower(name))
			subject := e.subject(name)
			if got, _ := run(t, subject, "ensure", given(test.given), Passed); got.Conclusion != Passed {
				return
			}
			got, _ := run(t, subject, "reissue", forCall(test.call), test.want)
			if !strings.Contains(got.Message, test.message) || got.Evidence["posts"] != test.posts {
				t.Errorf("%s, %v, want %q and %s posts", got.Message, got.Evidence, test.message, test.posts)
			}
			run(t, subject, "teardown", nil, Passed)
		})
	}
}

// killInFlight makes a call and kills its service while it is in flight, some
// time after it was sent.
func (e *emulated) killInFlight(subject Subject, call string, delay time.Duration) {
	e.t.Helper()
	sent := make(chan struct{})
	killed := make(chan error, 1)
	service := string(mustCall(e.t, call).Service)
	go func() {
		<-sent
		<-time.After(delay)
		killed <- e.Kill(service)
	}()
	seen := &record{on: func(event string) {
		if event == "sent" {
			close(sent)
		}
	}}
	got := mustNew(e.t, "call", forCall(call)).Run(within(e.t, time.Minute), subject, seen)
	if got.Outcome != "connection-lost" || !slices.Contains(seen.events, "failed") {
		e.t.Fatalf("outcome %q, events %v: %s", got.Outcome, seen.events, got.Message)
	}
	if err := <-killed; err != nil {
		e.t.Fatal(err)
	}
}

// An outage as an experiment sees it, with a service that really goes.
func TestOutage(t *testing.T) {
	e := startEMCO(t, emcotest.Options{AppTime: 300 * time.Millisecond})
	subject := e.subject("outage")
	run(t, subject, "ensure", given(map[string]any{"for": "dig.instantiate"}), Passed)
	e.killInFlight(subject, "dig.instantiate", 0)
	run(t, subject, "unavailable", map[string]any{"service": "orchestrator"}, Passed)
	run(t, subject, "unavailable", forCall("dig.instantiate"), Passed)
	run(t, subject, "available", map[string]any{"service": "dcm"}, Passed)
	got, _ := run(t, subject, "call", forCall("dig.instantiate"), Passed)
	if got.Outcome != "refused" {
		t.Errorf("outcome %q: %s", got.Outcome, got.Message)
	}

	back := make(chan error, 1)
	time.AfterFunc(200*time.Millisecond, func() { back <- e.Restart("orchestrator") })
	run(t, subject, "available", map[string]any{"service": "orchestrator"}, Passed)
	must(t, <-back)
	got, _ = run(t, subject, "reissue", forCall("dig.instantiate"), Passed)
	if got.Message != "reissued: 202 Accepted" {
		t.Errorf("reissue: %s", got.Message)
	}
	run(t, subject, "reached", forCall("dig.instantiate"), Passed)
	run(t, subject, "teardown", nil, Passed)
	e.isEmpty(subject)
}

// A reissue that comes while the service is still away waits for it.
func TestReissueThroughAnOutage(t *testing.T) {
	e := startEMCO(t, emcotest.Options{})
	subject := e.subject("outage")
	run(t, subject, "ensure", given(map[string]any{"for": "dig.terminate"}), Passed)
	must(t, e.Kill("rsync"))
	refused := make(chan error, 1)
	seen := &record{}
	time.AfterFunc(300*time.Millisecond, func() { refused <- e.Restart("rsync") })
	got := mustNew(t, "reissue", forCall("dig.terminate")).Run(within(t, time.Minute), subject, seen)
	must(t, <-refused)
	check(t, "reissue", seen, got, Passed, "reissued: 202 Accepted")
	if !slices.ContainsFunc(seen.notes, func(n string) bool { return strings.Contains(n, "500 Internal Server Error: rpc error") }) {
		t.Errorf("notes %q", seen.notes)
	}
	run(t, subject, "reached", forCall("dig.terminate"), Passed)
	run(t, subject, "teardown", nil, Passed)
}

// While the edge is away, work is under way.
func TestNotFinalWithoutEdge(t *testing.T) {
	e := startEMCO(t, emcotest.Options{})
	subject := e.subject("edge")
	run(t, subject, "ensure", given(map[string]any{"for": "dig.instantiate"}), Passed)
	must(t, e.Kill("edge"))
	run(t, subject, "call", forCall("dig.instantiate"), Passed)
	got, _ := run(t, subject, "notFinal", forCall("dig.instantiate"), Passed)
	if !strings.Contains(got.Message, "status says Instantiating (Pending 4)") {
		t.Errorf("notFinal: %s", got.Message)
	}
	runWithin(t, 2*time.Second, subject, "reached", forCall("dig.instantiate"), Failed, "Instantiated was not reached (last status: Instantiating (Pending 4)) within")
	must(t, e.Restart("edge"))
	run(t, subject, "reached", forCall("dig.instantiate"), Passed)
	got, _ = run(t, subject, "notFinal", forCall("dig.instantiate"), Inconclusive)
	if !strings.Contains(got.Message, "final before") {
		t.Errorf("notFinal: %s", got.Message)
	}
	run(t, subject, "teardown", nil, Passed)
}

// A name that is taken ends the run before anything is made.
func TestEnsureRefusesTakenNames(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	for _, kind := range []emco.Kind{emco.Project, emco.ClusterProvider} {
		subject := e.subject("taken")
		var anchor string
		for _, r := range subject.Names.Resources(emco.Material{}) {
			if r.Kind != kind {
				continue
			}
			anchor = r.Anchor
			if answer, err := subject.Client.Do(t.Context(), r.Create); err != nil || answer.Code != 201 {
				t.Fatal(answer, err)
			}
		}
		got, seen := run(t, subject, "ensure", given(map[string]any{"logicalCloud": "Created"}), Errored)
		if !strings.Contains(got.Message, anchor+" is there already") || len(seen.resources) > 0 {
			t.Errorf("%s: %s, resources %v", kind, got.Message, seen.resources)
		}
		run(t, subject, "teardown", nil, Passed)
	}
}

func TestEnsureNeedsApps(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	for _, group := range []string{"dig", "dig2", "dig3"} {
		subject := e.subject("wrong")
		subject.Setup.Apps = nil
		up := given(map[string]any{"logicalCloud": "Instantiated", group: "Approved"})
		if _, seen := runWithin(t, time.Minute, subject, "ensure", up, Errored, "apps: is empty"); len(seen.resources) > 0 {
			t.Errorf("%s: resources %v", group, seen.resources)
		}
	}
}

func TestEnsureThatCannotBeReached(t *testing.T) {
	e := startEMCO(t, emcotest.Options{})
	up := map[string]any{"logicalCloud": "Instantiated", "dig": "Approved"}

	for _, test := range []struct {
		name    string
		change  func(*Subject)
		message string
	}{
		{"no kubeconfig", func(s *Subject) { s.Setup.Kubeconfig = "" }, "kubeconfig: is missing"},
		{"no such kubeconfig", func(s *Subject) { s.Setup.Kubeconfig += ".none" }, "read the kubeconfig"},
		{"an app with a bad name", func(s *Subject) { s.Setup.Apps = []string{"../x"} }, "apps: "},
		{"no rsync", func(s *Subject) { s.Setup.Rsync = "" }, "rsync: "},
	} {
		subject, seen := e.subject("wrong"), &record{}
		subject.Setup.patience = 200 * time.Millisecond
		test.change(&subject)
		got := mustNew(t, "ensure", given(up)).Run(within(t, time.Minute), subject, seen)
		check(t, "ensure", seen, got, Errored, test.message)
		if len(seen.resources) > 0 {
			t.Errorf("%s: resources %v", test.name, seen.resources)
		}
	}

	subject, seen := e.subject("away"), &record{}
	subject.Setup.patience = 200 * time.Millisecond
	must(t, e.Kill("rsync"))
	got := mustNew(t, "ensure", given(up)).Run(within(t, time.Minute), subject, seen)
	check(t, "ensure", seen, got, Errored, "logical-cloud.instantiate: POST "+subject.Names.Anchor("{logicalCloud}")+"/instantiate: 500 Internal Server Error: The server")
	// What was made until then can be removed without rsync.
	run(t, subject, "teardown", nil, Passed)

	must(t, e.Kill("clm"))
	runWithin(t, time.Minute, subject, "ensure", given(up), Errored, "connection refused")
	runWithin(t, 500*time.Millisecond, subject, "ensure", given(up), Errored, "connection refused")
}

// Nothing without the run's mark is removed, nor what it lies in; all else
// goes.
func TestTeardownLeavesWhatIsNotMarked(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	subject := e.subject("mixed")
	run(t, subject, "ensure", given(map[string]any{"clusterProvider": "Created"}), Passed)
	other := subject.Names.Anchor("{logicalCloud}")
	create := emco.Post(subject.Names.Anchor("{project}/logical-clouds"))
	create.JSON = map[string]any{
		"metadata": map[string]string{"name": other[strings.LastIndex(other, "/")+1:], "userData1": "emco-chaos/another"},
		"spec":     map[string]string{"level": "0"},
	}
	if answer, err := subject.Client.Do(t.Context(), create); err != nil || answer.Code != 201 {
		t.Fatal(answer, err)
	}

	got, seen := run(t, subject, "teardown", nil, Errored)
	var left []string
	for _, r := range seen.resources {
		if r.State == Left {
			left = append(left, r.Anchor+": "+r.Reason)
		}
	}
	want := []string{
		other + ": it does not carry the mark emco-chaos/mixed",
		subject.Names.Anchor("{project}") + ": it holds " + other,
	}
	if !slices.Equal(left, want) || got.Evidence["left"] != "2" {
		t.Errorf("left %q, %v, want %q", left, got.Evidence, want)
	}
	if got, want := e.collections(subject), []string{"projects/mixed-1"}; !slices.Equal(got, want) {
		t.Errorf("EMCO has %v, want %v", got, want)
	}
}

// A label has no mark: it belongs to whom its cluster belongs.
func TestTeardownLeavesTheLabelsOfOthers(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	subject := e.subject("labels")
	for _, r := range subject.Names.Resources(emco.Material{Kubeconfig: []byte("kind: Config")}) {
		request := r.Create
		switch r.Kind {
		case emco.ClusterProvider, emco.Cluster:
			request.JSON = map[string]any{"metadata": map[string]string{"name": r.Anchor[strings.LastIndex(r.Anchor, "/")+1:]}}
		case emco.ClusterLabel:
		default:
			continue
		}
		if answer, err := subject.Client.Do(t.Context(), request); err != nil || answer.Code != 201 {
			t.Fatal(answer, err)
		}
	}
	got, _ := run(t, subject, "teardown", nil, Errored)
	if got.Evidence["left"] != "3" || got.Evidence["removed"] != "0" {
		t.Errorf("%s, %v", got.Message, got.Evidence)
	}
	answer, err := subject.Client.Do(t.Context(), emco.Get(subject.Names.Anchor("{label}")))
	if err != nil || answer.Code != 200 {
		t.Errorf("the label: %s, %v", answer, err)
	}
}

// The registration of rsync is made once and then left as it is.
func TestEnsureRegistersRsyncOnce(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	subject := e.subject("first")
	_, seen := run(t, subject, "ensure", given(map[string]any{"clusterProvider": "absent"}), Passed)
	if len(seen.notes) != 1 || !strings.Contains(seen.notes[0], "POST controllers --> 201 Created") {
		t.Errorf("notes %q", seen.notes)
	}
	_, seen = run(t, e.subject("second"), "ensure", given(map[string]any{"clusterProvider": "absent"}), Passed)
	if len(seen.notes) != 0 {
		t.Errorf("notes %q", seen.notes)
	}
	other := e.subject("third")
	other.Setup.Rsync = "rsync.example:9031"
	_, seen = run(t, other, "ensure", given(map[string]any{"clusterProvider": "absent"}), Passed)
	if len(seen.notes) != 1 || !strings.Contains(seen.notes[0], "rsync is registered at "+subject.Setup.Rsync+", not at the target's rsync.example:9031") {
		t.Errorf("notes %q", seen.notes)
	}
	run(t, other, "clean", nil, Passed)
	answer, err := subject.Client.Do(t.Context(), emco.Get("controllers/rsync"))
	if address, ok := answer.Controller(); err != nil || !ok || address != subject.Setup.Rsync {
		t.Errorf("after a clean rsync is registered at %q, %v", address, err)
	}
}

// What cannot be removed in the time there is, is told with the reason.
func TestTeardownOutOfTime(t *testing.T) {
	e := startEMCO(t, emcotest.Options{})
	subject := e.subject("stuck")
	run(t, subject, "ensure", given(map[string]any{"for": "dig.terminate"}), Passed)
	must(t, e.Kill("rsync"))
	_, seen := runWithin(t, 10*time.Second, subject, "teardown", nil, Errored, "left")
	left := map[string]string{}
	for _, r := range seen.resources {
		if r.State != Left {
			t.Errorf("%s is %s", r.Anchor, r.State)
		}
		left[r.Anchor] = r.Reason
	}
	if reason := left[subject.Names.Anchor("{dig}")]; len(left) != 17 || reason == "" {
		t.Errorf("left: %v", left)
	}
	must(t, e.Restart("rsync"))
	run(t, subject, "teardown", nil, Passed)
	e.isEmpty(subject)
}

// A teardown in the middle of work waits for its end.
func TestTeardownWhileUnderWay(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	for _, call := range []string{"dig.instantiate", "dig.terminate", "logical-cloud.instantiate", "logical-cloud.terminate"} {
		subject := e.subject(strings.ReplaceAll(call, ".", "-"))
		run(t, subject, "ensure", given(map[string]any{"for": call}), Passed)
		run(t, subject, "call", forCall(call), Passed)
		run(t, subject, "teardown", nil, Passed)
	}
	e.isEmpty(e.subject("x"))
}

// EMCO refuses to delete what has children, and can destroy it all the same.
func TestTeardownDeletesNoParentOfWhatStays(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	subject := e.subject("parents")
	run(t, subject, "ensure", given(map[string]any{}), Passed)
	label, cluster := subject.Names.Anchor("{label}"), subject.Names.Anchor("{cluster}")
	behind, err := url.Parse(e.URL("clm"))
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(behind)
	// The time is over in the middle of the second round.
	ctx, timeIsOver := context.WithCancel(within(t, time.Minute))
	defer timeIsOver()
	var mended, refused, deleted atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case mended.Load():
		case r.Method == http.MethodDelete:
			refused.Store(true)
			deleted.Store(deleted.Load() || r.URL.Path != "/v2/"+label)
			http.Error(w, "The server encountered an internal error", http.StatusInternalServerError)
			return
		case refused.Load():
			timeIsOver()
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	client, err := emco.New(emco.Config{Endpoints: map[emco.Service]string{
		emco.Orchestrator: e.URL("orchestrator"), emco.DCM: e.URL("dcm"), emco.CLM: server.URL,
	}})
	if err != nil {
		t.Fatal(err)
	}
	subject.Client = client
	seen := &record{}
	got := mustNew(t, "teardown", nil).Run(ctx, subject, seen)
	check(t, "teardown", seen, got, Errored, "3 left, such as "+label+" (DELETE: 500 ")
	if deleted.Load() || !slices.Contains(seen.resources, Resource{Anchor: cluster, State: Left, Reason: "it holds " + label}) {
		t.Errorf("a parent was deleted: %t, %v", deleted.Load(), seen.resources)
	}
	mended.Store(true)
	run(t, subject, "teardown", nil, Passed)
}

// A DELETE that is answered as done, and does nothing, is told as what it is.
func TestTeardownTellsOfADeleteThatDidNothing(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	subject := e.subject("kept")
	run(t, subject, "ensure", given(map[string]any{}), Passed)
	label := subject.Names.Anchor("{label}")
	behind, err := url.Parse(e.URL("clm"))
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(behind)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete && r.URL.Path == "/v2/"+label {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	front := subject
	front.Client, err = emco.New(emco.Config{Endpoints: map[emco.Service]string{
		emco.Orchestrator: e.URL("orchestrator"), emco.DCM: e.URL("dcm"), emco.CLM: server.URL,
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, seen := run(t, front, "teardown", nil, Errored)
	name := label[strings.LastIndex(label, "/")+1:]
	if got, want := reasons(seen)[subject.Names.Anchor("{cluster}")], "it holds labels/"+name+", which is still there after its DELETE"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	run(t, subject, "teardown", nil, Passed)
}

func TestTeardownFindsAppsThatTheTargetNoLongerNames(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	subject := e.subject("apps")
	run(t, subject, "ensure", given(map[string]any{"logicalCloud": "Instantiated", "dig2": "Approved"}), Passed)
	subject.Setup.Apps = []string{"frontend"}
	run(t, subject, "teardown", nil, Passed)
	if left := e.collections(subject); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Clean finds the attempts of all runs by their mark, and nothing else.
func TestClean(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	for _, name := range []string{"one", "two"} {
		run(t, e.subject(name), "ensure", given(map[string]any{"for": "dig.terminate"}), Passed)
	}
	subject := e.subject("three")
	second, err := emco.NewNames("two", 2)
	if err != nil {
		t.Fatal(err)
	}
	again := e.subject("two")
	again.Names = second
	run(t, again, "ensure", given(map[string]any{"clusterProvider": "absent"}), Passed)
	for name, mark := range map[string]string{"theirs": "", "one-7x": "emco-chaos/one", "two-9": "emco-chaos/one"} {
		create := emco.Post("projects")
		create.JSON = map[string]any{"metadata": map[string]string{"name": name, "userData1": mark}}
		if answer, err := subject.Client.Do(t.Context(), create); err != nil || answer.Code != 201 {
			t.Fatal(answer, err)
		}
	}

	got, _ := run(t, subject, "clean", map[string]any{"run": "two"}, Passed)
	if got.Evidence["attempts"] != "2" {
		t.Errorf("clean of run two: %s, %v", got.Message, got.Evidence)
	}
	got, seen := run(t, subject, "clean", nil, Errored)
	if got.Evidence["attempts"] != "1" || got.Evidence["left"] != "2" {
		t.Errorf("clean: %s, %v", got.Message, got.Evidence)
	}
	var left []string
	for _, r := range seen.resources {
		if r.State == Left {
			left = append(left, r.Anchor)
		}
	}
	slices.Sort(left)
	if want := []string{"projects/one-7x", "projects/two-9"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
	remaining := e.collections(subject)
	slices.Sort(remaining)
	if want := []string{"projects/one-7x", "projects/theirs", "projects/two-9"}; !slices.Equal(remaining, want) {
		t.Errorf("EMCO has %v, want %v", remaining, want)
	}
	if objects := e.objects(); len(objects) > 0 {
		t.Errorf("objects on the edge: %v", objects)
	}
}

// The token reaches EMCO, and nothing that a probe tells.
func TestTokenIsToldByNoProbe(t *testing.T) {
	const canary = "canary-77a0c3"
	e := startEMCO(t, emcotest.Options{Token: canary})
	t.Setenv("EMCO_TEST_TOKEN", canary)
	e.token = emco.Secret{Env: "EMCO_TEST_TOKEN"}
	subject := e.subject("secret")
	for _, step := range []struct {
		kind string
		args map[string]any
	}{
		{"ensure", given(map[string]any{"for": "dig.instantiate"})},
		{"available", map[string]any{"service": "clm"}},
		{"call", forCall("dig.instantiate")},
		{"reached", forCall("dig.instantiate")},
		{"reissue", forCall("dig.instantiate")},
		{"status", forCall("dig.instantiate")},
		{"teardown", nil},
		{"clean", nil},
	} {
		got, seen := run(t, subject, step.kind, step.args, Passed)
		if all := seen.all(got); strings.Contains(all, canary) {
			t.Errorf("%s tells the token: %s", step.kind, all)
		}
	}

	// And a wrong one is found out at once, whatever is asked.
	t.Setenv("EMCO_TEST_TOKEN", canary+"-wrong")
	for kind, args := range map[string]map[string]any{
		"ensure": given(map[string]any{}), "available": {"service": "orchestrator"}, "unavailable": {"service": "dcm"}, "reached": forCall("dig.terminate"),
		"reissue": forCall("dig.terminate"), "status": forCall("dig.terminate"), "notFinal": forCall("dig.terminate"), "teardown": nil, "clean": nil,
	} {
		got, seen := run(t, subject, kind, maps.Clone(args), Errored)
		if all := seen.all(got); strings.Contains(all, canary) || !strings.Contains(got.Message, "401") {
			t.Errorf("%s: %s", kind, all)
		}
	}
}

// The bugs that an EMCO can have are told apart from its promises.
func TestBugs(t *testing.T) {
	t.Run("wrong-code-on-reissue", func(t *testing.T) {
		e := startEMCO(t, emcotest.Options{Bugs: []string{"wrong-code-on-reissue"}, AppTime: time.Second})
		subject := e.subject("bug")
		run(t, subject, "ensure", given(map[string]any{"for": "dig.instantiate"}), Passed)
		// The first call has to come to the handler that remembers it.
		e.killInFlight(subject, "dig.instantiate", 500*time.Millisecond)
		must(t, e.Restart("orchestrator"))
		got, _ := run(t, subject, "reissue", forCall("dig.instantiate"), Failed)
		if !strings.Contains(got.Message, "reissued, and refused: POST ") || got.Evidence["answer"] != "400" {
			t.Errorf("reissue: %s, %v", got.Message, got.Evidence)
		}
	})
	t.Run("never-terminates", func(t *testing.T) {
		e := startEMCO(t, emcotest.Options{Bugs: []string{"never-terminates"}})
		subject := e.subject("bug")
		run(t, subject, "ensure", given(map[string]any{"for": "dig.terminate"}), Passed)
		run(t, subject, "call", forCall("dig.terminate"), Passed)
		runWithin(t, 2*time.Second, subject, "reached", forCall("dig.terminate"), Failed, "Terminated was not reached (last status: Terminating")
	})
}

// unreliable puts a server in front of EMCO's orchestrator that spoils the
// first of each of the POSTs and DELETEs: it loses the answer, loses the
// request, or answers 500, in turn.
func (e *emulated) unreliable(subject Subject) (Subject, *atomic.Int32) {
	e.t.Helper()
	behind, err := url.Parse(e.URL("orchestrator"))
	if err != nil {
		e.t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(behind)
	var seen sync.Map
	var spoilt atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		// Collections are posted to more than once, with other bodies.
		_, again := seen.LoadOrStore(r.Method+r.URL.Path+strconv.Itoa(len(body)), true)
		if again || r.Method == http.MethodGet {
			forward.ServeHTTP(w, r)
			return
		}
		switch spoilt.Add(1) % 3 {
		case 0:
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case 1:
			panic(http.ErrAbortHandler)
		default:
			http.Error(w, "The server encountered an internal error", http.StatusInternalServerError)
		}
	}))
	e.t.Cleanup(server.Close)
	client, err := emco.New(emco.Config{Endpoints: map[emco.Service]string{
		emco.Orchestrator: server.URL, emco.DCM: e.URL("dcm"), emco.CLM: e.URL("clm"),
	}})
	if err != nil {
		e.t.Fatal(err)
	}
	subject.Client = client
	return subject, &spoilt
}

// Whether a POST or DELETE whose answer was lost has done its work, EMCO is
// asked; nothing is done twice and nothing left out.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	subject, spoilt := e.unreliable(e.subject("lossy"))
	got, seen := run(t, subject, "ensure", given(map[string]any{"for": "dig.terminate"}), Passed)
	if n := spoilt.Load(); n < 15 || got.Evidence["made"] != "17" {
		t.Errorf("%d requests were spoilt, %v", n, got.Evidence)
	}
	count := map[activity.ResourceState]int{}
	for _, r := range seen.resources {
		count[r.State]++
	}
	if count[Making] != 17 || count[Made] != 17 {
		t.Errorf("told: %v", count)
	}
	got, seen = run(t, subject, "teardown", nil, Passed)
	clear(count)
	for _, r := range seen.resources {
		count[r.State]++
	}
	if count[Removed] != 17 || count[Left] != 0 || got.Evidence["removed"] != "17" {
		t.Errorf("told: %v, %v", count, got.Evidence)
	}
	e.isEmpty(subject)
}

// What somebody else made between the look and the POST is not taken over.
func TestEnsureDoesNotTakeOver(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	subject := e.subject("race")
	seen := &record{}
	m := &preparation{task: task{Subject: subject, Observer: seen}, patience: time.Second}
	project := subject.Names.Resources(emco.Material{})[0]
	if err := m.create(within(t, time.Minute), project); err != nil {
		t.Fatal(err)
	}
	err := m.create(within(t, time.Minute), project)
	if err == nil || !strings.Contains(err.Error(), "make the project: POST projects: 409 Conflict: Project already exists") {
		t.Errorf("error %v", err)
	}
}

// A call that was given up can still take effect. A teardown waits for it, so
// that nothing comes to be on the edge after it.
func TestTeardownAwaitsUnansweredCalls(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{AppTime: 200 * time.Millisecond})
	subject := e.subject("late")
	run(t, subject, "ensure", given(map[string]any{"for": "dig.instantiate"}), Passed)
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	mustNew(t, "call", forCall("dig.instantiate")).Run(ctx, subject, &record{on: func(event string) {
		if event == "sent" {
			time.AfterFunc(50*time.Millisecond, giveUp)
		}
	}})
	subject.Unanswered, subject.Settle = []emco.Call{mustCall(t, "dig.instantiate")}, 20*time.Second
	_, seen := run(t, subject, "teardown", nil, Passed)
	if !slices.ContainsFunc(seen.notes, func(n string) bool { return strings.HasPrefix(n, "dig.instantiate had no answer") }) ||
		slices.ContainsFunc(seen.notes, func(n string) bool { return strings.Contains(n, "has not taken effect") }) {
		t.Errorf("notes %q", seen.notes)
	}
	e.isEmpty(subject)

	// One that was lost is not awaited for ever.
	run(t, subject, "ensure", given(map[string]any{"for": "dig.instantiate"}), Passed)
	subject.Settle = 200 * time.Millisecond
	_, seen = run(t, subject, "teardown", nil, Passed)
	if !slices.ContainsFunc(seen.notes, func(n string) bool {
		return strings.HasPrefix(n, "dig.instantiate has not taken effect (last status: Approved)")
	}) {
		t.Errorf("notes %q", seen.notes)
	}
}
