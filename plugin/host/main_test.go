package host_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

// TestMain makes the test binary a plugin when it is started under the name of
// one: every plugin here is a real process behind go-plugin.
func TestMain(m *testing.M) {
	base := filepath.Base(os.Args[0])
	if name, found := strings.CutPrefix(base, host.Prefix); found {
		program, known := programs[name]
		if !known {
			fmt.Fprintf(os.Stderr, "there is no test plugin %s\n", name)
			os.Exit(2)
		}
		program()
		os.Exit(0)
	}
	if base == hostProgram {
		beHost()
	}
	os.Exit(m.Run())
}

// programs are what the test binary can be, by the name of the plugin.
var programs = map[string]func(){}

// binary returns the path of a test plugin.
func binary(t testing.TB, name string) string {
	t.Helper()
	return linked(t, host.Prefix+name)
}

func linked(t testing.TB, base string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), base)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// started starts a test plugin that behaves so far.
func started(t testing.TB, name string, change ...func(*host.Options)) *host.Process {
	t.Helper()
	options := host.Options{Path: binary(t, name), Log: t.Output()}
	for _, one := range change {
		one(&options)
	}
	process, err := host.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Close)
	return process
}

// scripted is a plugin made of functions; one that is nil does nothing.
type scripted struct {
	describe func(ctx context.Context) (sdk.Description, error)
	compile  func(ctx context.Context, source sdk.Source) (*plan.Plan, error)
	run      func(ctx context.Context, task sdk.Task, observer sdk.Observer) sdk.Result
}

func (s scripted) Describe(ctx context.Context) (sdk.Description, error) {
	if s.describe == nil {
		return sdk.Description{Name: "scripted", Version: "1.2.3"}, nil
	}
	return s.describe(ctx)
}

func (s scripted) Compile(ctx context.Context, source sdk.Source) (*plan.Plan, error) {
	if s.compile == nil {
		return activityPlan("probe", "started", "passed"), nil
	}
	return s.compile(ctx, source)
}

func (s scripted) Run(ctx context.Context, task sdk.Task, observer sdk.Observer) sdk.Result {
	if s.run == nil {
		observer.Event("started", time.Now(), nil)
		observer.Event("passed", time.Now(), nil)
		return sdk.Result{Conclusion: sdk.Passed}
	}
	return s.run(ctx, task, observer)
}

// activityPlan is a plan of one step that does one activity, between a given
// and a teardown that are activities too.
func activityPlan(activity string, events ...string) *plan.Plan {
	do := func(step, activity string, events ...string) plan.Step {
		return plan.Step{Name: step, Timeout: plan.Duration(10 * time.Second), Activity: &plan.Activity{
			Name: activity, Summary: activity, Arguments: map[string]any{}, Events: events, Ends: events[1:],
		}}
	}
	return &plan.Plan{
		Experiment: "scripted", Title: "Scripted", Target: "none", Attempts: 1,
		Given:    do(plan.GivenStep, "given", "started", "passed"),
		Teardown: do(plan.TeardownStep, "teardown", "started", "passed"),
		Steps:    []plan.Step{do("one", activity, events...)},
		Evidence: []plan.Claim{{Refs: []plan.Ref{{Step: "one", Event: events[0]}}}},
	}
}
