package probes

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

func (t task) watchStatus(call emco.Call) *watch {
	t.call = call
	return &watch{
		task: t, noun: "status", hold: t.quiet(),
		last:     sample{reading: emco.Reading{Progress: emco.Unknown, Text: "none was read"}},
		ask:      func(ctx context.Context) sample { return t.read(ctx, call) },
		evidence: func(last sample) map[string]string { return readingEvidence(last.reading) },
	}
}

func (s Subject) read(ctx context.Context, call emco.Call) sample {
	seen := s.send(ctx, call.Status(s.Names))
	seen.reading = call.Read(seen.Answer)
	seen.words = describe(seen.reading)
	seen.note = "status: " + seen.words
	return seen
}

// await reads a call's status until it is as wanted, EMCO refuses it for long, or ctx ends.
func (t task) await(ctx context.Context, call emco.Call, wanted func(emco.Reading) bool) (emco.Reading, error) {
	w := t.watchStatus(call)
	for sample := range w.samples(ctx, pace{longest: longestInterval}) {
		if wanted(sample.reading) || w.stuck(ctx, t.wedgeTime()) != nil {
			break
		}
	}
	return w.last.reading, w.err
}

// Slowest is the longest time that EMCO took from accepting a call to its end.
type Slowest struct{ took atomic.Int64 }

func (s *Slowest) see(took time.Duration) {
	if s != nil {
		s.took.Store(max(s.took.Load(), int64(took)))
	}
}

// quiet is how long a final state must hold to count. What a back end still does to it shows in that time: a status
// can say Terminated by the work of a call that was lost, and TerminateFailed by the next, which meets it.
func (s Subject) quiet() time.Duration {
	slowest := 2 * time.Second
	if s.Slowest != nil {
		slowest = max(slowest, time.Duration(s.Slowest.took.Load()))
	}
	return cmp.Or(s.Setup.quiet, slowest)
}

// ended reports whether EMCO no longer works on the call.
func ended(reading emco.Reading) bool {
	return reading.Progress == emco.Done || reading.Progress == emco.GaveUp
}

// describe puts a reading into one line, such as "Instantiating (Pending 4)".
func describe(reading emco.Reading) string {
	counts := reading.Status.Counts
	if len(counts) == 0 {
		return reading.Text
	}
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", document.Shown(state), counts[state]))
	}
	return reading.Text + " (" + strings.Join(parts, ", ") + ")"
}

func readingEvidence(reading emco.Reading) map[string]string {
	evidence := map[string]string{"status": describe(reading), "progress": string(reading.Progress)}
	if last := reading.Status.LastAction(); last != "" {
		evidence["last action"] = document.Shown(string(last))
	}
	if reading.Status.ContextID != "" {
		evidence["statusctxid"] = document.Shown(reading.Status.ContextID)
	}
	return evidence
}
