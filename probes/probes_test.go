package probes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// record is an Observer that keeps what it is told.
type record struct {
	mu        sync.Mutex
	events    []string
	at        map[string]time.Time
	details   map[string]map[string]string
	notes     []string
	resources []Resource
	on        func(event string)
	onNote    func()
}

func (r *record) Event(name string, at time.Time, detail map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at, r.details = map[string]time.Time{}, map[string]map[string]string{}
	}
	r.events = append(r.events, name)
	r.at[name], r.details[name] = at, detail
	if r.on != nil {
		r.on(name)
	}
}

func (r *record) Note(at time.Time, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at.IsZero() {
		text = "a note without a time: " + text
	}
	r.notes = append(r.notes, text)
	if r.onNote != nil {
		r.onNote()
	}
}

func (r *record) Resource(resource Resource) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resources = append(r.resources, resource)
}

// all is everything that was told, as text.
func (r *record) all(result Result) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%+v\n%v\n%s\n%+v\n%+v", result, r.events, strings.Join(r.notes, "\n"), r.details, r.resources)
}

// reply is what a scripted EMCO answers with: a status and a body, or one of
// the ways in which a microservice that dies looks.
type reply struct {
	code int
	body string
	// end closes the connection without an answer, by a reset if it is
	// "reset"; "refuse" does so too, and nothing listens from then on.
	end string
}

// scripted is an EMCO whose answers are written down: each "METHOD PATH" has
// a list of replies, and the last one stays.
type scripted struct {
	t       *testing.T
	address string

	mu       sync.Mutex
	listener net.Listener
	replies  map[string][]reply
	seen     []string
	serving  sync.WaitGroup
}

func newScripted(t *testing.T, replies map[string][]reply) *scripted {
	t.Helper()
	s := &scripted{t: t, address: "127.0.0.1:0", replies: replies}
	s.up()
	t.Cleanup(func() {
		s.down()
		s.serving.Wait()
	})
	return s
}

// up listens, on the same address each time.
func (s *scripted) up() {
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	s.listener, s.address = listener, listener.Addr().String()
	s.mu.Unlock()
	s.serving.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			s.serving.Go(func() { s.serve(connection) })
		}
	})
}

func (s *scripted) down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener.Close()
}

func (s *scripted) serve(connection net.Conn) {
	defer connection.Close()
	request, err := http.ReadRequest(bufio.NewReader(connection))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, request.Body)
	key := request.Method + " " + strings.TrimPrefix(request.URL.Path, "/v2/")
	s.mu.Lock()
	s.seen = append(s.seen, key)
	r := reply{code: 404, body: "404 page not found"}
	if list := s.replies[key]; len(list) > 0 {
		r = list[0]
		if len(list) > 1 {
			s.replies[key] = list[1:]
		}
	}
	s.mu.Unlock()
	switch r.end {
	case "":
		fmt.Fprintf(connection, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
			r.code, http.StatusText(r.code), len(r.body), r.body)
	case "reset":
		_ = connection.(*net.TCPConn).SetLinger(0)
	case "refuse":
		s.down()
	case "hang":
		_, _ = io.Copy(io.Discard, connection)
	}
}

// count says how often a request was seen.
func (s *scripted) count(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, k := range s.seen {
		if k == key {
			n++
		}
	}
	return n
}

// subject is run "run", attempt 1, on a scripted EMCO.
func (s *scripted) subject(change ...func(*emco.Config)) Subject {
	s.t.Helper()
	url := "http://" + s.address
	config := emco.Config{
		Endpoints: map[emco.Service]string{emco.Orchestrator: url, emco.DCM: url, emco.CLM: url},
		// A machine may be busy.
		DialTimeout: 10 * time.Second,
	}
	for _, c := range change {
		c(&config)
	}
	client, err := emco.New(config)
	if err != nil {
		s.t.Fatal(err)
	}
	names, err := emco.NewNames("run", 1)
	if err != nil {
		s.t.Fatal(err)
	}
	return Subject{Client: client, Names: names, Setup: Setup{Apps: []string{"adservice"}, interval: time.Millisecond, quiet: 20 * time.Millisecond}}
}

