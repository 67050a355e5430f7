package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// must is the verdict that an experiment must give on an EMCO with a bug, and
// a part of its reason.
type must struct {
	verdict verdict.Verdict
	reason  string
}

var (
	passes = must{verdict: verdict.Passed}
	// hurried: the answer is there before the call can be caught in flight.
	hurried = must{verdict.Inconclusive, "the hold held nothing, or no longer: it was answered"}

	forgotDeployment  = must{verdict.Failed, "final: Instantiated was not reached (last status: Approved"}
	forgotTermination = must{verdict.Failed, "final: Terminated was not reached (last status: Instantiated"}
	forgotCloud       = must{verdict.Failed, "final: Instantiated was not reached (last status: Created"}
	hangs             = must{verdict.Failed, "final: Terminated was not reached (last status: Terminating"}
	refusesReissue    = must{verdict.Failed, "reissued, and refused: POST "}
	wedged            = must{verdict.Failed, "is wedged: GET: 200 OK; status for "}
	neverThere        = must{verdict.Failed, "final: Instantiated was not reached (last status: Instantiating"}
	deployedNone      = must{verdict.Failed, "Instantiated was not reached (last status: Instantiating"} // any of several
	deployedNever     = must{verdict.Failed, "deployed: Instantiated was not reached (last status: Instantiating"}
	refusesBoth       = must{verdict.Failed, "deployed: Instantiated was not reached (last status: Approved"}
	stillNoState      = must{verdict.Failed, "still: no status gave a state (last status: no state: 500"}
	deployedNoState   = must{verdict.Failed, "deployed: Instantiated was not reached (last status: no state: 500"}
	// noGiven: no application can be Instantiated to begin with.
	noGiven        = must{verdict.Error, "the given state was not reached"}
	acceptsTooMuch = must{verdict.Failed, "cloud: expected rejected 500, but it was accepted"}
)

// verdicts are what each experiment says of an EMCO with each bug.
var verdicts = map[string]map[bug.Bug]must{
	"all-services-die-idle": {
		bug.NeverDeploys: noGiven, bug.LoseState: passes, bug.NeverTerminates: hangs, bug.WrongCodeOnReissue: passes, bug.AnswersAfterKill: passes, bug.Wedges: stillNoState,
	},
	"all-services-die-in-flight": {
		bug.NeverDeploys: deployedNever, bug.LoseState: passes, bug.NeverTerminates: passes, bug.WrongCodeOnReissue: refusesReissue, bug.AnswersAfterKill: hurried, bug.Wedges: wedged,
	},
	"cluster-provider-clm-restart": {
		bug.NeverDeploys: neverThere, bug.LoseState: passes, bug.NeverTerminates: passes, bug.WrongCodeOnReissue: refusesReissue, bug.AnswersAfterKill: acceptsTooMuch, bug.Wedges: passes,
	},
	"dig-instantiate-edge-unreachable": {
		bug.NeverDeploys: neverThere, bug.LoseState: passes, bug.NeverTerminates: passes, bug.WrongCodeOnReissue: passes, bug.AnswersAfterKill: passes, bug.Wedges: passes,
	},
	"dig-instantiate-in-flight": {
		bug.NeverDeploys: deployedNever, bug.LoseState: passes, bug.NeverTerminates: passes, bug.WrongCodeOnReissue: refusesReissue, bug.AnswersAfterKill: hurried, bug.Wedges: wedged,
	},
	"dig-instantiate-reissued-twice": {
		bug.NeverDeploys: deployedNever, bug.LoseState: passes, bug.NeverTerminates: passes, bug.WrongCodeOnReissue: refusesBoth, bug.AnswersAfterKill: hurried, bug.Wedges: deployedNoState,
	},
	"dig-instantiate-rsync-dies": {
		bug.NeverDeploys: neverThere, bug.LoseState: passes, bug.NeverTerminates: passes, bug.WrongCodeOnReissue: passes, bug.AnswersAfterKill: passes, bug.Wedges: passes,
	},
	"dig-instantiate-several-in-flight": {
		bug.NeverDeploys: deployedNone, bug.LoseState: passes, bug.NeverTerminates: passes, bug.WrongCodeOnReissue: refusesReissue, bug.AnswersAfterKill: hurried, bug.Wedges: wedged,
	},
	"dig-instantiate-status-lost": {
		bug.NeverDeploys: neverThere, bug.LoseState: forgotDeployment, bug.NeverTerminates: passes, bug.WrongCodeOnReissue: passes, bug.AnswersAfterKill: passes, bug.Wedges: passes,
	},
	"dig-terminate-edge-unreachable": {
		bug.NeverDeploys: noGiven, bug.LoseState: passes, bug.NeverTerminates: hangs, bug.WrongCodeOnReissue: passes, bug.AnswersAfterKill: passes, bug.Wedges: passes,
	},
	"dig-terminate-in-flight": {
		bug.NeverDeploys: noGiven, bug.LoseState: passes, bug.NeverTerminates: hangs, bug.WrongCodeOnReissue: refusesReissue, bug.AnswersAfterKill: hurried, bug.Wedges: passes,
	},
	"dig-terminate-status-lost": {
		bug.NeverDeploys: noGiven, bug.LoseState: forgotTermination, bug.NeverTerminates: hangs, bug.WrongCodeOnReissue: passes, bug.AnswersAfterKill: passes, bug.Wedges: passes,
	},
	"etcd-restart": {
		bug.NeverDeploys: noGiven, bug.LoseState: passes, bug.NeverTerminates: hangs, bug.WrongCodeOnReissue: passes, bug.AnswersAfterKill: passes, bug.Wedges: passes,
	},
	"logical-cloud-instantiate-in-flight": {
		bug.NeverDeploys: passes, bug.LoseState: passes, bug.NeverTerminates: passes, bug.WrongCodeOnReissue: refusesReissue, bug.AnswersAfterKill: hurried, bug.Wedges: wedged,
	},
	"logical-cloud-instantiate-status-lost": {
		bug.NeverDeploys: passes, bug.LoseState: passes, bug.NeverTerminates: passes, bug.WrongCodeOnReissue: passes, bug.AnswersAfterKill: forgotCloud, bug.Wedges: passes,
	},
	"logical-cloud-terminate-in-flight": {
		bug.NeverDeploys: passes, bug.LoseState: passes, bug.NeverTerminates: hangs, bug.WrongCodeOnReissue: refusesReissue, bug.AnswersAfterKill: hurried, bug.Wedges: passes,
	},
	"logical-cloud-terminate-status-lost": {
		bug.NeverDeploys: passes, bug.LoseState: passes, bug.NeverTerminates: hangs, bug.WrongCodeOnReissue: passes, bug.AnswersAfterKill: forgotTermination, bug.Wedges: passes,
	},
	"mongo-restart": {
		bug.NeverDeploys: neverThere, bug.LoseState: passes, bug.NeverTerminates: passes, bug.WrongCodeOnReissue: passes, bug.AnswersAfterKill: passes, bug.Wedges: passes,
	},
	"service-refused": {
		bug.NeverDeploys: noGiven, bug.LoseState: passes, bug.NeverTerminates: hangs, bug.WrongCodeOnReissue: passes, bug.AnswersAfterKill: passes, bug.Wedges: passes,
	},
}

