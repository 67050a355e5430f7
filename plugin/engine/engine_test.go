package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// do is what a scripted activity does.
type do func(ctx context.Context, task sdk.Task, o sdk.Observer) sdk.Result

// scripted is a plugin whose activities are functions.
type scripted struct {
	do   map[string]do
	gone chan struct{}

	mu   sync.Mutex
	asks []sdk.Task
}

func newScripted(activities map[string]do) *scripted {
	return &scripted{do: activities, gone: make(chan struct{})}
}

func (s *scripted) Gone() <-chan struct{} { return s.gone }

func (s *scripted) Run(ctx context.Context, task sdk.Task, o sdk.Observer) (sdk.Result, error) {
	s.mu.Lock()
	s.asks = append(s.asks, task)
	s.mu.Unlock()
	// As in a plugin, the timeout is the activity's and cancelling the
	// stream loses the answer.
	limited, cancel := context.WithTimeout(ctx, task.Timeout)
	defer cancel()
	answer := make(chan sdk.Result, 1)
	go func() { answer <- s.do[task.Activity](limited, task, o) }()
	select {
	case result := <-answer:
		return result, nil
	case <-ctx.Done():
		<-answer
		return sdk.Result{}, ctx.Err()
	case <-s.gone:
		cancel()
		<-answer
		return sdk.Result{}, errors.New("broken pipe")
	}
}

func (s *scripted) asked(activity string) []sdk.Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	var tasks []sdk.Task
	for _, task := range s.asks {
		if task.Activity == activity {
			tasks = append(tasks, task)
		}
	}
	return tasks
}

// world is a driver and the service that its faults hit: a call hangs while
// it is held, and breaks when the service is killed.
type world struct {
	mu      sync.Mutex
	held    bool
	broken  chan struct{}
	log     []string
	applies map[string]func(context.Context, func(engine.Moment)) error
	removes map[string]func(func(engine.Moment)) error
	observe map[string]func(engine.Moment)
}

func newWorld() *world {
	w := &world{broken: make(chan struct{}), observe: map[string]func(engine.Moment){}}
	w.applies = map[string]func(context.Context, func(engine.Moment)) error{
		"hold": func(_ context.Context, observe func(engine.Moment)) error {
			w.tell(observe, plan.Created)
			w.after(500*time.Millisecond, func() {
				w.mu.Lock()
				w.held = true
				w.mu.Unlock()
				w.tell(observe, plan.Injected)
			})
			return nil
		},
		"kill": func(_ context.Context, observe func(engine.Moment)) error {
			w.tell(observe, plan.Created)
			w.after(100*time.Millisecond, func() {
				w.tell(observe, plan.Down)
				close(w.broken)
				w.tell(observe, plan.Injected)
			})
			w.after(2*time.Second, func() { w.tell(observe, plan.Ready) })
			return nil
		},
	}
	w.removes = map[string]func(func(engine.Moment)) error{}
	return w
}

func (w *world) after(d time.Duration, f func()) { time.AfterFunc(d, f) }

func (w *world) tell(observe func(engine.Moment), event string) {
	observe(engine.Moment{Event: event, At: time.Now()})
}

func stepOf(object fault.Object) string { return object.GetLabels()[fault.StepLabel] }

func (w *world) note(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, text)
}

func (w *world) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	w.note("apply " + object.GetName())
	w.mu.Lock()
	w.observe[object.GetName()] = observe
	w.mu.Unlock()
	return w.applies[stepOf(object)](ctx, observe)
}

func (w *world) Remove(_ context.Context, object fault.Object) error {
	w.note("remove " + object.GetName())
	w.mu.Lock()
	observe := w.observe[object.GetName()]
	w.mu.Unlock()
	if remove := w.removes[stepOf(object)]; remove != nil {
		return remove(observe)
	}
	time.Sleep(200 * time.Millisecond)
	if observe != nil {
		w.tell(observe, plan.Removed)
	}
	return nil
}

func (w *world) Leftovers(context.Context) ([]fault.Object, error) { return nil, nil }

func (w *world) isHeld() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held
}

// activities are those of a system that recovers.
func (w *world) activities() map[string]do {
	pass := func(after time.Duration) do {
		return func(ctx context.Context, _ sdk.Task, o sdk.Observer) sdk.Result {
			o.Event("started", time.Now(), nil)
			select {
			case <-time.After(after):
				o.Event("passed", time.Now(), nil)
				return sdk.Result{Conclusion: sdk.Passed, Message: "as it should be"}
			case <-ctx.Done():
				o.Event("failed", time.Now(), nil)
				return sdk.Result{Conclusion: sdk.Failed, Message: "never came"}
			}
		}
	}
	return map[string]do{
		"ensure": func(ctx context.Context, task sdk.Task, o sdk.Observer) sdk.Result {
			o.Resource(sdk.Resource{Anchor: "projects/p", State: sdk.Making})
			o.Resource(sdk.Resource{Anchor: "projects/p", State: sdk.Made})
			return pass(time.Second)(ctx, task, o)
		},
		"teardown": func(ctx context.Context, task sdk.Task, o sdk.Observer) sdk.Result {
			for _, anchor := range task.Resources {
				o.Resource(sdk.Resource{Anchor: anchor, State: sdk.Removed})
			}
			return pass(time.Second)(ctx, task, o)
		},
		"call": func(ctx context.Context, _ sdk.Task, o sdk.Observer) sdk.Result {
			o.Event("started", time.Now(), nil)
			o.Event("sent", time.Now(), nil)
			answer := make(<-chan time.Time)
			if !w.isHeld() {
				answer = time.After(200 * time.Millisecond)
			}
			select {
			case <-answer:
				o.Event("accepted", time.Now(), nil)
				return sdk.Result{Conclusion: sdk.Passed, Outcome: "accepted", Message: "202"}
			case <-w.broken:
				o.Event("failed", time.Now(), nil)
				return sdk.Result{Conclusion: sdk.Passed, Outcome: "connection-lost", Message: "EOF"}
			case <-ctx.Done():
				o.Event("failed", time.Now(), nil)
				return sdk.Result{Conclusion: sdk.Passed, Outcome: "timeout", Message: "no answer"}
			}
		},
		"back":    pass(time.Second),
		"reached": pass(time.Second),
	}
}

