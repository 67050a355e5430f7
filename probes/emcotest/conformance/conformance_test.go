package conformance

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rsync"
)

// quick is an emulated EMCO that does not take its usual time.
func quick() emcotest.Options {
	return emcotest.Options{
		AppTime: 5 * time.Millisecond, CloudTime: time.Millisecond,
		RsyncTimes: rsync.Times{PickUp: time.Millisecond, Settle: 100 * time.Millisecond, ApplyTime: time.Millisecond, Retry: 50 * time.Millisecond},
	}
}

// client calls an emulated EMCO, with some of its services at other URLs.
func client(t *testing.T, e *emcotest.EMCO, instead map[emco.Service]string) *emco.Client {
	t.Helper()
	endpoints := map[emco.Service]string{}
	for _, service := range []emco.Service{emco.Orchestrator, emco.DCM, emco.CLM} {
		endpoints[service] = e.URL(string(service))
		if other := instead[service]; other != "" {
			endpoints[service] = other
		}
	}
	c, err := emco.New(emco.Config{Endpoints: endpoints})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func options(e *emcotest.EMCO) Options {
	return Options{
		Run: "conformance-1", Kubeconfig: []byte("apiVersion: v1\nkind: Config\n"), Rsync: e.Address(emcotest.RsyncName),
		Interval: 5 * time.Millisecond,
	}
}

// results collects what became of the records, by their number.
type results map[int]Result

func (r results) tell(result Result) { r[result.Record.Number] = result }

func (r results) of(kind Kind) []int {
	var numbers []int
	for number, result := range r {
		if result.Kind == kind {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// left fails the test if an EMCO or its edge holds anything, except for the
// registration of rsync.
func left(t *testing.T, e *emcotest.EMCO) {
	t.Helper()
	for address, nothing := range map[string]string{
		e.URL("orchestrator") + "/v2/projects": "null", e.URL("clm") + "/v2/cluster-providers": "[]",
		e.URL("edge") + "/objects": "[]",
	} {
		response, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSpace(string(body))
		if text != nothing {
			t.Errorf("%s has %s, want %s", address, text, nothing)
		}
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	records, err := Records()
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 315 {
		t.Fatalf("%d records, want 315", len(records))
	}
	if len(chance) > 15 {
		t.Errorf("%d records are never asked, want 15 at most", len(chance))
	}
	for number, steps := range before {
		if number > len(records) || len(steps) == 0 {
			t.Errorf("before %d there is %v", number, steps)
		}
	}
}

// An emulated EMCO that others use too answers as recorded, and nothing is
// left in it.
func TestRun(t *testing.T) {
	t.Parallel()
	e := emcotest.Start(t, quick())
	all := results{}
	summary, err := Run(t.Context(), client(t, e, nil), options(e), all.tell)
	if err != nil {
		t.Fatal(err)
	}
	for _, number := range all.of(Different) {
		t.Errorf("record %d, %s: %s\nexpected %+v\ngot      %+v\n%s", number, all[number].Record.Call, all[number].Request, all[number].Expected, all[number].Got, all[number].Reason)
	}
	if len(summary.Left) > 0 {
		t.Errorf("left: %v", summary.Left)
	}
	if len(all) != 315 || summary.AsRecorded+summary.Different+summary.NotAsked != 315 {
		t.Errorf("%d records, counted as %+v", len(all), summary)
	}
	for number, result := range all {
		if result.Kind != NotAsked {
			continue
		}
		// A moment can be missed; all else that is not asked is so by rule.
		if why := result.Record.emulatedOnly(); why != result.Reason && chance[number] != result.Reason && passing[number] == "" {
			t.Errorf("record %d was not asked: %s", number, result.Reason)
		}
	}
	t.Logf("%d as recorded, %d not asked", summary.AsRecorded, summary.NotAsked)
	left(t, e)
}

// changed answers as a service does, but for one answer.
func changed(t *testing.T, target string, change func(*http.Response) error) string {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: change,
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// Each case is an EMCO that differs, and the records that show it.
func TestDifferences(t *testing.T) {
	t.Parallel()
	const missing = "Project not found\n"
	for name, test := range map[string]struct {
		bugs   []string
		change func(*http.Response) error // of what the orchestrator answers
		sets   []string
		want   []int
		got    Said // to the first of them
	}{
		"a body": {
			change: func(r *http.Response) error {
				body, err := io.ReadAll(r.Body)
				r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(body), missing, "project not found\n", 1)))
				r.ContentLength = -1
				r.Header.Del("Content-Length")
				return err
			},
			sets: []string{"basic"}, want: []int{18, 19},
			got: Said{404, "text/plain; charset=utf-8", "project not found\n"},
		},
		"a code": {
			change: func(r *http.Response) error {
				if r.Request.Method == http.MethodDelete && r.StatusCode == http.StatusNotFound {
					r.StatusCode = http.StatusGone
				}
				return nil
			},
			sets: []string{"basic"}, want: []int{19},
			got: Said{410, "text/plain; charset=utf-8", missing},
		},
		"a Content-Type": {
			change: func(r *http.Response) error {
				if r.StatusCode == http.StatusMethodNotAllowed {
					r.Header.Set("Content-Type", "text/html")
				}
				return nil
			},
			sets: []string{"basic"}, want: []int{112, 113},
			got: Said{405, "text/html", ""},
		},
		"a wrong code on a reissue": {
			bugs: []string{"wrong-code-on-reissue"}, sets: []string{"digmatrix"},
			// After 147 the logical cloud does not come to its state.
			want: []int{126, 127, 141, 143, 144, 146, 147},
			got:  Said{400, "text/plain; charset=utf-8", "This request has been made before\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			how := quick()
			how.Bugs = test.bugs
			e := emcotest.Start(t, how)
			instead := map[emco.Service]string{}
			if test.change != nil {
				instead[emco.Orchestrator] = changed(t, e.URL("orchestrator"), test.change)
			}
			own := options(e)
			own.Sets = test.sets
			own.Patience = 8 * time.Second
			all := results{}
			summary, err := Run(t.Context(), client(t, e, instead), own, all.tell)
			if err != nil {
				t.Fatal(err)
			}
			got := all.of(Different)
			if !slices.Equal(got, test.want) {
				t.Fatalf("records %v differ, want %v", got, test.want)
			}
			if summary.Different != len(got) || all[got[0]].Got != test.got {
				t.Errorf("%+v; the first answer: %+v, want %+v", summary, all[got[0]].Got, test.got)
			}
			left(t, e)
		})
	}
}

// A run that is interrupted ends, and removes what it made; one whose removal
// is abandoned too says what is left, and that can be removed later.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	e := emcotest.Start(t, quick())
	c := client(t, e, nil)
	// When the deployment intent group is about to be Instantiated.
	interrupt := func(end func()) func(Result) {
		return func(result Result) {
			if result.Record.Number == 158 {
				end()
			}
		}
	}
	own := options(e)
	ctx, cancel := context.WithCancel(t.Context())
	summary, err := Run(ctx, c, own, interrupt(cancel))
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreached) {
		t.Errorf("an interrupted run: %v, want one that was cancelled", err)
	}
	if len(summary.Left) > 0 {
		t.Errorf("left: %v", summary.Left)
	}
	left(t, e)

	abandon := make(chan struct{})
	own.Run, own.Abandon = "conformance-2", abandon
	ctx, cancel = context.WithCancel(t.Context())
	summary, err = Run(ctx, c, own, interrupt(func() { cancel(); close(abandon) }))
	if err == nil {
		t.Error("an abandoned run ends without an error")
	}
	if summary.Left["projects/conformance-2-2-m1"] == "" {
		t.Errorf("left: %v, without the project", summary.Left)
	}
	if removed, rest, err := Remove(t.Context(), c, "conformance-3", own.Interval, time.Minute); removed > 0 || len(rest) > 0 || err != nil {
		t.Errorf("for a run that there was not: %d removed, left: %v, %v", removed, rest, err)
	}
	removed, rest, err := Remove(t.Context(), c, own.Run, own.Interval, time.Minute)
	if err != nil || len(rest) > 0 || removed != len(summary.Left) {
		t.Errorf("%d removed, want %d, left: %v, %v", removed, len(summary.Left), rest, err)
	}
	left(t, e)
}

// What does not carry the run's mark stays.
func TestUnmarked(t *testing.T) {
	t.Parallel()
	e := emcotest.Start(t, quick())
	c := client(t, e, nil)
	create := emco.Post("projects")
	create.JSON = map[string]any{"metadata": map[string]string{"name": "conformance-1-1-gmsproj1"}}
	if answer, err := c.Do(t.Context(), create); err != nil || answer.Code != http.StatusCreated {
		t.Fatalf("%s, %v", answer, err)
	}
	if removed, rest, err := Remove(t.Context(), c, "conformance-1", time.Millisecond, time.Minute); removed > 0 || len(rest) > 0 || err != nil {
		t.Errorf("%d removed, left: %v, %v", removed, rest, err)
	}
	answer, err := c.Do(t.Context(), emco.Get("projects/conformance-1-1-gmsproj1"))
	if err != nil || answer.Code != http.StatusOK {
		t.Errorf("somebody else's project: %s, %v", answer, err)
	}
}

// An EMCO that does not answer, or wants a token, is told as such, and not as
// a difference.
func TestUnreached(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		token string
		stop  string
		want  string
	}{
		"down":     {stop: emcotest.CLMName, want: "connect: connection refused"},
		"no token": {token: "a token that EMCO wants", want: "give a token that EMCO takes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			how := quick()
			how.Token = test.token
			e := emcotest.Start(t, how)
			if err := e.Stop(test.stop); err != nil {
				t.Fatal(err)
			}
			all := results{}
			summary, err := Run(t.Context(), client(t, e, nil), options(e), all.tell)
			if !errors.Is(err, ErrUnreached) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if summary.Different > 0 || len(summary.Left) > 0 {
				t.Errorf("%+v", summary)
			}
		})
	}
}