// TestVerdictsAreComplete: the table has every experiment and every bug but the
// crash windows, each experiment can say no, and no bug goes unnoticed. An
// experiment kills at one moment: the windows are for the crash map to find.
func TestVerdictsAreComplete(t *testing.T) {
	windows := bug.Windows()
	all := slices.DeleteFunc(bug.Names(), func(name string) bool {
		_, is := windows[bug.Bug(name)]
		return is
	})
	if names := slices.Sorted(maps.Keys(verdicts)); !slices.Equal(names, experiments.Names()) {
		t.Errorf("the table is of %v, the experiments are %v", names, experiments.Names())
	}
	noticed := map[string]bool{}
	for experiment, row := range verdicts {
		says := false
		var bugs []string
		for bug, must := range row {
			bugs = append(bugs, string(bug))
			if must.verdict == verdict.Failed {
				says, noticed[string(bug)] = true, true
			}
		}
		slices.Sort(bugs)
		if !slices.Equal(bugs, all) {
			t.Errorf("%s: the table has %v, the bugs are %v", experiment, bugs, all)
		}
		if !says {
			t.Errorf("%s is failed by no bug", experiment)
		}
	}
	for _, name := range all {
		if !noticed[name] {
			t.Errorf("%s fails no experiment", name)
		}
	}
}

// spotChecked are the experiments that are run although a bug should not
// trouble them; each takes its time.
var spotChecked = map[bug.Bug][]string{
	bug.NeverDeploys:       {"logical-cloud-instantiate-in-flight"},
	bug.LoseState:          {"dig-terminate-in-flight", "logical-cloud-instantiate-status-lost"},
	bug.NeverTerminates:    {"dig-instantiate-status-lost"},
	bug.WrongCodeOnReissue: {"service-refused", "logical-cloud-terminate-status-lost"},
	bug.Wedges:             {"dig-terminate-in-flight", "logical-cloud-terminate-in-flight"}, // it wedges once: the next run is not hindered
	bug.AnswersAfterKill:   {"dig-instantiate-status-lost", "dig-instantiate-in-flight", "logical-cloud-terminate-in-flight"},
}

// wedgedAnew are run on an EMCO of their own: another experiment has wedged the one that all share, which
// wedges once.
var wedgedAnew = []string{"all-services-die-idle", "all-services-die-in-flight", "dig-instantiate-reissued-twice",
	"dig-instantiate-several-in-flight"}