func ref(text string) plan.Ref {
	r, err := plan.ParseRef(text)
	if err != nil {
		panic(err)
	}
	return r
}

func refs(texts ...string) []plan.Ref {
	var list []plan.Ref
	for _, text := range texts {
		list = append(list, ref(text))
	}
	return list
}

func activity(name string, lasting bool) *plan.Activity {
	events, ends := []string{"started", "passed", "failed"}, []string{"passed", "failed"}
	if name == "call" {
		events, ends = []string{"started", "sent", "accepted", "failed"}, []string{"accepted", "failed"}
	}
	return &plan.Activity{Name: name, Summary: name, Events: events, Ends: ends, Lasting: lasting}
}

func object(kind, spec string) json.RawMessage {
	return json.RawMessage(`{"apiVersion":"chaos-mesh.org/v1alpha1","kind":"` + kind + `","metadata":{"namespace":"emco"},"spec":` + spec + `}`)
}

// inFlight is a plan as that of an experiment with a held call.
func inFlight(change func(*plan.Plan)) *plan.Plan {
	const selector = `"mode":"all","selector":{"namespaces":["emco"],"labelSelectors":{"app":"a"}}`
	second := func(n int) plan.Duration { return plan.Duration(time.Duration(n) * time.Second) }
	claims := func(texts ...string) (list []plan.Claim) {
		for _, text := range texts {
			claim, err := plan.ParseClaim(text)
			if err != nil {
				panic(err)
			}
			list = append(list, claim)
		}
		return list
	}
	p := &plan.Plan{
		Experiment: "in-flight", Title: "A call in flight", Target: "t", Attempts: 1,
		Given:    plan.Step{Name: plan.GivenStep, Timeout: second(60), Activity: activity("ensure", false)},
		Teardown: plan.Step{Name: plan.TeardownStep, Timeout: second(60), Activity: activity("teardown", false)},
		Steps: []plan.Step{
			{Name: "hold", Timeout: second(10), Until: refs("kill.ready"), Fault: &plan.Fault{
				Kind: "NetworkChaos", Action: "partition", Summary: "partition a b", Object: object("NetworkChaos", `{"action":"partition",`+selector+`}`)}},
			{Name: "call", After: refs("hold.injected"), Timeout: second(60), Activity: activity("call", true), Expect: "connection-lost"},
			{Name: "kill", After: refs("call.sent"), Delay: second(1), While: "call", Timeout: second(10), Fault: &plan.Fault{
				Kind: "PodChaos", Action: "pod-kill", Summary: "pod-kill a", Object: object("PodChaos", `{"action":"pod-kill",`+selector+`}`)}},
			{Name: "back", After: refs("call.failed", "hold.removed"), Timeout: second(30), Activity: activity("back", false)},
			{Name: "reached", After: refs("back.passed"), Timeout: second(30), Activity: activity("reached", false)},
		},
		Evidence: claims("call.sent < kill.created", "kill.created < call.failed", "kill.down < back.passed"),
	}
	if change != nil {
		change(p)
	}
	return p
}

func step(p *plan.Plan, name string) *plan.Step {
	for i := range p.Steps {
		if p.Steps[i].Name == name {
			return &p.Steps[i]
		}
	}
	panic("no step " + name)
}

// trace is what a journal says, a word or two a record.
func trace(records []journal.Record) []string {
	var lines []string
	for _, r := range records {
		switch r.Kind {
		case journal.Event:
			lines = append(lines, r.Step+"."+r.Event)
		case journal.Skipped:
			lines = append(lines, "skipped "+r.Step)
		case journal.Verdict:
			lines = append(lines, "verdict "+r.Verdict)
		case journal.Recheck:
			lines = append(lines, "recheck "+r.Step)
		case journal.Trouble, journal.Left:
			lines = append(lines, string(r.Kind)+": "+r.Text)
		case journal.End:
			lines = append(lines, "end")
		}
	}
	return lines
}

func before(t *testing.T, lines []string, first, second string) {
	t.Helper()
	i, j := slices.Index(lines, first), slices.Index(lines, second)
	if i < 0 || j < 0 || i > j {
		t.Errorf("%q does not come before %q in\n%s", first, second, strings.Join(lines, "\n"))
	}
}

