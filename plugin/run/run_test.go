package run

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// scripted is a plugin's process whose only activity answers at once.
type scripted struct {
	process
	gone   chan struct{}
	closed bool
	// asked are the targets of its tasks.
	asked []string
}

func newScripted(dead bool) *scripted {
	s := &scripted{gone: make(chan struct{})}
	if dead {
		close(s.gone)
	}
	return s
}

func (s *scripted) Gone() <-chan struct{} { return s.gone }

func (s *scripted) Close() { s.closed = true }

func (s *scripted) Describe(context.Context) (sdk.Description, error) {
	return sdk.Description{Name: "sample", Version: "v2"}, nil
}

func (s *scripted) Run(_ context.Context, task sdk.Task, observer sdk.Observer) (sdk.Result, error) {
	s.asked = append(s.asked, string(task.Target))
	return sdk.Result{Conclusion: sdk.Passed, Message: "it answers"}, nil
}

// noted is a lock that takes down what it is told.
type noted struct {
	noLock
	runs []string
	err  error
}

func (n *noted) Note(_ context.Context, run string) error {
	n.runs = append(n.runs, run)
	return n.err
}

// full is a file on a disk without room.
type full struct{ error }

func (f full) Write([]byte) (int, error) { return 0, f.error }

// looking is a plan of which each step is one look.
func looking() *plan.Plan {
	look := func(name string) plan.Step {
		return plan.Step{Name: name, Timeout: plan.Duration(time.Minute), Activity: &plan.Activity{
			Name: "available", Summary: "it answers", Events: []string{"started", "passed", "failed", "errored"}, Ends: []string{"passed", "failed", "errored"},
		}}
	}
	return &plan.Plan{
		Experiment: "sample", Attempts: 1, Control: true,
		Given: look(plan.GivenStep), Steps: []plan.Step{look("back")}, Teardown: look(plan.TeardownStep),
	}
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	lock, first := &noted{}, newScripted(false)
	history := journal.New(&out)
	outcome, err := (&Target{Driver: &littered{}, Lock: lock}).Run(t.Context(), &Plugin{process: first, target: []byte("{}")},
		Spec{Run: "rone", Plan: looking(), Journal: history, Version: "v1"})
	if err != nil || outcome.Verdict != verdict.Passed || outcome.Attempt != 1 {
		t.Fatalf("%+v, %v\n%s", outcome, err, &out)
	}
	records := history.Records()
	if begin, end := records[0], records[len(records)-1]; begin.Run != "rone" || begin.Version != "v1" || begin.Versions["plugin sample"] != "v2" || end.Kind != journal.End || end.Verdict != "Passed" {
		t.Errorf("the journal is\n%s", &out)
	}
	if len(lock.runs) != 1 || lock.runs[0] != "rone" || !slices.Equal(first.asked, []string{"{}", "{}"}) {
		t.Errorf("noted %v, asked about %v", lock.runs, first.asked)
	}
}

func TestRunStartsADeadPluginAgain(t *testing.T) {
	dead, fresh, broken := newScripted(true), newScripted(false), errors.New("no memory")
	for name, test := range map[string]struct {
		start error
		want  verdict.Verdict
	}{"it starts": {want: verdict.Passed}, "it does not": {start: broken}} {
		plugin := &Plugin{process: dead, start: func(context.Context) (process, error) { return fresh, test.start }}
		outcome, err := (&Target{Driver: &littered{}, Lock: noLock{}}).Run(t.Context(), plugin, Spec{Run: "rone", Plan: looking(), Journal: journal.New(&bytes.Buffer{})})
		if !errors.Is(err, test.start) || outcome.Verdict != test.want || !dead.closed {
			t.Errorf("%s: %+v, %v", name, outcome, err)
		}
		if plugin.process == process(fresh) != (test.start == nil) {
			t.Errorf("%s: the plugin is %+v", name, plugin.process)
		}
	}
}