// Rsync must be registered: by somebody, or at the address that is given.
func TestRsyncIsUnknown(t *testing.T) {
	t.Parallel()
	e := emcotest.Start(t, quick())
	own := options(e)
	own.Rsync, own.Sets = "", []string{"lcterm"}
	summary, err := Run(t.Context(), client(t, e, nil), own, func(Result) {})
	if err == nil || !strings.Contains(err.Error(), "give the target services: {rsync: {address: HOST:PORT}}") {
		t.Errorf("%v, want what to give", err)
	}
	if len(summary.Left) > 0 {
		t.Errorf("left: %v", summary.Left)
	}
	left(t, e)
}

func TestSent(t *testing.T) {
	t.Parallel()
	own, err := emco.NewNames("run", 3)
	if err != nil {
		t.Fatal(err)
	}
	n := names{own}
	for _, test := range []struct{ path, body, want string }{
		{"/v2/projects", `{"metadata":{"name":"m1","userData1":""}}`, `{"metadata":{"name":"run-3-m1","userData1":"emco-chaos/run"}}`},
		{"/v2/projects/m1/logical-clouds", `{"metadata":{"name":"default"},"spec":{"labels":null,"level":"0","user":{"userName":""}}}`,
			`{"metadata":{"name":"default","userData1":"emco-chaos/run"},"spec":{"level":"0"}}`},
		{"/v2/x/app-intents", `{"metadata":{"name":"a"},"spec":{"intent":{"allOf":[{"clusterProvider":"nope"}]}}}`,
			`{"metadata":{"name":"a"},"spec":{"intent":{"allOf":[{"clusterProvider":"run-3-nope"}]}}}`},
		{"/v2/projects", `{"metadata":`, `{"metadata":`},
		{"/v2/projects", "", ""},
	} {
		if got := n.sent(test.path, test.body); got != test.want {
			t.Errorf("%s: %s is sent as %s, want %s", test.path, test.body, got, test.want)
		}
	}
	for _, test := range []struct{ path, want string }{
		{"/v2/projects", "projects"},
		{"/v2/projects/m1/{CA}/{DIG}/status", "projects/run-3-m1/" + appPath + "/" + groupPath + "/status"},
		{"/v2/cluster-providers/nope/clusters", "cluster-providers/run-3-nope/clusters"},
		{"/v2/controllers/rsync", "controllers/rsync"},
	} {
		if got := n.anchor(test.path); got != test.want {
			t.Errorf("%s leads to %s, want %s", test.path, got, test.want)
		}
	}
	for anchor, want := range map[string]string{
		n.anchor("/v2/projects/m1/logical-clouds"): "run-3", "projects/a-1-2-m1": "a-1-2", "projects/m1": "",
	} {
		if got := setOf(anchor); got != want {
			t.Errorf("%s is of the set %q, want %q", anchor, got, want)
		}
	}
	const answer = `[{"name":"run-3-m1","userData1":"emco-chaos/run"},"run-12-adservice"]`
	if got, want := n.recorded(answer), `[{"name":"m1","userData1":""},"adservice"]`; got != want {
		t.Errorf("%s is compared as %s, want %s", answer, got, want)
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	answer := func(body string) Said { return Said{200, "application/json", normal(body)} }
	for name, test := range map[string]struct {
		expected, got Said
		want          bool
	}{
		"times":             {answer(`"time":"2026-11-22T16:35:57.576Z"`), answer(`"time":"2027-01-02T03:04:05Z"`), true},
		"ids":               {answer(`"11111111111","11111111111"`), answer(`"22222222222","22222222222"`), true},
		"ids that part":     {answer(`"11111111111","11111111111"`), answer(`"22222222222","33333333333"`), false},
		"addresses":         {answer("dial tcp 127.0.0.1:9031"), answer("dial tcp 10.1.2.3:9"), true},
		"a cut recording":   {answer("abc..."), answer("abcdef"), true},
		"another beginning": {answer("abc..."), answer("abdef"), false},
		"another code":      {Said{200, "", ""}, Said{204, "", ""}, false},
		"another type":      {Said{200, "a", ""}, Said{200, "b", ""}, false},
	} {
		if got := same(test.expected, test.got); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	long := strings.Repeat("x", 100)
	expected, got := parted(Said{Body: long + "a"}, Said{Body: long + "b" + strings.Repeat("y", 2*kept)})
	if want := "…" + strings.Repeat("x", near) + "a"; expected.Body != want || len(got.Body) > kept+10 || !strings.HasPrefix(got.Body, want[:len(want)-1]+"b") {
		t.Errorf("%q, %.100q", expected.Body, got.Body)
	}
}

// What EMCO refuses to let go is told with EMCO's words, and all that need not
// wait for it is removed.
func TestLeft(t *testing.T) {
	t.Parallel()
	e := emcotest.Start(t, quick())
	refuse := changed(t, e.URL("dcm"), func(r *http.Response) error {
		if r.Request.Method == http.MethodDelete && strings.HasSuffix(r.Request.URL.Path, "/logical-clouds/x") {
			r.StatusCode = http.StatusInternalServerError
		}
		return nil
	})
	c := client(t, e, map[emco.Service]string{emco.DCM: refuse})
	own := options(e)
	own.Patience, own.Sets = 5*time.Second, []string{"basic", "lcterm"}
	summary, err := Run(t.Context(), c, own, func(Result) {})
	if err != nil {
		t.Fatal(err)
	}
	const project = "projects/conformance-1-1-gmsproj1"
	for _, root := range []string{project, "cluster-providers/conformance-1-1-gmsprovider1"} {
		if !strings.HasPrefix(summary.Left[root], "it waits for "+project+"/logical-clouds/x") {
			t.Errorf("%s: %q", root, summary.Left[root])
		}
	}
	if got := summary.Left[project+"/logical-clouds/x"]; !strings.HasPrefix(got, "DELETE: 500 Internal Server Error") {
		t.Errorf("the logical cloud: %q", got)
	}
	for anchor := range summary.Left {
		if setOf(anchor) != "conformance-1-1" {
			t.Errorf("left: %s: %s", anchor, summary.Left[anchor])
		}
	}
}