func TestVerdicts(t *testing.T) {
	tests := []struct {
		name    string
		plan    func(*plan.Plan)
		world   func(*world, map[string]do)
		verdict verdict.Verdict
		reason  string
		has     []string
	}{
		{name: "the system recovers", verdict: verdict.Passed, has: []string{"hold.removed", "reached.passed", "kill.removed", "teardown.passed", "end"}},
		{
			name: "the call is answered before the kill is due",
			world: func(w *world, _ map[string]do) {
				w.applies["hold"] = func(_ context.Context, observe func(engine.Moment)) error {
					w.tell(observe, plan.Created)
					w.tell(observe, plan.Injected)
					return nil
				}
			},
			verdict: verdict.Inconclusive, reason: "call: the hold held nothing, or no longer: it was answered (202) after ",
			has: []string{"skipped kill", "skipped back", "hold.removed"},
		},
		{
			name: "the step that another must run beside is over",
			plan: func(p *plan.Plan) {
				step(p, "call").Expect, step(p, "back").After = "", refs("hold.removed")
			},
			world:   func(w *world, _ map[string]do) { w.applies["hold"] = liesOf(plan.Created, plan.Injected) },
			verdict: verdict.Inconclusive, reason: "step kill did not start: call was not under way when this step was due",
		},
		{
			name: "an outcome that is mapped to failed",
			plan: func(p *plan.Plan) {
				call := step(p, "call")
				call.Expect, call.Otherwise = "refused", map[string]string{"connection-lost": "failed"}
			},
			verdict: verdict.Failed, reason: "expected refused, but it was connection-lost",
		},
		{
			name: "the state is never reached",
			world: func(_ *world, activities map[string]do) {
				activities["reached"] = never
			},
			verdict: verdict.Failed, reason: "reached: never came",
		},
		{
			name: "the state is never reached, but the service was never seen down",
			plan: func(p *plan.Plan) { step(p, "hold").Until = refs("call.failed") },
			world: func(w *world, activities map[string]do) {
				activities["reached"] = never
				w.applies["kill"] = func(_ context.Context, observe func(engine.Moment)) error {
					w.tell(observe, plan.Created)
					w.tell(observe, plan.Injected)
					w.after(time.Second, func() { close(w.broken) })
					return nil
				}
			},
			verdict: verdict.Inconclusive, reason: "kill.down never happened",
		},
		{
			name: "any outcome will do, and what follows waits for whichever it is",
			plan: func(p *plan.Plan) {
				step(p, "call").Expect = plan.Any
				back := step(p, "back")
				back.After, back.AfterAny = refs("hold.removed"), refs("call.accepted", "call.failed")
			},
			verdict: verdict.Passed, has: []string{"call.failed", "back.passed"},
		},
		{
			name: "any outcome will do, and another one comes",
			plan: func(p *plan.Plan) {
				p.Steps[0].Until = refs("call.sent")
				step(p, "call").Expect = plan.Any
				step(p, "kill").While, step(p, "kill").Delay = "", 0
				step(p, "back").After, step(p, "back").AfterAny = nil, refs("call.accepted", "call.failed")
				p.Evidence = p.Evidence[2:]
			},
			world: func(_ *world, activities map[string]do) {
				activities["call"] = func(_ context.Context, _ sdk.Task, o sdk.Observer) sdk.Result {
					o.Event("started", time.Now(), nil)
					o.Event("sent", time.Now(), nil)
					o.Event("accepted", time.Now(), nil)
					return sdk.Result{Conclusion: sdk.Passed, Outcome: "accepted", Message: "202"}
				}
			},
			verdict: verdict.Passed, has: []string{"call.accepted", "back.passed"},
		},
		{
			name: "none of several events can happen any more",
			plan: func(p *plan.Plan) {
				p.Steps = append(p.Steps, plan.Step{Name: "more", AfterAny: refs("call.accepted", "nowhere.passed"), Timeout: plan.Duration(time.Minute),
					Activity: activity("back", false)})
			},
			verdict: verdict.Inconclusive, reason: "step more did not start: none of call.accepted and nowhere.passed can happen any more",
			has: []string{"reached.passed"},
		},
		{
			name: "the first of several events is enough",
			plan: func(p *plan.Plan) {
				p.Steps = append(p.Steps, plan.Step{Name: "more", After: refs("call.sent"), AfterAny: refs("kill.down", "reached.passed"), Timeout: plan.Duration(time.Minute),
					Activity: activity("back", false)})
			},
			verdict: verdict.Passed, has: []string{"more.passed"},
		},
		{
			name:    "the given state cannot be reached",
			world:   func(_ *world, activities map[string]do) { activities["ensure"] = never },
			verdict: verdict.Error, reason: "the given state was not reached: never came",
			has: []string{"skipped hold"},
		},
		{
			name: "the cluster refuses a fault",
			world: func(w *world, _ map[string]do) {
				w.applies["hold"] = func(context.Context, func(engine.Moment)) error { return errors.New("no pod is selected") }
			},
			verdict: verdict.Error, reason: "could not be injected: no pod is selected",
		},
		{
			name: "a fault is never injected",
			world: func(w *world, _ map[string]do) {
				w.applies["hold"] = liesOf(plan.Created)
			},
			verdict: verdict.Error, reason: "it was not injected within 10s",
			has: []string{"hold.removed"},
		},
		{
			name: "a fault says that it cannot be injected",
			world: func(w *world, _ map[string]do) {
				w.applies["hold"] = func(_ context.Context, observe func(engine.Moment)) error {
					w.tell(observe, plan.Created)
					observe(engine.Moment{At: time.Now(), Err: errors.New("unable to set tcs")})
					return nil
				}
			},
			verdict: verdict.Error, reason: "unable to set tcs",
			has: []string{"hold.removed"},
		},
		{
			name: "a fault that stays on its finalizer",
			world: func(w *world, _ map[string]do) {
				w.removes["hold"] = func(func(engine.Moment)) error { return errors.New("it hangs on its finalizer") }
			},
			verdict: verdict.Error, reason: "could not be removed: it hangs on its finalizer",
			has: []string{"left: NetworkChaos r-1-hold: it could not be removed: it hangs on its finalizer"},
		},
		{
			name: "a fault that is said to be removed, and may still be on",
			world: func(w *world, _ map[string]do) {
				w.removes["hold"] = func(observe func(engine.Moment)) error {
					w.tell(observe, plan.Removed)
					time.Sleep(time.Second)
					return errors.New("it may still be on")
				}
			},
			verdict: verdict.Error, reason: "could not be removed: it may still be on",
			has: []string{"left: NetworkChaos r-1-hold: it could not be removed: it may still be on"},
		},
		{
			name: "a fault that does not stay on",
			world: func(w *world, _ map[string]do) {
				hold := w.applies["hold"]
				w.applies["hold"] = func(ctx context.Context, observe func(engine.Moment)) error {
					w.after(5*time.Second, func() { observe(engine.Moment{At: time.Now(), Err: errors.New("its duration is over")}) })
					return hold(ctx, observe)
				}
			},
			plan: func(p *plan.Plan) {
				step(p, "hold").Until, step(p, "back").After = refs("back.passed"), refs("call.failed")
				step(p, "back").Delay = plan.Duration(4 * time.Second)
			},
			verdict: verdict.Error, reason: "the fault of step hold (partition a b) did not stay on: its duration is over",
			has: []string{"hold.removed"},
		},
		{
			name: "a kill whose service cannot come back",
			world: func(w *world, _ map[string]do) {
				kill := w.applies["kill"]
				w.applies["kill"] = func(ctx context.Context, observe func(engine.Moment)) error {
					w.after(time.Second, func() { observe(engine.Moment{At: time.Now(), Err: errors.New("no such program")}) })
					return kill(ctx, observe)
				}
			},
			verdict: verdict.Error, reason: "the fault of step kill (pod-kill a) has not gone as it should: no such program",
		},
		{
			name: "an activity emits what it cannot",
			world: func(_ *world, activities map[string]do) {
				activities["back"] = func(_ context.Context, _ sdk.Task, o sdk.Observer) sdk.Result {
					o.Event("surprise", time.Now(), nil)
					return sdk.Result{Conclusion: sdk.Passed}
				}
			},
			verdict: verdict.Error, reason: `step back emitted "surprise"`,
		},
		{
			name: "the service never comes back",
			world: func(w *world, _ map[string]do) {
				w.applies["kill"] = func(_ context.Context, observe func(engine.Moment)) error {
					w.tell(observe, plan.Created)
					w.tell(observe, plan.Injected)
					w.after(time.Second, func() { w.tell(observe, plan.Down); close(w.broken) })
					return nil
				}
			},
			// The hold's until is met once ready can no longer come, so the
			// probe is asked in the end, and answers for itself.
			verdict: verdict.Passed,
		},
		{
			name: "a probe whose until comes first",
			plan: func(p *plan.Plan) {
				p.Steps = append(p.Steps, plan.Step{Name: "gone", After: refs("kill.created"), Until: refs("kill.ready"),
					Timeout: plan.Duration(time.Minute), Activity: activity("gone", false)})
			},
			world:   func(_ *world, activities map[string]do) { activities["gone"] = never },
			verdict: verdict.Inconclusive, reason: "gone: cancelled: kill.ready came before the answer",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				activities := w.activities()
				if test.world != nil {
					test.world(w, activities)
				}
				var out bytes.Buffer
				j := journal.New(&out)
				outcome := engine.Run(t.Context(), engine.Config{
					Run: "r", Plan: inFlight(test.plan), Driver: w, Plugin: newScripted(activities), Journal: j,
				})
				lines := trace(j.Records())
				if outcome.Verdict != test.verdict || !strings.Contains(outcome.Reason, test.reason) {
					t.Errorf("%s: %q, want %s: %q\n%s", outcome.Verdict, outcome.Reason, test.verdict, test.reason, strings.Join(lines, "\n"))
				}
				for _, has := range test.has {
					if !slices.Contains(lines, has) {
						t.Errorf("no %q in\n%s", has, strings.Join(lines, "\n"))
					}
				}
				again, err := journal.Read(&out)
				if err != nil || len(again) != len(j.Records()) {
					t.Errorf("read %d of %d records: %v", len(again), len(j.Records()), err)
				}
				// Whatever happened, no fault stays and the resources are gone.
				for name := range w.observe {
					if !slices.Contains(w.log, "remove "+name) {
						t.Errorf("%s was not removed", name)
					}
				}
				if slices.Contains(lines, "call.started") {
					before(t, lines, "teardown.passed", "end")
				}
			})
		})
	}
}