const (
	digPath       = "projects/run-1/composite-apps/run-1-app/v1/deployment-intent-groups/run-1-dig"
	cloudPath     = "projects/run-1/logical-clouds/run-1-cloud"
	digStatus     = "GET " + digPath + "/status"
	digInstall    = "POST " + digPath + "/instantiate"
	digTerminate  = "POST " + digPath + "/terminate"
	cloudStatus   = "GET " + cloudPath + "/status"
	projectGet    = "GET projects/run-1"
	serverProblem = "The server encountered an internal error and was unable to complete your request.\n"
)

// state is a status as EMCO answers it.
func state(deployed emco.State, actions ...emco.State) reply {
	var history []string
	for _, a := range actions {
		history = append(history, fmt.Sprintf(`{"state":%q,"instance":"","time":"2026-11-22T16:35:57.576Z","revision":0}`, a))
	}
	body := `{"states":{"statusctxid":"7","actions":[` + strings.Join(history, ",") + `]}`
	if deployed != "" {
		body += fmt.Sprintf(`,"deployedStatus":%q,"deployedCounts":{"Pending":4}`, deployed)
	}
	return reply{code: 200, body: body + "}\n"}
}

var (
	created      = state("", emco.Created)
	approved     = state("", emco.Created, emco.Approved)
	lagging      = state("", emco.Created, emco.Approved, emco.Instantiated)
	installing   = state(emco.Instantiating, emco.Created, emco.Approved, emco.Instantiated)
	installed    = state(emco.Instantiated, emco.Created, emco.Approved, emco.Instantiated)
	failed       = state(emco.InstantiateFailed, emco.Created, emco.Approved, emco.Instantiated)
	stillThere   = state(emco.Instantiated, emco.Created, emco.Approved, emco.Instantiated, emco.Terminated)
	terminating  = state(emco.Terminating, emco.Created, emco.Approved, emco.Instantiated, emco.Terminated)
	terminated   = state(emco.Terminated, emco.Created, emco.Approved, emco.Instantiated, emco.Terminated)
	notTold      = state(emco.Terminating, emco.Created, emco.Approved, emco.Instantiated)
	noJSON       = reply{code: 400, body: "Logical Cloud state not found\n{\"states\":{\"statusctxid\":\"\",\"actions\":null}}\n"}
	invalidState = reply{code: 200, body: "Invalid delete status State\n"}
	broken       = reply{code: 500, body: serverProblem}
	accepted     = reply{code: 202}
	lost         = reply{end: "EOF"}
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustNew(t *testing.T, kind string, args map[string]any) Probe {
	t.Helper()
	probe, err := New(kind, args)
	if err != nil {
		t.Fatal(err)
	}
	return probe
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// check compares a result, and holds a probe to the events of its catalogue
// entry: none twice, none that is not listed.
func check(t *testing.T, kind string, seen *record, got Result, want Conclusion, message string) {
	t.Helper()
	if got.Conclusion != want || !strings.Contains(got.Message, message) {
		t.Errorf("%s: %s %q, want %s with %q in it\n%s", kind, got.Conclusion, got.Message, want, message, strings.Join(seen.notes, "\n"))
	}
	for _, k := range Catalogue() {
		if k.Name != kind {
			continue
		}
		for i, event := range seen.events {
			if !slices.Contains(k.Events, event) || slices.Contains(seen.events[:i], event) {
				t.Errorf("%s: events %v, can be %v", kind, seen.events, k.Events)
			}
		}
		if slices.Contains(k.Events, eventPassed) {
			passed, failed := slices.Contains(seen.events, eventPassed), slices.Contains(seen.events, eventFailed)
			if passed != (got.Conclusion == Passed) || failed != (got.Conclusion == Failed) || seen.events[0] != eventStarted {
				t.Errorf("%s: events %v for %s", kind, seen.events, got.Conclusion)
			}
		}
	}
}

func TestCall(t *testing.T) {
	for _, test := range []struct {
		name    string
		reply   reply
		change  func(*emco.Config)
		outcome string
		events  []string
		detail  map[string]string
	}{
		{name: "accepted", reply: accepted, outcome: "accepted", events: []string{"started", "connected", "sent", "first-byte", "accepted"},
			detail: map[string]string{"outcome": "accepted", "code": "202", "sent": "true"}},
		{name: "rejected", reply: broken, outcome: "rejected 500", events: []string{"started", "connected", "sent", "first-byte", "rejected"},
			detail: map[string]string{"outcome": "rejected 500", "code": "500", "sent": "true"}},
		{name: "lost", reply: lost, outcome: "connection-lost", events: []string{"started", "connected", "sent", "failed"},
			detail: map[string]string{"outcome": "connection-lost", "words": "EOF", "sent": "true"}},
		{name: "ingress", reply: reply{code: 503}, outcome: "connection-lost", events: []string{"started", "connected", "sent", "first-byte", "failed"},
			change: behindIngress,
			detail: map[string]string{"outcome": "connection-lost", "words": "the ingress answered 503 Service Unavailable", "code": "503", "gateway": "true", "sent": "true"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newScripted(t, map[string][]reply{digInstall: {test.reply}})
			subject := server.subject()
			if test.change != nil {
				subject = server.subject(test.change)
			}
			got, seen := runWithin(t, 10*time.Second, subject, "call", map[string]any{"call": "dig.instantiate"}, Passed, "dig.instantiate: ")
			if got.Outcome != test.outcome || !slices.Equal(seen.events, test.events) {
				t.Errorf("outcome %q, events %v, want %q, %v", got.Outcome, seen.events, test.outcome, test.events)
			}
			if last := seen.details[test.events[len(test.events)-1]]; !maps.Equal(last, test.detail) {
				t.Errorf("detail %v, want %v", last, test.detail)
			}
			if request := seen.details["started"]["request"]; request != "POST http://"+server.address+"/v2/"+digPath+"/instantiate" {
				t.Errorf("request %q", request)
			}
			if n := server.count(digInstall); n != 1 {
				t.Errorf("the server saw %d calls, want 1", n)
			}
		})
	}
}

func behindIngress(c *emco.Config) {
	c.Ingress = c.Endpoints[emco.Orchestrator]
	c.Endpoints = nil
}

// What cannot even be tried is an error of the probe, not an outcome.
func TestCallThatCannotBeTried(t *testing.T) {
	server := newScripted(t, nil)
	for name, change := range map[string]func(*emco.Config){
		"no endpoint": func(c *emco.Config) { delete(c.Endpoints, emco.CLM) },
		"no token":    func(c *emco.Config) { c.Token = emco.Secret{Env: "EMCO_TEST_NO_TOKEN"} },
	} {
		got, seen := runWithin(t, 10*time.Second, server.subject(change), "call", map[string]any{"call": "cluster-provider.create"}, Errored, "")
		if len(seen.events) > 0 || got.Message == "" {
			t.Errorf("%s: events %v, message %q", name, seen.events, got.Message)
		}
	}
	runWithin(t, 10*time.Second, server.subject(), "call", map[string]any{"call": "cluster.create"}, Errored, "kubeconfig: is missing")
}

// Cancelling gives up the call and says so.
func TestCallCancelled(t *testing.T) {
	server := newScripted(t, map[string][]reply{digInstall: {{end: "hang"}}})
	ctx, cancel := context.WithCancel(t.Context())
	seen := &record{on: func(event string) {
		if event == "sent" {
			cancel()
		}
	}}
	got := mustNew(t, "call", map[string]any{"call": "dig.instantiate"}).Run(ctx, server.subject(), seen)
	check(t, "call", seen, got, Passed, "given up")
	if got.Outcome != "other" {
		t.Errorf("outcome %q", got.Outcome)
	}
}

func TestAvailable(t *testing.T) {
	found := reply{code: 200, body: `{"metadata":{"name":"run-1"}}`}
	for _, test := range []struct {
		name    string
		replies []reply
		within  time.Duration
		want    Conclusion
		message string
		notes   []string
	}{
		{name: "at once", replies: []reply{found}, within: 10 * time.Second, want: Passed, message: "orchestrator is available",
			notes: []string{"answered"}},
		{name: "EMCO's own not found", replies: []reply{{code: 404, body: "Project not found\n"}}, within: 10 * time.Second, want: Passed,
			notes: []string{"answered"}},
		{name: "an outage", replies: []reply{lost, lost, {end: "reset"}, {code: 404, body: "404 page not found\n"}, broken, found}, within: 10 * time.Second,
			want: Passed, notes: []string{"EOF", "reset", "404", "500", "answered"}},
		{name: "never", replies: []reply{broken}, within: 500 * time.Millisecond, want: Failed, message: "last seen: 500", notes: []string{"500"}},
		{name: "a router only", replies: []reply{{code: 404, body: "404 page not found\n"}}, within: 500 * time.Millisecond, want: Failed, notes: []string{"404"}},
		{name: "wrong token", replies: []reply{{code: 401, body: "no\n"}}, within: 10 * time.Second, want: Errored, message: "give a token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newScripted(t, map[string][]reply{projectGet: test.replies})
			seen := &record{}
			probe := mustNew(t, "available", map[string]any{"service": "orchestrator"})
			got := probe.Run(within(t, test.within), server.subject(), seen)
			check(t, "available", seen, got, test.want, test.message)
			var looks []string
			for _, note := range seen.notes {
				look, _, _ := strings.Cut(strings.TrimPrefix(note, "orchestrator: "), ":")
				looks = append(looks, look)
			}
			if !slices.Equal(looks, test.notes) {
				t.Errorf("notes %v, want %v", seen.notes, test.notes)
			}
		})
	}
}

func TestAvailableAsksTheDatabaseOfEachService(t *testing.T) {
	for service, path := range map[emco.Service]string{
		emco.Orchestrator: "GET projects/run-1", emco.DCM: "GET " + cloudPath, emco.CLM: "GET cluster-providers/run-1",
	} {
		server := newScripted(t, map[string][]reply{path: {{code: 200, body: "{}"}}})
		runWithin(t, 10*time.Second, server.subject(), "available", map[string]any{"service": string(service)}, Passed, string(service))
	}
}

func TestAvailableRsync(t *testing.T) {
	server := newScripted(t, nil)
	subject := server.subject()
	seen := &record{}
	probe := mustNew(t, "available", map[string]any{"service": "rsync"})
	check(t, "available", seen, probe.Run(within(t, 10*time.Second), subject, seen), Errored, "rsync: ")

	subject.Setup.Rsync = server.address
	seen = &record{}
	check(t, "available", seen, probe.Run(within(t, 10*time.Second), subject, seen), Passed, "rsync is available")

	server.down()
	seen = &record{}
	check(t, "available", seen, probe.Run(within(t, 500*time.Millisecond), subject, seen), Failed, "refused")
	seen = &record{}
	check(t, "unavailable", seen, mustNew(t, "unavailable", map[string]any{"service": "rsync"}).Run(within(t, 10*time.Second), subject, seen), Passed, "rsync refuses")
}

func TestAvailableCancelled(t *testing.T) {
	server := newScripted(t, map[string][]reply{projectGet: {broken}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := &record{onNote: cancel}
	got := mustNew(t, "available", map[string]any{"service": "orchestrator"}).Run(ctx, server.subject(), seen)
	check(t, "available", seen, got, Inconclusive, "last seen: 500")
}

// Whoever waits for a refusal passes over everything else.
func TestUnavailable(t *testing.T) {
	server := newScripted(t, map[string][]reply{projectGet: {
		{code: 200, body: "{}"}, broken, lost, {end: "reset"}, {code: 503, body: "busy"}, {end: "refuse"},
	}})
	got, _ := runWithin(t, 10*time.Second, server.subject(), "unavailable", map[string]any{"service": "orchestrator"}, Passed, "connection refused")
	for _, key := range []string{"answered", "500", "503", "reset", "refused", "first down", "first refused"} {
		if got.Evidence[key] == "" {
			t.Errorf("no %q in the evidence %v", key, got.Evidence)
		}
	}
	// The connection that ended with the listener was one more EOF.
	if got.Evidence["EOF"] != "2" {
		t.Errorf("evidence %v", got.Evidence)
	}
}

func TestUnavailableOfACall(t *testing.T) {
	server := newScripted(t, map[string][]reply{cloudStatus: {installed, {end: "refuse"}}})
	runWithin(t, 10*time.Second, server.subject(), "unavailable", map[string]any{"call": "logical-cloud.terminate"}, Passed, "dcm refuses")
	if server.count(cloudStatus) != 2 {
		t.Errorf("the server saw %v", server.seen)
	}
}

func TestUnavailableBehindAnIngress(t *testing.T) {
	server := newScripted(t, map[string][]reply{projectGet: {broken, {code: 503, body: "down"}}})
	runWithin(t, 10*time.Second, server.subject(behindIngress), "unavailable", map[string]any{"service": "orchestrator"}, Passed, "503")
}

func TestUnavailableNeverSeen(t *testing.T) {
	for _, r := range []reply{{code: 200, body: "{}"}, lost, {end: "reset"}, {code: 503}, {end: "hang"}} {
		t.Run(fmt.Sprint(r.code, r.end), func(t *testing.T) {
			t.Parallel()
			server := newScripted(t, map[string][]reply{projectGet: {r}})
			seen := &record{}
			got := mustNew(t, "unavailable", map[string]any{"service": "orchestrator"}).Run(within(t, 500*time.Millisecond), server.subject(), seen)
			// What is connected and not answered is told again and again.
			told := slices.Contains(seen.events, "connected")
			seen.events = slices.Compact(seen.events)
			check(t, "unavailable", seen, got, Inconclusive, "was not seen to refuse")
			if want := r.code == 503 || r.end == "hang"; told != want {
				t.Errorf("told of a connection: %t, want %t", told, want)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	for _, test := range []struct {
		name    string
		args    map[string]any
		replies []reply
		want    Conclusion
		message string
	}{
		{"any", nil, []reply{approved}, Passed, "status says Approved"},
		{"after answers that give none", nil, []reply{noJSON, invalidState, broken, lost, installing}, Passed, "status says Instantiating"},
		{"the wanted one", map[string]any{"state": "Instantiating"}, []reply{installing}, Passed, "Instantiating"},
		{"another one", map[string]any{"state": "Instantiated"}, []reply{installing}, Failed, "status says Instantiating, not Instantiated"},
		{"none", nil, []reply{noJSON}, Failed, "no status gave a state"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newScripted(t, map[string][]reply{digStatus: test.replies})
			args := map[string]any{"call": "dig.instantiate"}
			maps.Copy(args, test.args)
			seen := &record{}
			d := 10 * time.Second
			if test.name == "none" {
				d = 500 * time.Millisecond
			}
			got := mustNew(t, "status", args).Run(within(t, d), server.subject(), seen)
			check(t, "status", seen, got, test.want, test.message)
		})
	}
}

func TestNotFinal(t *testing.T) {
	for _, test := range []struct {
		call    string
		replies []reply
		want    Conclusion
		message string
	}{
		{"dig.instantiate", []reply{approved, lagging, installing}, Passed, "Instantiating (Pending 4)"},
		{"dig.instantiate", []reply{approved, lagging, installed}, Inconclusive, "final before"},
		{"dig.instantiate", []reply{failed}, Inconclusive, "final before"},
		// The status of before is not that of the work under way.
		{"dig.terminate", []reply{stillThere, stillThere, terminating}, Passed, "Terminating"},
		{"dig.terminate", []reply{stillThere, terminated}, Inconclusive, "final before"},
		{"dig.instantiate", []reply{noJSON}, Inconclusive, "was not seen under way"},
		{"cluster-provider.create", []reply{noJSON}, Inconclusive, "was not seen under way"},
	} {
		t.Run(test.call+" "+test.message, func(t *testing.T) {
			t.Parallel()
			server := newScripted(t, map[string][]reply{digStatus: test.replies})
			seen := &record{}
			probe := mustNew(t, "notFinal", forCall(test.call))
			d := 10 * time.Second
			if strings.HasPrefix(test.message, "was not") {
				d = 500 * time.Millisecond
			}
			got := probe.Run(within(t, d), server.subject(), seen)
			check(t, "notFinal", seen, got, test.want, test.message)
		})
	}
}

func mustCall(t *testing.T, name string) emco.Call {
	t.Helper()
	call, ok := emco.CallNamed(name)
	if !ok {
		t.Fatalf("no call %s", name)
	}
	return call
}

func TestReached(t *testing.T) {
	for _, test := range []struct {
		call    string
		replies []reply
		within  time.Duration
		want    Conclusion
		message string
	}{
		{"dig.instantiate", []reply{approved, lagging, installing, lost, broken, installed}, 10 * time.Second, Passed, "Instantiated after"},
		{"dig.instantiate", []reply{installing, failed}, 10 * time.Second, Failed, "InstantiateFailed"},
		{"dig.terminate", []reply{stillThere, terminating, terminated}, 10 * time.Second, Passed, "Terminated after"},
		// What gives no state is not Terminated, nor is a state that EMCO did
		// not write down.
		{"dig.terminate", []reply{invalidState}, 500 * time.Millisecond, Failed, "Terminated was not reached (last status: no state"},
		{"dig.terminate", []reply{noJSON}, 500 * time.Millisecond, Failed, "was not reached"},
		{"dig.terminate", []reply{notTold}, 500 * time.Millisecond, Failed, "last status: Terminating (last action Instantiated)"},
		{"dig.terminate", []reply{state(emco.Terminated, emco.Created, emco.Approved, emco.Instantiated)}, 500 * time.Millisecond, Failed, "was not reached"},
		{"dig.terminate", []reply{state(emco.TerminateFailed, emco.Created, emco.Approved, emco.Instantiated, emco.Terminated)}, 10 * time.Second, Failed, "TerminateFailed"},
		{"dig.approve", []reply{created, approved}, 10 * time.Second, Passed, "Approved after"},
		{"dig.instantiate", []reply{{end: "refuse"}}, 500 * time.Millisecond, Failed, "connection refused"},
	} {
		t.Run(test.call+" "+test.message, func(t *testing.T) {
			t.Parallel()
			server := newScripted(t, map[string][]reply{digStatus: test.replies})
			runWithin(t, test.within, server.subject(), "reached", map[string]any{"call": test.call}, test.want, test.message)
		})
	}
}

func TestReachedCancelled(t *testing.T) {
	server := newScripted(t, map[string][]reply{digStatus: {installing}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := &record{onNote: cancel}
	got := mustNew(t, "reached", map[string]any{"call": "dig.instantiate"}).Run(ctx, server.subject(), seen)
	check(t, "reached", seen, got, Inconclusive, "last status: Instantiating")
	if len(seen.notes) != 1 {
		t.Errorf("notes %v, want each status once", seen.notes)
	}
}

func TestReissue(t *testing.T) {
	already := reply{code: 500, body: "DeploymentIntentGroup has already been instantiatedrun-1-dig\n"}
	notInstantiated := reply{code: 500, body: "DeploymentIntentGroup is not instantiated :run-1-dig\n"}
	unavailable := reply{code: 500, body: "rpc error: code = Unavailable desc = connection error\n"}
	for _, test := range []struct {
		name    string
		call    string
		status  []reply
		posts   []reply
		within  time.Duration
		want    Conclusion
		message string
		count   int
		answer  string
	}{
		{name: "not begun", status: []reply{approved}, posts: []reply{accepted}, want: Passed, message: "reissued: 202 Accepted", count: 1, answer: "202"},
		{name: "under way", status: []reply{installing}, want: Passed, message: "not reissued: status says Instantiating"},
		{name: "done", status: []reply{installed}, want: Passed, message: "not reissued: status says Instantiated"},
		{name: "the second reading shows it", status: []reply{approved, lagging}, want: Passed, message: "not reissued: status says nothing yet (last action Instantiated)"},
		{name: "no state at first", status: []reply{lost, broken, noJSON, approved, noJSON, approved}, posts: []reply{accepted}, want: Passed,
			message: "reissued: 202", count: 1, answer: "202"},
		{name: "failed for good", status: []reply{failed}, want: Failed, message: "InstantiateFailed"},
		{name: "answer lost, and done by it", status: []reply{approved, approved, lagging}, posts: []reply{lost}, want: Passed,
			message: "reissued: connection-lost: EOF; status says nothing yet (last action Instantiated)", count: 1, answer: "connection-lost"},
		{name: "answer lost, and not done", status: []reply{approved}, posts: []reply{lost, accepted}, want: Passed, message: "reissued: 202", count: 2, answer: "202"},
		{name: "rsync not back yet", status: []reply{approved}, posts: []reply{unavailable, unavailable, accepted}, want: Passed, count: 3, answer: "202"},
		{name: "already, and the status agrees", status: []reply{approved, approved, approved, lagging}, posts: []reply{already}, want: Passed,
			message: "has already been instantiatedrun-1-dig; status says nothing yet (last action Instantiated)", count: 1, answer: "500"},
		{name: "already, and the status does not agree", status: []reply{approved}, posts: []reply{already}, want: Failed,
			message: "status says Approved", count: 1, answer: "500"},
		{name: "a refusal that stays", status: []reply{approved}, posts: []reply{{code: 400, body: "some text\n"}}, want: Failed,
			message: "reissued, and refused: POST " + digPath + "/instantiate: 400 Bad Request: some text", count: 1, answer: "400"},
		{name: "not approved", status: []reply{created}, posts: []reply{{code: 500, body: "DeploymentIntentGroup must be Approved before instantiatingx\n"}},
			want: Failed, message: "must be Approved", count: 1, answer: "500"},
		{name: "never accepted", status: []reply{approved}, posts: []reply{unavailable}, within: 500 * time.Millisecond, want: Failed,
			message: "dig.instantiate was not accepted (last status: Approved, last answer: ", count: -1},
		{name: "never reachable", status: []reply{{end: "refuse"}}, within: 500 * time.Millisecond, want: Failed, message: "connection refused"},
		{name: "wrong token", status: []reply{{code: 403, body: "no\n"}}, want: Errored, message: "give a token"},

		{name: "terminate", call: "dig.terminate", status: []reply{installed}, posts: []reply{accepted}, want: Passed, message: "reissued: 202", count: 1, answer: "202"},
		{name: "terminate under way, by a request not yet accepted", call: "dig.terminate", status: []reply{notTold, notTold, terminating}, want: Passed,
			message: "not reissued: status says Terminating"},
		{name: "terminate what was never instantiated", call: "dig.terminate", status: []reply{approved}, posts: []reply{notInstantiated}, want: Failed,
			message: "status says Approved", count: 1, answer: "500"},
		{name: "terminated meanwhile", call: "dig.terminate", status: []reply{installed, installed, terminating}, posts: []reply{notInstantiated}, want: Passed,
			message: "is not instantiated :run-1-dig; status says Terminating", count: 1, answer: "500"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			call, post := "dig.instantiate", digInstall
			if test.call != "" {
				call, post = test.call, digTerminate
			}
			d := test.within
			if d == 0 {
				d = 10 * time.Second
			}
			server := newScripted(t, map[string][]reply{digStatus: test.status, post: test.posts})
			got, _ := runWithin(t, d, server.subject(), "reissue", map[string]any{"call": call}, test.want, test.message)
			if n := server.count(post); test.count >= 0 && (n != test.count || got.Evidence["posts"] != fmt.Sprint(n) && got.Conclusion != Errored) {
				t.Errorf("%d posts, evidence %v, want %d", n, got.Evidence, test.count)
			}
			if test.answer != "" && got.Evidence["answer"] != test.answer {
				t.Errorf("evidence %v, want answer %s", got.Evidence, test.answer)
			}
		})
	}
}

func TestReissueCancelled(t *testing.T) {
	server := newScripted(t, map[string][]reply{cloudStatus: {noJSON}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := &record{onNote: cancel}
	got := mustNew(t, "reissue", map[string]any{"call": "logical-cloud.instantiate"}).Run(ctx, server.subject(), seen)
	check(t, "reissue", seen, got, Inconclusive, "was not accepted")
}

func TestArguments(t *testing.T) {
	type args = map[string]any
	for _, test := range []struct {
		kind     string
		args     args
		argument string // of the error
		remedy   string
	}{
		{"call", args{}, "call", "dig.approve, dig.instantiate"},
		{"call", args{"call": ""}, "call", "use one of"},
		{"call", args{"call": "dig.destroy"}, "call", "use one of dig.approve"},
		{"call", args{"call": 5}, "call", "use one of"},
		{"call", args{"call": "dig.approve", "call2": 1}, "call2", "it takes call"},
		{"available", nil, "service", "orchestrator, dcm, clm, rsync"},
		{"available", args{"service": "etcd"}, "service", "orchestrator, dcm, clm, rsync"},
		{"unavailable", args{}, "service", "a service or a call"},
		{"unavailable", args{"service": "dcm", "call": "dig.approve"}, "service", "use orchestrator or leave it out"},
		{"status", args{"call": "dig.approve", "state": 1}, "state", "the state"},
		{"survey", args{"call": "dig.approve", "quiet": "soon"}, "quiet", "such as 500ms"},
		{"survey", args{"call": "dig.approve", "quiet": "-1s"}, "quiet", "such as 500ms"},
		{"teardown", args{"x": 1}, "x", "it takes none"},
		{"ensure", args{}, "given", "the states"},
		{"ensure", args{"given": "Approved"}, "given", "the states"},
		{"ensure", args{"given": args{"dig": "Approved"}}, "given.dig", "set given.logicalCloud"},
		{"ensure", args{"given": args{"for": "x"}}, "given.for", "dig.approve"},
		{"clean", args{"run": true}, "run", "the name"},
	} {
		_, err := New(test.kind, test.args)
		got, ok := errors.AsType[document.Problem](err)
		if !ok || !strings.HasPrefix(err.Error(), test.kind+": ") || got.Field != test.argument || got.Message == "" || !strings.Contains(got.Remedy, test.remedy) {
			t.Errorf("%s %v: error %v, want one of argument %s with %q", test.kind, test.args, err, test.argument, test.remedy)
		}
	}
	if _, err := New("no-such-probe", nil); err == nil || !strings.Contains(err.Error(), "use one of call, available") {
		t.Errorf("error %v", err)
	}
	for _, test := range []struct {
		kind string
		args args
	}{
		{"call", args{"call": "cluster.create"}}, {"available", args{"service": "rsync"}}, {"unavailable", args{"service": "dcm", "call": "logical-cloud.terminate"}},
		{"status", args{"call": "dig.approve"}}, {"status", args{"call": "dig.approve", "state": "Approved"}}, {"ensure", args{"given": args{}}},
		{"ensure", args{"given": args{"for": "dig.terminate"}}}, {"teardown", nil}, {"clean", args{}}, {"clean", args{"run": "r"}},
	} {
		if _, err := New(test.kind, test.args); err != nil {
			t.Errorf("%s %v: %v", test.kind, test.args, err)
		}
	}
}

// The catalogue is complete enough to be shown and checked by others.
func TestCatalogue(t *testing.T) {
	var names []string
	for _, k := range Catalogue() {
		if k.Name == "" || k.Summary == "" || len(k.Events) == 0 || k.run == nil || slices.Contains(names, k.Name) {
			t.Errorf("kind %+v", k)
		}
		names = append(names, k.Name)
		for _, a := range k.Arguments {
			if a.Name == "" || a.Type == "" || a.Description == "" {
				t.Errorf("%s: argument %+v", k.Name, a)
			}
		}
	}
}