// TestVerdicts: what the table says comes true, in every place where it says
// Failed and in some of the others.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, name := range bug.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t)
			fresh := func(t *testing.T) (*target.Target, engine.Driver) {
				target := readTarget(t, emulated(t, "--bug", name))
				return target, driven(t, target)
			}
			target, driver := fresh(t)
			for _, experiment := range experiments.Names() {
				must := verdicts[experiment][bug.Bug(name)]
				if must.verdict != verdict.Failed && !slices.Contains(spotChecked[bug.Bug(name)], experiment) {
					continue
				}
				t.Run(experiment, func(t *testing.T) {
					target, driver := target, driver
					if bug.Bug(name) == bug.Wedges && slices.Contains(wedgedAnew, experiment) {
						target, driver = fresh(t)
					}
					// What never comes is not waited for as long as what may.
					set := "converge=1m"
					if must.verdict == verdict.Failed {
						set = "converge=6s"
					}
					p := compiled(t, s, target, experiment, set)
					if bug.Bug(name) == bug.NeverTerminates || bug.Bug(name) == bug.NeverDeploys || must == refusesReissue {
						// What cannot be terminated, or has not come to its end, cannot be torn down.
						p.Teardown.Timeout = plan.Duration(2 * time.Second)
					}
					if bug.Bug(name) == bug.Wedges && must.verdict == verdict.Failed {
						p.Teardown.Timeout = plan.Duration(30 * time.Second)
					}
					outcome, records := runWith(t, s, target, driver, p)
					if outcome.Verdict != must.verdict || !strings.Contains(outcome.Reason, must.reason) {
						t.Errorf("%s: %s\nwant %s: %s\n%s", outcome.Verdict, outcome.Reason, must.verdict, must.reason, records)
					}
					if p.Teardown.Timeout > plan.Duration(time.Minute) && len(outcome.Left) > 0 {
						t.Errorf("left: %v", outcome.Left)
					}
				})
			}
		})
	}
}

// TestAnswerHeld: the service hears nothing of rsync's answer, and dies after rsync's work. The status says Terminated
// then by a call that was lost. EMCO fails the group that is terminated again, and has done with the logical cloud.
func TestAnswerHeld(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	target := readTarget(t, emulated(t))
	driver := driven(t, target)
	for name, must := range map[string]must{
		"dig-terminate-in-flight":           {verdict.Failed, "final: status says TerminateFailed"},
		"logical-cloud-terminate-in-flight": passes,
	} {
		t.Run(name, func(t *testing.T) {
			source, err := experiments.Read(name)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Replace(string(source.Data), "between: [", "direction: from, between: [", 1)
			text = strings.Replace(text, ", etcd]}}", ", rsync]}}", 1)
			file := filepath.Join(t.TempDir(), "experiment.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			outcome, records := runWith(t, s, target, driver, compiled(t, s, target, file))
			if outcome.Verdict != must.verdict || !strings.Contains(outcome.Reason, must.reason) || len(outcome.Left) > 0 {
				t.Errorf("%s: %s, left %v\n%s", outcome.Verdict, outcome.Reason, outcome.Left, records)
			}
		})
	}
}

// TestServiceRefused: the rule is general: it holds for every call, and so
// for every microservice that answers one.
func TestServiceRefused(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	target := readTarget(t, emulated(t))
	driver := driven(t, target)
	for call, service := range map[string]string{
		"dig.approve": "orchestrator", "dig.instantiate": "orchestrator", "dig.terminate": "orchestrator",
		"logical-cloud.instantiate": "dcm", "logical-cloud.terminate": "dcm",
		"cluster-provider.create": "clm", "cluster.create": "clm", "cluster-label.create": "clm",
	} {
		t.Run(call, func(t *testing.T) {
			p := compiled(t, s, target, "service-refused", "call="+call)
			if p.Parameters["service"] != service {
				t.Errorf("%s is taken down, want %s", p.Parameters["service"], service)
			}
			outcome, records := runWith(t, s, target, driver, p)
			if outcome.Verdict != verdict.Passed || len(outcome.Left) > 0 {
				t.Errorf("%s: %s, left %v\n%s", outcome.Verdict, outcome.Reason, outcome.Left, records)
			}
		})
	}
}

func readTarget(t *testing.T, file string) *target.Target {
	t.Helper()
	target, problems := target.Read(file)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return target
}

// TestGivenCannotBeReached: that says nothing of EMCO's recovery.
func TestGivenCannotBeReached(t *testing.T) {
	t.Parallel()
	target := readTarget(t, emulated(t))
	// Nobody listens on port 1.
	clm := target.Services["clm"]
	clm.URL = "http://127.0.0.1:1"
	target.Services["clm"] = clm
	s := newSession(t)
	outcome, _ := runWith(t, s, target, driven(t, target), compiled(t, s, target, "service-refused"))
	if outcome.Verdict != verdict.Error || !strings.Contains(outcome.Reason, "the given state was not reached") {
		t.Errorf("%s: %s", outcome.Verdict, outcome.Reason)
	}
	if len(outcome.Left) > 0 {
		t.Errorf("left: %v", outcome.Left)
	}
}