// TestForATime: a fault that is to stay on for a time is taken off then: the run does
// not wait for its object to end by itself, nor take it off before.
func TestForATime(t *testing.T) {
	for lasting, after := range map[time.Duration]string{7 * time.Second: "hold.removed", 30 * time.Second: "kill.ready"} {
		t.Run(lasting.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				p := inFlight(func(p *plan.Plan) {
					hold := step(p, "hold")
					hold.Until, hold.For = nil, plan.Duration(lasting)
					step(p, "back").After = refs("call.failed", after)
				})
				j := journal.New(&bytes.Buffer{})
				outcome := engine.Run(t.Context(), engine.Config{Run: "r", Plan: p, Driver: w, Plugin: newScripted(w.activities()), Journal: j})
				if outcome.Verdict != verdict.Passed {
					t.Errorf("%s: %s", outcome.Verdict, outcome.Reason)
				}
				at := map[string]time.Duration{}
				for _, r := range j.Records() {
					at[r.Step+"."+r.Event] = r.At
				}
				// The driver of the test takes 200 ms to take it off.
				if on := at["hold.removed"] - at["hold.injected"]; on != lasting+200*time.Millisecond {
					t.Errorf("it was on for %v", on)
				}
				before(t, trace(j.Records()), after, "back.started")
			})
		})
	}
}

