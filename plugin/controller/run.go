package controller

import (
	"strings"
	"sync"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// run is a run that was asked for. It keeps its messages, so that clients can
// come and go. Its methods may be called from any goroutine.
type run struct {
	name string
	plan *plan.Plan
	// key is the client's own name for it; may be empty.
	key string
	// origin is where in the dashboard the run was started; nil when it was not.
	origin *origin

	mu       sync.Mutex
	state    api.State
	messages []api.Message
	end      *api.End
	// changed is closed at the next message.
	changed chan struct{}
}

func newRun(name string, compiled *plan.Plan) *run {
	return &run{name: name, plan: compiled, state: api.StateQueued, changed: make(chan struct{})}
}

// tell adds a message; one with an end is the last.
func (r *run) tell(message api.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	message.Run = r.name
	r.messages = append(r.messages, message)
	if message.End != nil {
		r.state, r.end = api.StateEnded, message.End
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *run) waiting(text string) { r.tell(api.Message{Kind: api.Waiting, Text: text}) }

// Write tells lines of the timeline, which come whole.
func (r *run) Write(data []byte) (int, error) {
	for line := range strings.Lines(string(data)) {
		r.tell(api.Message{Kind: api.Line, Text: strings.TrimSuffix(line, "\n")})
	}
	return len(data), nil
}

func (r *run) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = api.StateRunning
}

func (r *run) finish(end api.End) { r.tell(api.Message{Kind: api.Ended, End: &end}) }

// after returns the messages from the n-th on, whether there will be no more,
// and else what is closed at the next one.
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

// endOf is the end of a run that was made.
func endOf(one report.Run) (api.End, error) {
	var text strings.Builder
	if err := report.Text(&text, one); err != nil {
		return api.End{}, err
	}
	var tally report.Tally
	tally.Add(one.Verdict)
	return api.End{Verdict: string(one.Verdict), Reason: one.Reason, ExitCode: tally.ExitCode(), Report: text.String()}, nil
}

// errored is the end of a run that was not made.
func errored(reason string) api.End {
	return api.End{Verdict: string(verdict.Error), Reason: reason, ExitCode: report.ExitError}
}
