package probes

import (
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/installapp"
)

// withoutHistory has rsync terminate what a service never hears of: as if it had died between the two.
func (e *emulated) withoutHistory(subject Subject, call string) {
	e.t.Helper()
	asked := callNamed(call)
	var rsync installapp.Client
	defer rsync.Close()
	if err := rsync.Dial(e.Address("rsync")); err != nil {
		e.t.Fatal(err)
	}
	seen := subject.read(e.t.Context(), asked)
	if err := rsync.Uninstall(e.t.Context(), seen.reading.Status.ContextID); err != nil {
		e.t.Fatal(err)
	}
	w := task{Subject: subject, Observer: &record{}}.watchStatus(asked)
	for sample := range w.samples(within(e.t, 10*time.Second), pace{interval: time.Millisecond}) {
		if sample.reading.Status.Deployed == emco.Terminated {
			return
		}
	}
	e.t.Fatal("rsync did not terminate it")
}

// The status says Terminated by the call that was lost. The reissued one meets what is gone, and fails. Who looks in
// between, and once, sees a Terminated that is not of this call.
func TestReachedIsNotReadTooEarly(t *testing.T) {
	emulated := startEMCO(t, emcotest.Options{})
	subject := emulated.subject("early")
	subject.Setup.quiet = 0
	run(t, subject, "ensure", given(map[string]any{"logicalCloud": "Instantiated", "dig": "Instantiated"}), Passed)
	emulated.withoutHistory(subject, "dig.terminate")
	if result, _ := run(t, subject, "reissue", forCall("dig.terminate"), Passed); !strings.Contains(result.Message, "202 Accepted") {
		t.Error(result.Message)
	}
	if result, _ := run(t, subject, "reached", forCall("dig.terminate"), Failed); !strings.Contains(result.Message, "TerminateFailed") {
		t.Error(result.Message)
	}
	run(t, subject, "teardown", nil, Passed)
}

// dcm goes by the deployment: what rsync has terminated is terminated, though the history never says so.
func TestDoneByStatusAndRefusal(t *testing.T) {
	emulated := startEMCO(t, emcotest.Options{})
	subject := emulated.subject("both")
	run(t, subject, "ensure", given(map[string]any{"logicalCloud": "Instantiated"}), Passed)
	emulated.withoutHistory(subject, "logical-cloud.terminate")
	result, _ := run(t, subject, "reissue", forCall("logical-cloud.terminate"), Passed)
	if !strings.Contains(result.Message, "has already been terminated; status says Terminated") || result.Evidence["posts"] != "1" {
		t.Errorf("%+v", result)
	}
	run(t, subject, "reached", forCall("logical-cloud.terminate"), Passed)
	began := time.Now()
	run(t, subject, "teardown", nil, Passed)
	if left := emulated.collections(subject); len(left) > 0 || time.Since(began) > 15*time.Second {
		t.Errorf("%v left after %v", left, time.Since(began))
	}
}

// What was found once is asked again: one look that agrees is enough, and one that does not takes it back.
func TestRecheck(t *testing.T) {
	terminateFailed := state(emco.TerminateFailed, emco.Created, emco.Approved, emco.Instantiated, emco.Terminated)
	for name, test := range map[string]struct {
		replies []reply
		want    Conclusion
		message string
		looks   int
	}{
		"still so":              {[]reply{terminated}, Passed, "Terminated after", 1},
		"so when it answers":    {[]reply{broken, lost, terminated}, Passed, "Terminated after", 3},
		"failed since":          {[]reply{terminateFailed}, Failed, "no longer Terminated: status says TerminateFailed", 1},
		"instantiated since":    {[]reply{installed}, Failed, "no longer Terminated: status says Instantiated", 1},
		"under way since":       {[]reply{broken, terminating}, Failed, "no longer Terminated: status says Terminating", 2},
		"no answer in the time": {[]reply{broken}, Failed, "Terminated was not reached (last status: no state: 500", -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newScripted(t, map[string][]reply{digStatus: test.replies})
			subject, seen := server.subject(), &record{}
			subject.Recheck, subject.Setup.quiet = true, time.Hour
			d := 10 * time.Second
			if test.looks < 0 {
				d = 300 * time.Millisecond
			}
			got := mustNew(t, "reached", forCall("dig.terminate")).Run(within(t, d), subject, seen)
			check(t, "reached", seen, got, test.want, test.message)
			if n := server.count(digStatus); test.looks > 0 && n != test.looks {
				t.Errorf("%d looks, want %d", n, test.looks)
			}
		})
	}
}