// liesOf is a driver's Apply that says these events and does nothing.
func liesOf(events ...string) func(context.Context, func(engine.Moment)) error {
	return func(_ context.Context, observe func(engine.Moment)) error {
		for _, event := range events {
			observe(engine.Moment{Event: event, At: time.Now()})
		}
		return nil
	}
}

func never(ctx context.Context, _ sdk.Task, o sdk.Observer) sdk.Result {
	o.Event("started", time.Now(), nil)
	<-ctx.Done()
	o.Event("failed", time.Now(), nil)
	return sdk.Result{Conclusion: sdk.Failed, Message: "never came"}
}

// TestRemovedTheSecondTime: a fault that could not be removed during the attempt
// is tried once more, and is left behind only if that fails too.
func TestRemovedTheSecondTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		removals := 0
		w.removes["hold"] = func(observe func(engine.Moment)) error {
			if removals++; removals == 1 {
				return errors.New("connection refused")
			}
			w.tell(observe, plan.Removed)
			return nil
		}
		j := journal.New(&bytes.Buffer{})
		outcome := engine.Run(t.Context(), engine.Config{
			Run: "r", Plan: inFlight(nil), Driver: w, Plugin: newScripted(w.activities()), Journal: j,
		})
		if outcome.Verdict != verdict.Error || !strings.Contains(outcome.Reason, "could not be removed: connection refused") || len(outcome.Left) > 0 {
			t.Errorf("%s: %s, left %q", outcome.Verdict, outcome.Reason, outcome.Left)
		}
		lines := trace(j.Records())
		before(t, lines, "trouble: the fault of step hold could not be removed: connection refused", "hold.removed")
		if removals != 2 {
			t.Errorf("it was tried %d times", removals)
		}
	})
}

// Whoever does not want to wait for the clean-up does not wait for a second try.
func TestNoSecondTryForOneInAHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		removals := 0
		w.removes["hold"] = func(func(engine.Moment)) error {
			removals++
			return errors.New("connection refused")
		}
		abandon := make(chan struct{})
		close(abandon)
		outcome := engine.Run(t.Context(), engine.Config{
			Run: "r", Plan: inFlight(nil), Driver: w, Plugin: newScripted(w.activities()), Journal: journal.New(&bytes.Buffer{}), Abandon: abandon,
		})
		if removals != 1 || !slices.ContainsFunc(outcome.Left, func(text string) bool { return strings.Contains(text, "it could not be removed: connection refused") }) {
			t.Errorf("it was tried %d times, left %q", removals, outcome.Left)
		}
	})
}

func TestAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		holds := 0
		hold := w.applies["hold"]
		w.applies["hold"] = func(ctx context.Context, observe func(engine.Moment)) error {
			if holds++; holds == 1 {
				return liesOf(plan.Created, plan.Injected)(ctx, observe)
			}
			return hold(ctx, observe)
		}
		plugin := newScripted(w.activities())
		j := journal.New(&bytes.Buffer{})
		outcome := engine.Run(t.Context(), engine.Config{
			Run: "r", Plan: inFlight(func(p *plan.Plan) { p.Attempts = 3 }), Driver: w, Plugin: plugin, Journal: j,
		})
		if outcome.Verdict != verdict.Passed || outcome.Attempt != 2 {
			t.Errorf("%s at attempt %d: %s", outcome.Verdict, outcome.Attempt, outcome.Reason)
		}
		var attempts []int
		for _, task := range plugin.asked("ensure") {
			attempts = append(attempts, task.Attempt)
		}
		if !slices.Equal(attempts, []int{1, 2}) {
			t.Errorf("the given state was made for attempts %v, want one for each of the two", attempts)
		}
	})
}

// TestBlastRadius: a run that works on what existed before has nothing to tear
// down, and its teardown is asked all the same: it tells how it leaves that.
func TestBlastRadius(t *testing.T) {
	for _, test := range []struct {
		answer sdk.Conclusion
		left   []string
	}{
		{sdk.Passed, nil},
		{sdk.Errored, []string{"what existed before the run may be in another state: it could not be torn down: nobody knows"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			activities := w.activities()
			activities["ensure"] = activities["back"]
			activities["teardown"] = func(_ context.Context, _ sdk.Task, o sdk.Observer) sdk.Result {
				o.Event("started", time.Now(), nil)
				return sdk.Result{Conclusion: test.answer, Message: "nobody knows"}
			}
			plugin := newScripted(activities)
			outcome := engine.Run(t.Context(), engine.Config{
				Run: "r", Plan: inFlight(func(p *plan.Plan) { p.BlastRadius = []string{"theirs: stopped"} }), Driver: w, Plugin: plugin, Journal: journal.New(&bytes.Buffer{}),
			})
			torn := plugin.asked("teardown")
			if outcome.Verdict != verdict.Passed || len(torn) != 1 || len(torn[0].Resources) > 0 || !slices.Equal(outcome.Left, test.left) {
				t.Errorf("%s, torn down: %v, left %q, want %q", outcome.Verdict, torn, outcome.Left, test.left)
			}
		})
	}
}