func TestNoRun(t *testing.T) {
	lost, noRoom := errors.New("the lease is lost"), errors.New("no space left on device")
	for name, test := range map[string]struct {
		lock Lock
		out  full
		want error
		says string
	}{
		"the lock cannot be noted": {lock: &noted{err: lost}, want: lost},
		"the journal is not kept":  {lock: noLock{}, out: full{noRoom}, want: noRoom, says: "keep the journal: "},
	} {
		_, err := (&Target{Driver: &littered{}, Lock: test.lock}).Run(t.Context(), &Plugin{process: newScripted(false)},
			Spec{Run: "rone", Plan: looking(), Journal: journal.New(test.out)})
		if !errors.Is(err, test.want) || !strings.HasPrefix(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// compiling answers for each experiment with a plan or an error.
type compiling struct {
	process
	plans   map[string]*plan.Plan
	errs    map[string]error
	targets []string
}

func (c *compiling) Compile(_ context.Context, source sdk.Source) (*plan.Plan, error) {
	c.targets = append(c.targets, string(source.Target))
	return c.plans[source.Experiment], c.errs[source.Experiment]
}

func TestCompileAll(t *testing.T) {
	died := errors.New("the plugin died")
	good := looking()
	compiler := &compiling{
		plans: map[string]*plan.Plan{"good": good, "strange": {Experiment: "strange"}},
		errs: map[string]error{
			"wrong": document.Problems{{Field: "call", Message: "is not known"}}, "broken": died,
		},
	}
	plugin := &Plugin{process: compiler, target: []byte("{}")}
	all := func(names ...string) ([]*plan.Plan, error) {
		var sources []sdk.Source
		for _, name := range names {
			sources = append(sources, sdk.Source{Experiment: name})
		}
		return plugin.CompileAll(t.Context(), sources)
	}
	if plans, err := all("good"); err != nil || len(plans) != 1 {
		t.Errorf("%v, %v", plans, err)
	}
	// Every mistake is told, also one of a plan that the plugin should not make.
	plans, err := all("wrong", "strange", "good")
	problems, ok := errors.AsType[document.Problems](err)
	if !ok || len(problems) < 2 || problems[0].Field != "call" || len(plans) != 2 {
		t.Errorf("%v, %v", plans, err)
	}
	if _, err := all("wrong", "broken"); !errors.Is(err, died) {
		t.Errorf("%v", err)
	}
	for _, sent := range compiler.targets {
		if sent != "{}" {
			t.Errorf("the target was %q", sent)
		}
	}
}

func TestStart(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, host.Prefix+"script"), []byte("#!/bin/sh\necho hello\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	tokened := &target.Target{Name: "sample"}
	for name, test := range map[string]struct {
		options PluginOptions
		usage   bool
		want    error
	}{
		"no plugin of the name": {PluginOptions{Name: "nobody", Directory: folder}, true, host.ErrNotFound},
		"a pin that is none":    {PluginOptions{Name: "script", Directory: folder, Options: host.Options{SHA256: "abc"}}, true, host.ErrPin},
		"no plugin at all":      {PluginOptions{Name: "script", Directory: folder}, false, host.ErrNotPlugin},
	} {
		_, err := Start(t.Context(), test.options, tokened)
		if !errors.Is(err, test.want) || errors.As(err, new(*UsageError)) != test.usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	local := &target.Target{Name: "sample", Driver: target.Driver{Local: &target.LocalDriver{Cluster: file}}}
	if _, err := Open(t.Context(), local, func(string) {}); !errors.As(err, new(*UsageError)) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without its file: %v", err)
	}
	text := `apiVersion: emco-chaos/v1
kind: LocalCluster
metadata: {name: sample}
spec:
  namespace: emco
  pods:
    - {name: shop, labels: {app: shop}, command: [sleep, "1000"]}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := Open(t.Context(), local, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := opened.Prepare(t.Context()); err != nil {
		t.Error(err)
	}
	if _, able := opened.Driver.(engine.Checker); !able {
		t.Error("the driver does not tell beforehand what it would refuse")
	}
	if err := opened.Close(); err != nil {
		t.Error(err)
	}

	// A cluster that does not answer.
	config := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(config, []byte(strings.ReplaceAll(twoContexts, "https://north.example:6443", "https://127.0.0.1:1")), 0o600); err != nil {
		t.Fatal(err)
	}
	cluster := &target.Target{
		Name:     "sample",
		Driver:   target.Driver{Kubernetes: &target.KubernetesDriver{Kubeconfig: config, Context: "north"}},
		Services: map[string]target.Service{"shop": {Namespace: "emco", Labels: map[string]string{"app": "shop"}}},
	}
	if _, err := Open(t.Context(), cluster, func(string) {}); err == nil || !strings.HasPrefix(err.Error(), "target sample: read the lease emco-chaos in namespace emco: ") {
		t.Errorf("without its cluster: %v", err)
	}
	cluster.Driver.Kubernetes.Kubeconfig += "s"
	if _, err := Open(t.Context(), cluster, func(string) {}); err == nil || !strings.HasPrefix(err.Error(), "target sample: the kubeconfig ") {
		t.Errorf("without its kubeconfig: %v", err)
	}
}

func TestHolder(t *testing.T) {
	for pod, want := range map[string]string{"emco-chaos-0": "emco-chaos-0, process ", "": ", process "} {
		t.Setenv("POD_NAME", pod)
		if got := Holder(); !strings.Contains(got, want) || strings.HasPrefix(got, ",") {
			t.Errorf("in the pod %q it is %q", pod, got)
		}
	}
}
