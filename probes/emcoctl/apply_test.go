package emcoctl_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// recorder keeps what is done.
type recorder struct{ steps []emcoctl.Step }

func (r *recorder) Call(string, emco.Answer) {}
func (r *recorder) Step(step emcoctl.Step)   { r.steps = append(r.steps, step) }
func (r *recorder) verdicts() (list []string) {
	for _, step := range r.steps {
		list = append(list, string(step.Verdict))
	}
	return list
}

// cloud is a logical cloud on a cluster, and what it needs.
const cloud = `version: emco/v2
resourceContext: {anchor: controllers}
metadata: {name: rsync}
spec: {host: HOST, port: PORT}
---
version: emco/v2
resourceContext: {anchor: projects}
metadata: {name: p}
---
version: emco/v2
resourceContext: {anchor: projects/p/logical-clouds}
metadata: {name: lc}
spec: {level: "0"}
---
version: emco/v2
resourceContext: {anchor: projects/p/logical-clouds/lc/cluster-references}
metadata: {name: ref}
spec: {clusterProvider: cp, cluster: c, loadBalancerIP: "0.0.0.0"}
---
version: emco/v2
resourceContext: {anchor: projects/p/logical-clouds/lc/instantiate}
`

const cluster = `version: emco/v2
resourceContext: {anchor: cluster-providers}
metadata: {name: cp}
---
version: emco/v2
resourceContext: {anchor: cluster-providers/cp/clusters}
metadata: {name: c}
file: kubeconfig
`