// TestUnanswered: a call without an answer is dead only where the evidence says
// so; else the teardown is told of it, and waits for what it may still do.
// TestLeftByTheTeardown: what the plugin leaves is listed in order, each once and
// with the plugin's reason.
func TestLeftByTheTeardown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		does := w.activities()
		does["teardown"] = func(_ context.Context, _ sdk.Task, o sdk.Observer) sdk.Result {
			o.Event("started", time.Now(), nil)
			o.Resource(sdk.Resource{Anchor: "projects/q", State: sdk.Left})
			o.Resource(sdk.Resource{Anchor: "projects/p", State: sdk.Left, Reason: "it holds projects/q"})
			o.Event("failed", time.Now(), nil)
			return sdk.Result{Conclusion: sdk.Errored, Message: "2 left"}
		}
		outcome := engine.Run(t.Context(), engine.Config{
			Run: "r", Plan: inFlight(nil), Driver: w, Plugin: newScripted(does), Journal: journal.New(&bytes.Buffer{}),
		})
		if want := []string{"projects/p: it holds projects/q", "projects/q"}; !slices.Equal(outcome.Left, want) {
			t.Errorf("left %q, want %q", outcome.Left, want)
		}
	})
}

func TestUnanswered(t *testing.T) {
	for _, test := range []struct {
		name       string
		kills      bool
		call       do
		verdict    verdict.Verdict
		unanswered []string
	}{
		{"the call died with its service", true, nil, verdict.Passed, nil},
		{"nothing was killed, and the client gave up", false, nil, verdict.Inconclusive, []string{"call"}},
		{"it was never sent", false, unsent("timeout"), verdict.Inconclusive, nil},
		{"nobody knows whether it was sent", false, unsent(""), verdict.Error, []string{"call"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				if !test.kills {
					w.applies["kill"] = liesOf(plan.Created, plan.Injected, plan.Down)
				}
				activities := w.activities()
				if test.call != nil {
					activities["call"] = test.call
				}
				plugin := newScripted(activities)
				outcome := engine.Run(t.Context(), engine.Config{
					Run: "r", Plan: inFlight(nil), Driver: w, Plugin: plugin, Journal: journal.New(&bytes.Buffer{}), Settle: 7 * time.Second,
				})
				torn := plugin.asked("teardown")
				if outcome.Verdict != test.verdict || len(torn) != 1 || torn[0].Settle != 7*time.Second {
					t.Fatalf("%s: %s, torn down: %v", outcome.Verdict, outcome.Reason, torn)
				}
				var unanswered []string
				for _, sent := range torn[0].Unanswered {
					unanswered = append(unanswered, sent.Activity)
				}
				if !slices.Equal(unanswered, test.unanswered) {
					t.Errorf("the teardown is told of %v, want %v", unanswered, test.unanswered)
				}
			})
		})
	}
}

// unsent is a call that ended before its request had left, or that does not
// say how it ended.
func unsent(outcome string) do {
	return func(_ context.Context, _ sdk.Task, o sdk.Observer) sdk.Result {
		o.Event("started", time.Now(), nil)
		o.Event("failed", time.Now(), nil)
		if outcome == "" {
			return sdk.Result{Conclusion: sdk.Errored, Message: "the plugin is confused"}
		}
		return sdk.Result{Conclusion: sdk.Passed, Outcome: outcome, Message: "no connection"}
	}
}

// knowing is a driver that tells beforehand what it refuses.
type knowing struct {
	*world
	refuses string
}

func (k knowing) Check(_ context.Context, object fault.Object) error {
	if strings.HasSuffix(object.GetName(), k.refuses) {
		return errors.New("it selects nothing")
	}
	return nil
}

func TestRefusedBeforehand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		j := journal.New(&bytes.Buffer{})
		outcome := engine.Run(t.Context(), engine.Config{
			Run: "r", Plan: inFlight(nil), Driver: knowing{world: w, refuses: "-kill"},
			Plugin: newScripted(map[string]do{}), Journal: j,
		})
		if outcome.Verdict != verdict.Error || !strings.Contains(outcome.Reason, "fault of step kill") || !strings.Contains(outcome.Reason, "it selects nothing") {
			t.Errorf("%s: %s", outcome.Verdict, outcome.Reason)
		}
		for _, record := range j.Records() {
			if record.Kind == journal.Event || record.Kind == journal.Resource {
				t.Errorf("something was begun: %+v", record)
			}
		}
	})
}

