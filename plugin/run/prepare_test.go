package run

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

// taken is a lock that was taken over.
type taken struct {
	noLock
	from lease.State
}

func (t taken) Took() (lease.State, bool) { return t.from, t.from.Held() }

// Whatever faults are there when the target is ours are of no living run.
func TestFaultsAreRemovedBeforeARun(t *testing.T) {
	for name, test := range map[string]struct {
		inherited lease.State
		stuck     error
		gone      []string
		says      string
	}{
		"of a run that died":              {inherited: lease.State{Holder: "alice", Run: "rone"}, gone: []string{"rone-1-hold"}, says: "alice (run rone) died and may have left faults"},
		"of a run that could not do more": {gone: []string{"rone-1-hold"}, says: "removed the fault rone-1-hold of run rone"},
		"that do not go":                  {stuck: errors.New("it hangs"), says: ""},
	} {
		t.Run(name, func(t *testing.T) {
			faults := &littered{objects: []fault.Object{leftover("rone-1-hold", "rone")}}
			if test.stuck != nil {
				faults.stuck = map[string]error{"rone-1-hold": test.stuck}
			}
			var told []string
			target := &Target{Driver: faults, Lock: taken{from: test.inherited}, tell: func(text string) { told = append(told, text) }}
			if err := target.Prepare(t.Context()); !errors.Is(err, test.stuck) {
				t.Errorf("the error is %v", err)
			}
			if !slices.Equal(faults.gone, test.gone) || !strings.Contains(strings.Join(told, "\n"), test.says) {
				t.Errorf("gone are %v; it says %q", faults.gone, told)
			}
		})
	}
}
