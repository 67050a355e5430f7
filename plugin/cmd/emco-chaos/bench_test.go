package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// Whatever faults are there when the target is ours are of no living run.
func TestFaultsAreRemovedBeforeARun(t *testing.T) {
	for name, test := range map[string]struct {
		inherited string
		stuck     error
		gone      []string
		says      string
	}{
		"of a run that died":              {inherited: "alice (run rone)", gone: []string{"rone-1-hold"}, says: "alice (run rone) died and may have left faults"},
		"of a run that could not do more": {gone: []string{"rone-1-hold"}, says: "removed the fault rone-1-hold of run rone"},
		"that do not go":                  {stuck: errors.New("it hangs"), says: ""},
	} {
		t.Run(name, func(t *testing.T) {
			faults := &littered{objects: []fault.Object{leftover("rone-1-hold", "rone")}}
			if test.stuck != nil {
				faults.stuck = map[string]error{"rone-1-hold": test.stuck}
			}
			var errs bytes.Buffer
			b := &bench{s: &session{errs: &errs}, driver: driver{Driver: faults, lost: make(chan struct{}), inherited: test.inherited}}
			if err := b.sweep(t.Context(), linesTo(&errs)); !errors.Is(err, test.stuck) {
				t.Errorf("the error is %v", err)
			}
			if !slices.Equal(faults.gone, test.gone) || !strings.Contains(errs.String(), test.says) {
				t.Errorf("gone are %v; it says %q", faults.gone, errs.String())
			}
		})
	}
}