func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		activities := w.activities()
		call := activities["call"]
		activities["call"] = func(ctx context.Context, task sdk.Task, o sdk.Observer) sdk.Result {
			// Held, and answered 18 s after the release, as TCP does it.
			go func() { time.Sleep(18 * time.Second); close(w.broken) }()
			return call(ctx, task, o)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		j := journal.New(&bytes.Buffer{}, func(r journal.Record) {
			if r.Step == "call" && r.Event == "sent" {
				cancel(errors.New("enough"))
			}
		})
		outcome := engine.Run(ctx, engine.Config{Run: "r", Plan: inFlight(nil), Driver: w, Plugin: newScripted(activities), Journal: j})
		if outcome.Verdict != verdict.Error || outcome.Reason != "the run was interrupted: enough" || len(outcome.Left) > 0 {
			t.Errorf("%s: %s, left %v", outcome.Verdict, outcome.Reason, outcome.Left)
		}
		lines := trace(j.Records())
		before(t, lines, "hold.removed", "call.failed")
		before(t, lines, "call.failed", "teardown.started")
		before(t, lines, "teardown.passed", "end")
	})
}

func TestSecondInterruptSaysWhatMayStillHappen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		ctx, cancel := context.WithCancel(t.Context())
		abandon := make(chan struct{})
		j := journal.New(&bytes.Buffer{}, func(r journal.Record) {
			switch {
			case r.Step == "call" && r.Event == "sent":
				cancel()
			case r.Event == plan.Removed:
				close(abandon)
			}
		})
		activities := w.activities()
		activities["teardown"] = never
		start := time.Now()
		outcome := engine.Run(ctx, engine.Config{
			Run: "r", Plan: inFlight(nil), Driver: w, Plugin: newScripted(activities), Journal: j, Abandon: abandon,
		})
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v after the second interrupt", took)
		}
		left := strings.Join(outcome.Left, "\n")
		if !strings.Contains(left, "call (call) was sent and not answered: it may still take effect") || !strings.Contains(left, "projects/p: it could not be torn down: the clean-up was cut short") {
			t.Errorf("left: %s", left)
		}
	})
}

// Whether the engine hears first that the plugin has gone or that an activity has
// failed of it is chance, and makes no difference.
func TestPluginDies(t *testing.T) {
	for range 100 {
		synctest.Test(t, pluginDies)
	}
}

func pluginDies(t *testing.T) {
	w := newWorld()
	plugin, second := newScripted(w.activities()), newScripted(w.activities())
	var died time.Time
	j := journal.New(&bytes.Buffer{}, func(r journal.Record) {
		if r.Step == "call" && r.Event == "sent" {
			died = time.Now()
			close(plugin.gone)
			// The loop finds both signs, the death and the activity's error.
			synctest.Wait()
		}
	})
	restarts := 0
	outcome := engine.Run(t.Context(), engine.Config{
		Run: "r", Plan: inFlight(func(p *plan.Plan) { p.Attempts = 3 }), Driver: w, Plugin: plugin, Journal: j,
		Restart: func(context.Context) (engine.Plugin, error) { restarts++; return second, nil },
	})
	if outcome.Verdict != verdict.Error || outcome.Reason != "the plugin died" || outcome.Attempt != 1 || len(outcome.Left) > 0 {
		t.Errorf("%s at attempt %d: %s, left %v", outcome.Verdict, outcome.Attempt, outcome.Reason, outcome.Left)
	}
	for _, r := range j.Records() {
		if r.Kind == journal.Verdict && r.Time.Sub(died) > time.Second {
			t.Errorf("the verdict came %v after the plugin died", r.Time.Sub(died))
		}
	}
	torn := second.asked("teardown")
	if restarts != 1 || len(torn) != 1 || !slices.Equal(torn[0].Resources, []string{"projects/p"}) {
		t.Errorf("%d restarts, torn down: %v", restarts, torn)
	}
	lines := trace(j.Records())
	before(t, lines, "trouble: the plugin died", "hold.removed")
	before(t, lines, "hold.removed", "verdict Error")
	before(t, lines, "verdict Error", "teardown.passed")
}

// watched is a world whose services are watched.
type watched struct {
	*world
	watch func(ctx context.Context, observe func(engine.Disturbance)) error
}

func (w watched) Watch(ctx context.Context, observe func(engine.Disturbance)) error {
	return w.watch(ctx, observe)
}

func TestDisturbances(t *testing.T) {
	dies := func(service string, after time.Duration) func(context.Context, func(engine.Disturbance)) error {
		return func(ctx context.Context, observe func(engine.Disturbance)) error {
			select {
			case <-time.After(after):
				observe(engine.Disturbance{Service: service, At: time.Now(), Text: "process 17 has gone: killed"})
			case <-ctx.Done():
			}
			<-ctx.Done()
			return ctx.Err()
		}
	}
	for _, test := range []struct {
		name    string
		plan    func(*plan.Plan)
		slow    bool // the kill is not accepted before the attempt is over
		watch   func(context.Context, func(engine.Disturbance)) error
		verdict verdict.Verdict
		reason  string
	}{
		{name: "nothing happens", watch: dies("b", time.Hour), verdict: verdict.Passed},
		{name: "a bystander dies", watch: dies("b", 1700*time.Millisecond), verdict: verdict.Inconclusive, reason: "b died too, at +1.2 s: process 17 has gone: killed"},
		{
			name: "while a fault is put on", slow: true, watch: dies("b", 2900*time.Millisecond),
			verdict: verdict.Inconclusive, reason: "b died too",
		},
		{name: "one that is expected to", plan: func(p *plan.Plan) { p.Expected = []string{"b"} }, watch: dies("b", 1700*time.Millisecond), verdict: verdict.Passed},
		{name: "after the last step", watch: dies("b", 5*time.Second), verdict: verdict.Inconclusive, reason: "b died too"},
		{
			name: "nothing is watched", verdict: verdict.Error, reason: "the pods of the services are not watched any more: no rights",
			watch: func(context.Context, func(engine.Disturbance)) error { return errors.New("no rights") },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				if test.slow {
					w.applies["kill"] = func(ctx context.Context, _ func(engine.Moment)) error {
						<-ctx.Done()
						return ctx.Err()
					}
				}
				outcome := engine.Run(t.Context(), engine.Config{
					Run: "r", Plan: inFlight(test.plan), Driver: watched{w, test.watch}, Plugin: newScripted(w.activities()), Journal: journal.New(&bytes.Buffer{}),
				})
				if outcome.Verdict != test.verdict || !strings.HasPrefix(outcome.Reason, test.reason) {
					t.Errorf("%s: %s", outcome.Verdict, outcome.Reason)
				}
			})
		})
	}
}

