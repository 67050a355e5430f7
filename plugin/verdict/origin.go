package verdict

import (
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

// Origin is the moment that the times of an attempt are told from.
type Origin struct {
	At   time.Duration
	Name string
}

// originOf is the start of the call under test, or of the attempt when it was
// never sent.
func originOf(p *plan.Plan, attempt []journal.Record) Origin {
	origin := Origin{Name: "the start of the run"}
	for _, record := range attempt {
		step, known := p.Find(record.Step)
		switch {
		case record.Kind == journal.Attempt:
			origin = Origin{record.At, "the start of the attempt"}
		case known && record.Kind == journal.Event && record.Event == plan.Started &&
			step.Activity != nil && step.Activity.Lasting && step.Expect != "":
			return Origin{record.At, fmt.Sprintf("the start of %s (%s)", step.Name, step.Activity.Summary)}
		}
	}
	return origin
}

// When tells a time from the origin.
func (o Origin) When(at time.Duration) string { return fmt.Sprintf("%+.1f s", (at - o.At).Seconds()) }
