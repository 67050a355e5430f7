package probes

import (
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	emulatedstate "github.com/emco-chaos/emco-chaos/probes/emcotest/lifecycle"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// halfWritten takes the last entry of a group's history away: as if the orchestrator had died before it wrote it.
func (e *emulated) halfWritten(subject Subject) {
	e.t.Helper()
	store := docstore.NewClient(e.Address(emcotest.MongoName), 0)
	defer store.Close()
	var info emulatedstate.Info
	key := subject.Names.Anchor("{dig}")
	err := store.Find(e.t.Context(), key, rest.State, &info)
	if err == nil {
		info.Actions = info.Actions[:len(info.Actions)-1]
		err = store.Insert(e.t.Context(), key, "", rest.State, info)
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// Whatever a call has left, nothing of the attempt is in EMCO or on the edge after the teardown.
func TestTornDown(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	group := map[string]any{"logicalCloud": "Instantiated", "dig": "Instantiated"}
	for name, test := range map[string]struct {
		given map[string]any
		calls string // "half" is what halfWritten does, "away" and "back" stop and start the edge
		state string // in the history, and of the deployment
	}{
		"updated":                   {group, "dig.update", "Instantiated Instantiated"},
		"updated twice":             {group, "dig.update dig.update", "Instantiated Instantiated"},
		"half updated":              {group, "dig.update half", "Updated Updated"},
		"rolled back":               {group, "dig.update dig.rollback", "Instantiated Instantiated"},
		"rolled back, half":         {group, "dig.update dig.rollback half", "Updated Updated"},
		"rolled back to itself":     {group, "dig.rollback", "Instantiated Instantiated"},
		"rolled back, terminated":   {map[string]any{"logicalCloud": "Instantiated", "dig": "Terminated"}, "dig.rollback", "Instantiated Terminated"},
		"terminated after updates":  {group, "dig.update dig.terminate", "Terminated Terminated"},
		"migrated":                  {map[string]any{"for": "dig.migrate"}, "dig.migrate", "Instantiated Instantiated"},
		"stopped instantiation":     {map[string]any{"for": "dig.stop"}, "away dig.instantiate dig.stop back", "InstantiateStopped InstantiateFailed"},
		"stopped termination":       {group, "away dig.terminate dig.stop back", "TerminateStopped TerminateFailed"},
		"stopped cloud":             {map[string]any{"logicalCloud": "Instantiated"}, "logical-cloud.stop", "InstantiateStopped Instantiated"},
		"stopped, terminated cloud": {map[string]any{"logicalCloud": "Instantiated"}, "logical-cloud.stop logical-cloud.terminate", "Terminated Terminated"},
	} {
		t.Run(name, func(t *testing.T) {
			subject := e.subject(strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", ""))
			run(t, subject, "ensure", given(test.given), Passed)
			last := "dig.instantiate"
			for _, do := range strings.Fields(test.calls) {
				var err error
				switch do {
				case "half":
					e.halfWritten(subject)
				case "away":
					err = e.Stop(emcotest.EdgeName)
				case "back":
					err = e.Restart(emcotest.EdgeName)
				default:
					last = do
					// The status lags a 202.
					ready := func(r emco.Reading) bool { return r.Status.Resting() != "" }
					if do == "dig.stop" {
						ready = func(r emco.Reading) bool {
							return r.Status.Deployed == emco.Instantiating || r.Status.Deployed == emco.Terminating
						}
					}
					if len(test.calls) > len(do) {
						_, err = task{Subject: subject, Observer: &record{}}.await(within(t, 10*time.Second), callNamed(do), ready)
					}
					if got, _ := run(t, subject, "call", forCall(do), Passed); got.Outcome != "accepted" {
						t.Fatal(got.Message)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			seen, err := task{Subject: subject, Observer: &record{}}.await(within(t, 10*time.Second), callNamed(last), func(r emco.Reading) bool {
				return string(r.Status.LastAction()+" "+r.Status.Deployed) == test.state
			})
			if got := string(seen.Status.LastAction() + " " + seen.Status.Deployed); err != nil || got != test.state {
				t.Errorf("%s, %v, want %s", got, err, test.state)
			}
			run(t, subject, "teardown", nil, Passed)
			if left := e.there(subject); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if objects := e.objects(); len(objects) > 0 {
				t.Errorf("on the edge: %v", objects)
			}
		})
	}
}
