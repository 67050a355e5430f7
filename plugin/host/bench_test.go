package host_test

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

func init() { programs["trigger"] = func() { sdk.Serve(scripted{run: trigger}) } }

// trigger emits sent, and says in its result when it did and how long the
// sending took. The wall clock is one for all processes of a machine.
func trigger(ctx context.Context, _ sdk.Task, observer sdk.Observer) sdk.Result {
	observer.Event("started", time.Now(), nil)
	at := time.Now()
	observer.Event("sent", at, nil)
	took := time.Since(at)
	observer.Event("accepted", time.Now(), nil)
	return sdk.Result{Conclusion: sdk.Passed, Outcome: plan.Accepted, Evidence: map[string]string{
		"at": strconv.FormatInt(at.UnixNano(), 10), "took": strconv.FormatInt(took.Nanoseconds(), 10),
	}}
}

// BenchmarkEventToApply measures from the moment that an event leaves the
// plugin to the call of the driver that it triggers, through a real plugin's
// process and the engine.
func BenchmarkEventToApply(b *testing.B) {
	process := started(b, "trigger")
	watched := &watchedPlugin{Process: process}
	driver := &clockDriver{}
	var whole, sending, wire, inside times
	compiled := triggered(b)
	for b.Loop() {
		journal := journal.New(io.Discard)
		outcome := engine.Run(b.Context(), engine.Config{
			Run: "bench", Plan: compiled, Driver: driver, Plugin: watched, Journal: journal,
		})
		if outcome.Verdict != "Passed" {
			b.Fatalf("%s: %s", outcome.Verdict, outcome.Reason)
		}
		at, took := watched.sent(b)
		whole.add(driver.applied.Sub(at))
		sending.add(took)
		wire.add(watched.received.Sub(at) - took)
		inside.add(driver.applied.Sub(watched.received))
	}
	whole.report(b, "")
	sending.report(b, "in-plugin-")
	wire.report(b, "to-host-")
	inside.report(b, "in-engine-")
}

// triggered is a plan whose fault follows the event sent.
func triggered(b *testing.B) *plan.Plan {
	object := map[string]any{
		"apiVersion": fault.GroupVersion, "kind": fault.PodChaos,
		"spec": map[string]any{
			"action": "pod-kill", "mode": "all", "duration": "1m0s",
			"selector": map[string]any{"namespaces": []string{"n"}, "labelSelectors": map[string]string{"app": "a"}},
		},
	}
	data, err := json.Marshal(object)
	if err != nil {
		b.Fatal(err)
	}
	compiled := activityPlan("trigger", "started", "sent", "accepted")
	compiled.Given, compiled.Teardown = plan.Step{Name: plan.GivenStep}, plan.Step{Name: plan.TeardownStep}
	compiled.Steps = append(compiled.Steps, plan.Step{
		Name: "kill", After: []plan.Ref{{Step: "one", Event: "sent"}}, Timeout: plan.Duration(time.Minute),
		Fault: &plan.Fault{Kind: fault.PodChaos, Action: "pod-kill", Summary: "pod-kill a", Object: data},
	})
	return compiled
}

// watchedPlugin notes when the host has the event sent, and the result.
type watchedPlugin struct {
	*host.Process
	received time.Time
	result   sdk.Result
}

func (w *watchedPlugin) Run(ctx context.Context, task sdk.Task, observer sdk.Observer) (sdk.Result, error) {
	result, err := w.Process.Run(ctx, task, &watchedEvents{observer, w})
	w.result = result
	return result, err
}

// sent is when the plugin began to send the event, and how long that took.
func (w *watchedPlugin) sent(b *testing.B) (at time.Time, took time.Duration) {
	nanoseconds := func(key string) int64 {
		number, err := strconv.ParseInt(w.result.Evidence[key], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		return number
	}
	return time.Unix(0, nanoseconds("at")), time.Duration(nanoseconds("took"))
}

type watchedEvents struct {
	sdk.Observer
	plugin *watchedPlugin
}

func (w *watchedEvents) Event(name string, at time.Time, detail map[string]string) {
	if name == "sent" {
		w.plugin.received = time.Now()
	}
	w.Observer.Event(name, at, detail)
}

// clockDriver notes when it is asked for a fault, and does nothing.
type clockDriver struct{ applied time.Time }

func (d *clockDriver) Apply(_ context.Context, _ fault.Object, observe func(engine.Moment)) error {
	d.applied = time.Now()
	for _, event := range []string{plan.Created, plan.Injected, plan.Down, plan.Ready} {
		observe(engine.Moment{Event: event, At: time.Now()})
	}
	return nil
}

func (d *clockDriver) Remove(context.Context, fault.Object) error { return nil }

func (d *clockDriver) Leftovers(context.Context) ([]fault.Object, error) { return nil, nil }

// times are many measurements of one thing.
type times []time.Duration

func (t *times) add(one time.Duration) { *t = append(*t, one) }

func (t times) report(b *testing.B, name string) {
	slices.Sort(t)
	microseconds := func(share int) float64 {
		return float64(t[(len(t)-1)*share/100].Nanoseconds()) / 1e3
	}
	b.ReportMetric(microseconds(50), name+"p50-µs")
	b.ReportMetric(microseconds(99), name+"p99-µs")
}