func TestRecheck(t *testing.T) {
	for _, test := range []struct {
		name    string
		again   do
		verdict verdict.Verdict
		reason  string
	}{
		{name: "it still holds", verdict: verdict.Passed},
		{
			name: "it does not", verdict: verdict.Failed, reason: "reached passed at +5.2 s and no longer holds: TerminateFailed",
			again: func(context.Context, sdk.Task, sdk.Observer) sdk.Result {
				return sdk.Result{Conclusion: sdk.Failed, Message: "TerminateFailed"}
			},
		},
		{
			name: "nobody can tell", verdict: verdict.Inconclusive, reason: "reached passed at +5.2 s and no longer holds: no answer",
			again: func(context.Context, sdk.Task, sdk.Observer) sdk.Result {
				return sdk.Result{Conclusion: sdk.Inconclusive, Message: "no answer"}
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				activities := w.activities()
				first := activities["reached"]
				activities["reached"] = func(ctx context.Context, task sdk.Task, o sdk.Observer) sdk.Result {
					if task.Recheck && test.again != nil {
						return test.again(ctx, task, o)
					}
					return first(ctx, task, o)
				}
				plugin := newScripted(activities)
				j := journal.New(&bytes.Buffer{})
				outcome := engine.Run(t.Context(), engine.Config{
					Run: "r", Plan: inFlight(func(p *plan.Plan) { step(p, "reached").Activity.Recheck = true }), Driver: w, Plugin: plugin, Journal: j,
				})
				if outcome.Verdict != test.verdict || outcome.Reason != test.reason {
					t.Errorf("%s: %s", outcome.Verdict, outcome.Reason)
				}
				asked := plugin.asked("reached")
				if len(asked) != 2 || !asked[1].Recheck || asked[1].Timeout != 30*time.Second {
					t.Errorf("asked %+v", asked)
				}
				lines := trace(j.Records())
				before(t, lines, "kill.removed", "recheck reached")
				before(t, lines, "recheck reached", "teardown.started")
				if started := strings.Count(strings.Join(lines, " "), "reached.started"); started != 1 {
					t.Errorf("reached started %d times", started)
				}
			})
		})
	}
}

// TestRecheckOvertaken does not ask for what the run itself has changed since.
func TestRecheckOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		activities := w.activities()
		activities["more"] = activities["back"]
		plugin := newScripted(activities)
		outcome := engine.Run(t.Context(), engine.Config{
			Run: "r", Driver: w, Plugin: plugin, Journal: journal.New(&bytes.Buffer{}), Plan: inFlight(func(p *plan.Plan) {
				step(p, "reached").Activity.Recheck = true
				more := activity("more", false)
				more.Lasting = true
				p.Steps = append(p.Steps, plan.Step{Name: "more", After: refs("reached.passed"), Timeout: plan.Duration(time.Minute), Activity: more})
			}),
		})
		if asked := len(plugin.asked("reached")); outcome.Verdict != verdict.Passed || asked != 1 {
			t.Errorf("%s: %s; asked %d times", outcome.Verdict, outcome.Reason, asked)
		}
	})
}

// filling is a disk that is full after some lines.
type filling struct{ lines int }

func (f *filling) Write(line []byte) (int, error) {
	if f.lines--; f.lines < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(line), nil
}

// TestJournalIsNotKept ends in Error wherever the disk is full, and says so in
// what is still told of the run.
func TestJournalIsNotKept(t *testing.T) {
	whole := 0
	for lines := 0; whole == 0 || lines < whole; lines++ {
		synctest.Test(t, func(t *testing.T) {
			w, disk := newWorld(), &filling{lines: lines}
			plugin, j := newScripted(w.activities()), journal.New(disk)
			outcome := engine.Run(t.Context(), engine.Config{Run: "r", Plan: inFlight(nil), Driver: w, Plugin: plugin, Journal: j})
			if j.Err() == nil {
				whole = lines
				return
			}
			told := report.Runs(j.Records())[0]
			if outcome.Verdict != verdict.Error || told.Verdict != verdict.Error || !strings.Contains(outcome.Reason+told.Reason, "no space left on device") {
				t.Errorf("after %d lines: %s: %s; told as %s: %s", lines, outcome.Verdict, outcome.Reason, told.Verdict, told.Reason)
			}
			if asked := len(plugin.asked("ensure")); asked > 0 && lines < 2 {
				t.Errorf("after %d lines the run began all the same", lines)
			}
			for name := range w.observe {
				if !slices.Contains(w.log, "remove "+name) {
					t.Errorf("after %d lines %s was not removed", lines, name)
				}
			}
		})
	}
}
