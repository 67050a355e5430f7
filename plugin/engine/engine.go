// Package engine runs a plan: it starts steps when their triggers fire, puts
// faults on a system through a [Driver] and has activities done by a
// [Plugin], and writes all that happens into a journal. It knows nothing of
// the system under test.
//
// One goroutine owns the state of an attempt. Everything else (activities,
// drivers, timers) sends it messages, so that there is one order of events
// and one clock.
package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// Plugin does the activities of a plan.
type Plugin interface {
	// Run does one activity. An error means that the plugin could not be
	// asked or did not answer; what the activity itself found is the result.
	Run(ctx context.Context, task sdk.Task, observer sdk.Observer) (sdk.Result, error)
	// Gone is closed when the plugin's process has ended.
	Gone() <-chan struct{}
}

// Limits of the engine for what a plan sets no time for.
const (
	settleLimit   = 30 * time.Second // a call that was held can still be answered 18 s after the release
	removeLimit   = 60 * time.Second // from the deletion of a fault until it is seen gone
	downLimit     = 30 * time.Second // from injected to down
	readyLimit    = 5 * time.Minute  // from down to ready; a readiness probe alone may take 40 s
	versionsLimit = 10 * time.Second // for the driver to tell versions
	recheckLimit  = 30 * time.Second // for a second look at what was found
	answerLimit   = 5 * time.Second  // for the answer of an activity that is past its timeout
)

// Config is what a run needs.
type Config struct {
	// Run names the run: a DNS label of at most 20 characters.
	Run  string
	Plan *plan.Plan
	// Target is the target as JSON, for the plugin.
	Target []byte
	Driver Driver
	Plugin Plugin
	// Restart starts the plugin again after it died, for the teardown.
	Restart func(context.Context) (Plugin, error)
	Journal *journal.Journal
	// Version is the version of emco-chaos, for the journal, and Versions are
	// those of other parts, by name.
	Version  string
	Versions map[string]string
	// Attempts is how often an Inconclusive run is tried in all; 0 leaves it to
	// the plan.
	Attempts int
	// Settle is how long calls that a run leaves behind are awaited; 0 is 30 s.
	Settle time.Duration
	// Abandon, when closed, ends the clean-up at once: what may still happen
	// is then listed. Nil never does.
	Abandon <-chan struct{}
}

// versions adds what the driver knows.
func (c Config) versions(ctx context.Context) map[string]string {
	versions := map[string]string{}
	maps.Copy(versions, c.Versions)
	if driver, knows := c.Driver.(Versioned); knows {
		ctx, cancel := context.WithTimeout(ctx, versionsLimit)
		defer cancel()
		maps.Copy(versions, driver.Versions(ctx))
	}
	return versions
}

// Outcome is how a run ended.
type Outcome struct {
	verdict.Judgement
	// Attempt is the attempt that the verdict is of, from 1.
	Attempt int
	// Left is what could not be cleaned up, and what may still happen.
	Left []string
}

// TargetHash is how a journal names a target.
func TargetHash(target []byte) string { return fmt.Sprintf("%.6x", sha256.Sum256(target)) }

// Run runs the plan until an attempt ends other than Inconclusive, or none is
// left. When ctx ends, the attempt under way ends in Error and is cleaned up.
func Run(ctx context.Context, config Config) Outcome {
	config.Settle = cmp.Or(config.Settle, settleLimit)
	attempts := cmp.Or(max(config.Attempts, 0), config.Plan.Attempts)
	config.Journal.Add(time.Now(), journal.Record{
		Kind: journal.Run, Run: config.Run, Plan: config.Plan,
		Version: config.Version, Versions: config.versions(ctx), Target: TargetHash(config.Target),
	})
	var outcome Outcome
	for again := true; again; {
		outcome.Attempt++
		one := newAttempt(&config, outcome.Attempt)
		outcome.Judgement = one.run(ctx)
		outcome.Left = append(outcome.Left, one.left...)
		again = outcome.Verdict == verdict.Inconclusive && outcome.Attempt < attempts && ctx.Err() == nil
	}
	text := "everything of the run is cleaned up"
	if count := len(outcome.Left); count > 0 {
		text = fmt.Sprintf("%d left", count)
	}
	config.Journal.Add(time.Now(), journal.Record{
		Kind: journal.End, Run: config.Run, Attempt: outcome.Attempt, Verdict: string(outcome.Verdict), Text: text,
	})
	if err := config.Journal.Err(); err != nil && outcome.Verdict != verdict.Error {
		outcome.Judgement = verdict.Judgement{Verdict: verdict.Error, Reason: err.Error()}
		config.Journal.Add(time.Now(), journal.Record{Kind: journal.Trouble, Text: err.Error()})
		config.Journal.Add(time.Now(), journal.Record{Kind: journal.Verdict, Attempt: outcome.Attempt, Verdict: string(verdict.Error), Text: err.Error()})
	}
	return outcome
}