// Each probe that can meet a stale answer, and the answer that lies to it.
func TestStaleAnswers(t *testing.T) {
	gone := state(emco.Terminated, emco.Created, emco.Approved, emco.Instantiated)
	terminateFailed := state(emco.TerminateFailed, emco.Created, emco.Approved, emco.Instantiated, emco.Terminated)
	already := reply{code: 500, body: "DeploymentIntentGroup is not instantiated :run-1-dig\n"}
	for name, test := range map[string]struct {
		probe   string
		args    map[string]any
		status  []reply
		post    reply
		want    Conclusion
		message string
	}{
		"reached, by itself":             {"reached", nil, []reply{terminated, terminateFailed}, reply{}, Failed, "status says TerminateFailed"},
		"reached, and then counts":       {"reached", nil, []reply{terminated, reply{200, strings.Replace(terminated.body, "4", "5", 1), ""}, terminateFailed}, reply{}, Failed, "TerminateFailed"},
		"reached, failed only for now":   {"reached", nil, []reply{terminateFailed, terminating, terminated}, reply{}, Passed, "Terminated after"},
		"not reissued":                   {"reissue", nil, []reply{terminated, terminateFailed}, reply{}, Failed, "not reissued: status says TerminateFailed"},
		"already":                        {"reissue", nil, []reply{installed, installed, terminated, terminateFailed}, already, Failed, "TerminateFailed"},
		"already, and it is gone":        {"reissue", nil, []reply{gone}, already, Failed, "refused"},
		"a wanted state that is over":    {"status", map[string]any{"state": "Terminated"}, []reply{terminated, terminateFailed}, reply{}, Failed, "TerminateFailed, not Terminated"},
		"another state, of before":       {"status", map[string]any{"state": "Terminating"}, []reply{installed, terminating}, reply{}, Passed, "Terminating"},
		"work of what was not accepted":  {"notFinal", nil, []reply{notTold, terminated}, reply{}, Inconclusive, "final before"},
		"no state from before the fault": {"noState", nil, []reply{installed, terminated}, reply{}, Inconclusive, "took effect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newScripted(t, map[string][]reply{digStatus: test.status, digTerminate: {test.post}})
			args := forCall("dig.terminate")
			for key, value := range test.args {
				args[key] = value
			}
			subject := server.subject()
			subject.Setup.quiet = 300 * time.Millisecond
			runWithin(t, 10*time.Second, subject, test.probe, args, test.want, test.message)
		})
	}
}

func TestSlowestWork(t *testing.T) {
	subject := Subject{Slowest: &Slowest{}}
	for _, took := range []time.Duration{time.Second, 5 * time.Second, 3 * time.Second} {
		subject.Slowest.see(took)
	}
	if got := subject.quiet(); got != 5*time.Second {
		t.Errorf("quiet for %v, want the slowest work", got)
	}
	if got := (Subject{}).quiet(); got != 2*time.Second {
		t.Errorf("quiet for %v without any", got)
	}
}

// A deployment that is final against the history comes to rest too: nobody is left who would write that.
func TestSurveyAgainstHistory(t *testing.T) {
	emulated := startEMCO(t, emcotest.Options{})
	subject := emulated.subject("against")
	run(t, subject, "ensure", given(map[string]any{"logicalCloud": "Instantiated", "dig": "Instantiated"}), Passed)
	emulated.withoutHistory(subject, "dig.terminate")
	subject.Setup.quiet = 200 * time.Millisecond
	began := time.Now()
	result, _ := run(t, subject, "survey", forCall("dig.terminate"), Passed)
	if took := time.Since(began); took < 3*subject.Setup.quiet || took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if want := "EMCO says Terminated (last action Instantiated) (Deleted 4); on the edge: nothing"; result.Message != want {
		t.Error(result.Message)
	}
}
