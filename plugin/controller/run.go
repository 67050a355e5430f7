package controller

import (
	"strings"
	"sync"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// run is a run that was asked for. It keeps all that is told of it, so that
// whoever asks can come and go. Its methods may be called from any goroutine.
type run struct {
	name string
	plan *plan.Plan
	// key is what the one who asked knows it by; may be empty.
	key string
	// origin is where in the dashboard the run was started; nil when it was not.
	origin *origin

	mu       sync.Mutex
	state    api.State
	messages []api.Message
	end      *api.End
	// changed is closed when there is more to tell.
	changed chan struct{}
}

func newRun(name string, compiled *plan.Plan) *run {
	return &run{name: name, plan: compiled, state: api.StateQueued, changed: make(chan struct{})}
}

func (r *run) tell(message api.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(message)
}

func (r *run) add(message api.Message) {
	message.Run = r.name
	r.messages = append(r.messages, message)
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *run) queued(position int) {
	r.tell(api.Message{Kind: api.Queued, Position: position})
}

func (r *run) waiting(text string) {
	r.tell(api.Message{Kind: api.Waiting, Text: text})
}

func (r *run) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = api.StateRunning
}

func (r *run) finish(end api.End) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state, r.end = api.StateEnded, &end
	r.add(api.Message{Kind: api.Ended, End: &end})
}

// after returns what has been told from the n-th message on, whether that is
// all there will ever be, and else what is closed when there is more.
func (r *run) after(n int) (messages []api.Message, ended bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.messages[min(max(n, 0), len(r.messages)):], r.end != nil, r.changed
}

func (r *run) status() api.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return api.Status{Run: r.name, Experiment: r.plan.Experiment, State: r.state, End: r.end}
}

// lines tells the lines that are written to it.
type lines struct {
	run  *run
	rest string
}

func (l *lines) Write(data []byte) (int, error) {
	text := l.rest + string(data)
	for {
		line, rest, whole := strings.Cut(text, "\n")
		if !whole {
			l.rest = text
			return len(data), nil
		}
		l.run.tell(api.Message{Kind: api.Line, Text: line})
		text = rest
	}
}

// endOf is how a run that was made ended.
func endOf(one report.Run) (api.End, error) {
	var text strings.Builder
	if err := report.Text(&text, one); err != nil {
		return api.End{}, err
	}
	return api.End{Verdict: string(one.Verdict), Reason: one.Reason, ExitCode: exitCode(one.Verdict), Report: text.String()}, nil
}

// errored is the end of a run that was not made.
func errored(reason string) api.End {
	return api.End{Verdict: string(verdict.Error), Reason: reason, ExitCode: report.ExitError}
}

func exitCode(v verdict.Verdict) int {
	var tally report.Tally
	tally.Add(v)
	return tally.ExitCode()
}
