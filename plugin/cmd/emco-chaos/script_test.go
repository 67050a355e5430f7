package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write the golden parts of scripts anew")

// TestScripts runs the built commands as a user types them.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("XDG_STATE_HOME", env.Getenv("WORK"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"journal": writeJournal},
	})
}

// writeJournal is the command journal FILE EXPERIMENT VERDICT SECONDS…: it adds a run
// to the file for each of the times after which what was killed was ready.
func writeJournal(ts *testscript.TestScript, _ bool, args []string) {
	file, err := os.OpenFile(ts.MkAbs(args[0]), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	ts.Check(err)
	defer file.Close()
	p := &plan.Plan{
		Experiment: args[1], Title: "A kill", Target: "t",
		Steps: []plan.Step{
			{Name: "kill", Fault: &plan.Fault{Kind: "PodChaos", Summary: "pod-kill a"}},
			{Name: "final", Activity: &plan.Activity{Name: "probe", Events: []string{"passed"}, Ends: []string{"passed"}}},
		},
		Evidence: []plan.Claim{{Refs: []plan.Ref{{Step: "kill", Event: plan.Down}}}},
	}
	for _, text := range args[3:] {
		ready, err := time.ParseDuration(text + "s")
		ts.Check(err)
		start := time.Now()
		j := journal.New(file)
		for _, record := range []journal.Record{
			{Kind: journal.Run, Run: "r", Plan: p}, {Kind: journal.Attempt, Attempt: 1},
			{Kind: journal.Event, Step: "kill", Event: plan.Down},
			{At: ready, Kind: journal.Event, Step: "kill", Event: plan.Ready},
			{At: ready, Kind: journal.Result, Step: "final", Conclusion: strings.ToLower(args[2])},
			{At: ready, Kind: journal.Verdict, Verdict: args[2]}, {At: ready, Kind: journal.End, Run: "r"},
		} {
			j.Add(start.Add(record.At), record)
		}
		ts.Check(j.Err())
	}
}
