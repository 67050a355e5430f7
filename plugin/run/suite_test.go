package run

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

func TestNoRunBeginsOnAFaultOfTheOneBefore(t *testing.T) {
	hangs, broken := errors.New("its finalizer hangs"), errors.New("disk full")
	for name, test := range map[string]struct {
		left    map[string][]string
		fails   map[string]error
		stuck   error
		stop    string
		made    []string
		cleaned int
		want    error
		says    string
	}{
		"nothing is left":              {made: []string{"a", "b", "c"}},
		"what is left goes":            {left: map[string][]string{"a": {"hold"}}, made: []string{"a", "b", "c"}, cleaned: 1},
		"what is left stays":           {left: map[string][]string{"a": {"hold"}}, stuck: hangs, made: []string{"a"}, cleaned: 1, want: hangs, says: "not begun: b, c, because a fault of a is still on the target: look for faults of dead runs: its finalizer hangs"},
		"the last one left something":  {left: map[string][]string{"c": {"hold"}}, made: []string{"a", "b", "c"}},
		"a run cannot be made":         {fails: map[string]error{"b": broken}, made: []string{"a", "b"}, want: broken, says: "disk full"},
		"interrupted in the second":    {stop: "b", made: []string{"a", "b"}},
		"interrupted, and it left one": {stop: "a", left: map[string][]string{"a": {"hold"}}, made: []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var made []string
			driver := &littered{looking: test.stuck}
			target := &Target{Driver: driver, Lock: noLock{}}
			err := target.Suite(ctx, []*plan.Plan{{Experiment: "a"}, {Experiment: "b"}, {Experiment: "c"}},
				func(one *plan.Plan) (engine.Outcome, error) {
					made = append(made, one.Experiment)
					if one.Experiment == test.stop {
						cancel()
					}
					return engine.Outcome{Left: test.left[one.Experiment]}, test.fails[one.Experiment]
				})
			if !slices.Equal(made, test.made) || driver.looks != test.cleaned {
				t.Errorf("made are %v, with %d clean-ups", made, driver.looks)
			}
			if !errors.Is(err, test.want) || err != nil && err.Error() != test.says {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestNotBegunOnce: what is repeated is named once.
func TestNotBegunOnce(t *testing.T) {
	target := &Target{Driver: &littered{looking: errors.New("it hangs")}, Lock: noLock{}}
	again := &plan.Plan{Experiment: "a"}
	err := target.Suite(t.Context(), []*plan.Plan{again, again, {Experiment: "b"}, again}, func(*plan.Plan) (engine.Outcome, error) {
		return engine.Outcome{Left: []string{"hold"}}, nil
	})
	if err == nil || !strings.HasPrefix(err.Error(), "not begun: a, b, because") {
		t.Errorf("the error is %v", err)
	}
}
