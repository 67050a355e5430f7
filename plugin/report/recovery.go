package report

import (
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/probes/activity"
)

// Recovery is how long what one fault stopped took to come back: rescheduled and
// ready are the cluster's time, answers and converged the system's.
type Recovery struct {
	// Step and Fault say which fault it was.
	Step  string `json:"step"`
	Fault string `json:"fault"`
	// Unit is that of all numbers. Down counts from the run's origin, and the phases
	// from down.
	Unit   string  `json:"unit"`
	Down   float64 `json:"down"`
	Phases []Phase `json:"phases"`
}

// Phase is one step of a recovery.
type Phase struct {
	Name string `json:"name"`
	// AtLeast and AtMost are the bounds that the watch knows; Seconds counts
	// from where down was seen to where this was.
	Seconds float64 `json:"seconds"`
	AtLeast float64 `json:"atLeast"`
	AtMost  float64 `json:"atMost"`
}

// trusted is how wrong a moment may be without a word.
const trusted = time.Second

// Sure reports whether the phase took about as long as it was seen to.
func (p Phase) Sure() bool { return p.AtMost-p.AtLeast <= trusted.Seconds() }

func (p Phase) String() string {
	if !p.Sure() {
		return fmt.Sprintf("%s between %.3f s and %.3f s", p.Name, p.AtLeast, p.AtMost)
	}
	return fmt.Sprintf("%s %.3f s", p.Name, p.Seconds)
}

// span returns the phase that ends with a record, from one that began it.
func span(name string, from, to journal.Record) Phase {
	return Phase{
		Name: name, Seconds: (to.At - from.At).Seconds(),
		AtLeast: max(0, (to.At - slack(to) - from.At).Seconds()), AtMost: (to.At - from.At + slack(from)).Seconds(),
	}
}

// slack is how much earlier than it was seen the event may have happened.
func slack(record journal.Record) time.Duration {
	notBefore, err := time.Parse(time.RFC3339Nano, record.Detail[journal.NotBefore])
	if err != nil {
		return 0
	}
	return max(0, record.Time.Sub(notBefore))
}

// Recoveries are those of the faults that stopped something.
func (r Run) Recoveries() []Recovery {
	var recoveries []Recovery
	for _, step := range r.Plan.Steps {
		events := map[string]journal.Record{}
		var down journal.Record
		for _, record := range r.records {
			of, _ := r.Plan.Find(record.Step)
			switch {
			case record.Step == step.Name && record.Event == plan.Down:
				down = record
			case down.Event == "":
			case record.Step == step.Name && record.Kind == journal.Event:
				events[record.Event] = record
			case record.Kind == journal.Result && record.Conclusion == string(activity.Passed) && of.Activity != nil:
				// It answers when it did for the first time, and has converged
				// when all has: since then it has held.
				if held, err := time.ParseDuration(record.Evidence["held"]); err == nil {
					record.At -= held
				}
				if _, again := events[of.Activity.Measures]; !again || of.Activity.Measures == activity.Converged {
					events[of.Activity.Measures] = record
				}
			}
		}
		recovery := Recovery{Step: step.Name, Unit: "s", Down: (down.At - r.Origin.At).Seconds()}
		for _, name := range []string{plan.Rescheduled, plan.Ready, activity.Answers, activity.Converged} {
			if record, has := events[name]; has {
				recovery.Phases = append(recovery.Phases, span(name, down, record))
			}
		}
		if step.Fault != nil && len(recovery.Phases) > 0 {
			recovery.Fault = step.Fault.Summary
			recoveries = append(recoveries, recovery)
		}
	}
	return recoveries
}
