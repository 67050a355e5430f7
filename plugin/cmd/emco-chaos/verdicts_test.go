package main

import (
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// onEmulated runs an experiment once on an emulated EMCO, with the real
// driver.
func onEmulated(t *testing.T, target *plan.Target, experiment string, set ...string) (verdict.Judgement, []string) {
	t.Helper()
	driver, err := drive(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := driver.close(); err != nil {
			t.Error(err)
		}
	}()
	outcome, _ := runWith(t, newSession(t), target, driver, experiment, set...)
	return outcome.Judgement, outcome.Left
}

func readTarget(t *testing.T, file string) *plan.Target {
	t.Helper()
	target, problems := plan.ReadTarget(file)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return target
}

// TestBugs: an EMCO with a bug must not pass.
func TestBugs(t *testing.T) {
	t.Parallel()
	target := readTarget(t, emulated(t, "--bug", "lose-state"))
	judgement, left := onEmulated(t, target, "dig-instantiate-status-lost", "converge=10s")
	if judgement.Verdict != verdict.Failed || !strings.Contains(judgement.Reason, "Instantiated was not reached") {
		t.Errorf("%s: %s", judgement.Verdict, judgement.Reason)
	}
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestGivenCannotBeReached: that says nothing of EMCO's recovery.
func TestGivenCannotBeReached(t *testing.T) {
	t.Parallel()
	file := emulated(t)
	target := readTarget(t, file)
	// Nobody listens on port 1.
	clm := target.Services["clm"]
	clm.URL = "http://127.0.0.1:1"
	target.Services["clm"] = clm
	judgement, left := onEmulated(t, target, "service-refused")
	if judgement.Verdict != verdict.Error || !strings.Contains(judgement.Reason, "the given state was not reached") {
		t.Errorf("%s: %s", judgement.Verdict, judgement.Reason)
	}
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
