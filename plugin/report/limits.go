package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// edgeProbes are the activities that look at what is on the edge, and not only at
// what the system says.
var edgeProbes = []string{"edge", "survey", "agreement"}

// Limits are what the run cannot tell, as its plan and its journal show, safe to be shown.
func (r Run) Limits() []string {
	var limits []string
	add := func(format string, values ...any) { limits = append(limits, clean(fmt.Sprintf(format, values...))) }
	if r.Verdict == verdict.Inconclusive || r.Verdict == verdict.Error {
		add("Whether the system recovers: %s.", strings.TrimSuffix(r.Reason, "."))
	}
	if r.Attempt > 1 {
		add("How often the fault hits: this is attempt %d, and those before it showed nothing.", r.Attempt)
	}
	claimed := func(step string) bool {
		return slices.ContainsFunc(r.Plan.Evidence, func(claim plan.Claim) bool {
			return slices.ContainsFunc(claim.Refs, func(ref plan.Ref) bool { return ref.Step == step })
		})
	}
	for _, claim := range r.Claims() {
		if !claim.Holds {
			add("Whether the fault hit where it was aimed: %s.", strings.TrimSuffix(claim.Missing, "."))
		}
	}
	asked := map[string]bool{}
	looked, lasts := false, false
	for _, step := range r.Plan.Steps {
		switch {
		case step.Fault != nil && !claimed(step.Name):
			add("Whether %s hit: no evidence names it.", step.Fault.Summary)
		case step.Activity != nil:
			asked[step.Activity.Service] = true
			looked = looked || slices.Contains(edgeProbes, step.Activity.Name)
			lasts = lasts || step.Activity.Recheck
		}
	}
	for _, record := range r.records {
		if late := slack(record); late > 0 && record.Kind == journal.Event {
			add("When %s was: it was seen at %s, and may have been up to %.3f s earlier.",
				plan.Ref{Step: record.Step, Event: record.Event}, r.Origin.When(record.At), late.Seconds())
		}
	}
	delete(asked, "")
	for _, service := range slices.Sorted(maps.Keys(asked)) {
		if !slices.ContainsFunc(r.Plan.Steps, func(step plan.Step) bool { return step.Fault != nil && step.Fault.StopsService(service) }) {
			add("When %s was up: no fault of the run is on it, so its pods are not in the journal.", service)
		}
	}
	if !looked {
		add("What is on the edge clusters: nothing looked there, and a state is what the system says of itself.")
	}
	if !lasts {
		add("Whether the end lasts: no finding was asked for again before the run ended.")
	}
	if !r.Ended {
		add("What became of the run: its journal has no end.")
	}
	if len(r.first.Versions) == 0 {
		add("On which versions of the system and the cluster it was: the journal does not name them.")
	}
	const most = 20
	if n := len(limits); n > most {
		limits = append(limits[:most], fmt.Sprintf("%d more of this kind.", n-most))
	}
	return limits
}