func parse(t *testing.T, text string) []emcoctl.Resource {
	t.Helper()
	folder := files(t, map[string]string{"r.yaml": text})
	resources, err := emcoctl.Read(emcoctl.Sources{Files: []string{filepath.Join(folder, "r.yaml")}, WithoutAttachments: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range resources {
		resources[i].File = "r.yaml"
		if resources[i].Attachment != nil {
			resources[i].Attachment.Content = []byte("kind: Config\n")
		}
	}
	return resources
}

func TestApplyAndDelete(t *testing.T) {
	server := emcotest.Start(t, emcotest.Options{})
	client, err := emco.New(emco.Config{Endpoints: map[emco.Service]string{
		emco.Orchestrator: server.URL("orchestrator"), emco.DCM: server.URL("dcm"), emco.CLM: server.URL("clm"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(server.Address("rsync"), ":")
	lc := parse(t, strings.NewReplacer("HOST", host, "PORT", port).Replace(cloud))
	edge := parse(t, cluster)
	orphan := parse(t, strings.ReplaceAll(cluster, "cp/", "nobody/"))[1]
	options := emcoctl.Options{Interval: 10 * time.Millisecond, Patience: time.Minute}
	strict := options
	strict.Strict = true
	going := options
	going.KeepGoing = true

	for _, test := range []struct {
		name      string
		do        func(context.Context, *emco.Client, []emcoctl.Resource, emcoctl.Options, emcoctl.Observer) error
		resources []emcoctl.Resource
		options   emcoctl.Options
		want      error
		verdicts  string
		text      string // of the last step
	}{
		{"the cluster is missing", emcoctl.Apply, lc, options, emcoctl.ErrRefused, "done done done done refused", "500 Internal Server Error: The server encountered"},
		{"never instantiated", emcoctl.Delete, lc[4:], options, nil, "skipped", "was never instantiated"},
		{"the parent is missing", emcoctl.Apply, edge[1:], options, emcoctl.ErrRefused, "refused", "409 Conflict: Cannot perform requested operation. Parent"},
		{"the cluster", emcoctl.Apply, edge, options, nil, "done done", "201 Created"},
		{"now it is done", emcoctl.Apply, lc, options, nil, "already already already already done", "202 Accepted; Instantiated after"},
		{"all is there", emcoctl.Apply, lc, options, nil, "already already already already already", "was done already: status says Instantiated"},
		{"strict", emcoctl.Apply, lc, strict, emcoctl.ErrRefused, "refused", "controllers/rsync is there already"},
		{"not in this order", emcoctl.Delete, lc[1:2], options, emcoctl.ErrRefused, "refused", "projects/p/logical-clouds/lc hangs on it, and the files do not name it"},
		{"keep going", emcoctl.Apply, []emcoctl.Resource{orphan, lc[1]}, going, emcoctl.ErrRefused, "refused already", "projects/p is there already"},
		{"all goes", emcoctl.Delete, append(slices.Clone(edge), lc...), options, nil, "done done done done skipped done done", "204 No Content"},
		{"all is gone", emcoctl.Delete, append(slices.Clone(edge), lc...), options, nil, "already already already already skipped already already", "was not there"},
		{"gone, strict", emcoctl.Delete, lc, strict, emcoctl.ErrRefused, "refused", "was not there"},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := &recorder{}
			err := test.do(t.Context(), client, test.resources, test.options, seen)
			if !errors.Is(err, test.want) {
				t.Errorf("got the error %v, want %v", err, test.want)
			}
			if got := strings.Join(seen.verdicts(), " "); got != test.verdicts {
				t.Errorf("got %s, want %s", got, test.verdicts)
			}
			if last := seen.steps[len(seen.steps)-1]; !strings.Contains(last.Text, test.text) {
				t.Errorf("got %q, want %q", last.Text, test.text)
			}
		})
	}

	if err := server.Stop("dcm"); err != nil {
		t.Fatal(err)
	}
	seen := &recorder{}
	err = emcoctl.Apply(t.Context(), client, lc, going, seen)
	if got := strings.Join(seen.verdicts(), " "); !errors.Is(err, emcoctl.ErrUnreachable) || got != "already done unreachable unreachable unreachable" {
		t.Errorf("with dcm down: %s, %v", got, err)
	}
	seen = &recorder{}
	err = emcoctl.Delete(t.Context(), client, lc, going, seen)
	if got := strings.Join(seen.verdicts(), " "); !errors.Is(err, emcoctl.ErrUnreachable) || got != "unreachable unreachable unreachable unreachable skipped" {
		t.Errorf("with dcm down: %s, %v", got, err)
	}
}

// scripted answers the calls of one logical cloud: 202 to a call, and one
// state after the other to its status.
type scripted struct {
	mu     sync.Mutex
	states []string
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.states[0]
	if len(s.states) > 1 {
		s.states = s.states[1:]
	}
	fmt.Fprintf(w, `{"states":{"statusctxid":"1","actions":[{"state":"Instantiated"}]},"deployedStatus":%q}`, state)
}

const instantiateDIG = `version: emco/v2
resourceContext: {anchor: projects/p/composite-apps/c/v1/deployment-intent-groups/d/instantiate}
`

func TestWait(t *testing.T) {
	for name, test := range map[string]struct {
		states  []string
		options emcoctl.Options
		want    error
		text    string
	}{
		"done":     {states: []string{"", "Instantiating", "Instantiated"}, text: "202 Accepted; Instantiated after"},
		"given up": {states: []string{"Instantiating", "InstantiateFailed"}, want: emcoctl.ErrRefused, text: "then the status says InstantiateFailed"},
		"never": {
			states: []string{"Instantiating"}, options: emcoctl.Options{Patience: 50 * time.Millisecond},
			want: emcoctl.ErrRefused, text: "Instantiated was not reached within",
		},
		"not waited for": {states: []string{"Instantiating"}, options: emcoctl.Options{NoWait: true}, text: "202 Accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(&scripted{states: test.states})
			defer server.Close()
			test.options.Interval = 5 * time.Millisecond
			seen := &recorder{}
			err := emcoctl.Apply(t.Context(), clientOf(t, server.URL), parse(t, instantiateDIG), test.options, seen)
			if !errors.Is(err, test.want) || !strings.Contains(seen.steps[0].Text, test.text) {
				t.Errorf("got %q, %v", seen.steps[0].Text, err)
			}
		})
	}
}

func TestEndedWhileWaiting(t *testing.T) {
	server := httptest.NewServer(&scripted{states: []string{"Instantiating"}})
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client, err := emco.New(emco.Config{
		Endpoints: map[emco.Service]string{emco.Orchestrator: server.URL},
		Answered: func(answer emco.Answer) {
			if answer.Request.Method == http.MethodGet {
				cancel()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := emcoctl.Apply(ctx, client, parse(t, instantiateDIG), emcoctl.Options{}, &recorder{}); !errors.Is(err, emcoctl.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestPrinter(t *testing.T) {
	resources := parse(t, strings.NewReplacer("HOST", "h", "PORT", "1").Replace(cloud))
	answer := emco.Answer{Request: emco.Post("projects"), URL: "http://h/v2/projects", Code: 409, Body: []byte("Project already exists\n"), Outcome: emco.Outcome{Kind: emco.Rejected, Code: 409}}
	print := func(form emcoctl.Form) string {
		var out bytes.Buffer
		printer := emcoctl.NewPrinter(&out, form, "Apply")
		printer.Call("projects", answer)
		printer.Step(emcoctl.Step{Resource: resources[1], Anchor: "projects", Verdict: emcoctl.Refused, Answer: &answer, Text: "no\x1b[2J"})
		printer.Step(emcoctl.Step{Resource: resources[4], Anchor: "projects/p/logical-clouds/lc/instantiate", Verdict: emcoctl.Done, Text: "202 Accepted"})
		if err := printer.End(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for form, want := range map[emcoctl.Form]string{
		emcoctl.Plain:   "refused     projects (p): no [2J\ndone        projects/p/logical-clouds/lc/instantiate: 202 Accepted\n1 done, 1 refused\n",
		emcoctl.Emcoctl: "---\nPOST --> URL: http://h/v2/projects\nResponse Code: 409\nResponse: Project already exists\n",
	} {
		if got := print(form); got != want {
			t.Errorf("%s:\n got %q\nwant %q", form, got, want)
		}
	}
	lines := strings.Split(strings.TrimSpace(print(emcoctl.JSON)), "\n")
	var first struct {
		Verdict, Outcome, File string
		Document               int
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != 3 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if first.Verdict != "refused" || first.Outcome != "rejected 409" || first.File != "r.yaml" || first.Document != 2 {
		t.Errorf("got %+v", first)
	}
	if want := `{"summary":{"done":1,"refused":1}}`; lines[2] != want {
		t.Errorf("got %s, want %s", lines[2], want)
	}
}

func TestPrinterTellsWhatItCouldNotPrint(t *testing.T) {
	reader, writer := io.Pipe()
	reader.Close()
	printer := emcoctl.NewPrinter(writer, emcoctl.Plain, "Apply")
	if err := printer.End(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}
