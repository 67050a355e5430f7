package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

// system is the service under test, and the counter of one attempt of a run.
type system struct{ url, prefix, name string }

// action does one thing to the system. It tells its events as they happen,
// the first and the last too, and returns what came of it.
type action func(ctx context.Context, on system, task sdk.Task, observer sdk.Observer) sdk.Result

// activities are the actions of the catalogue.
var activities = map[string]action{
	"call":    call,
	"answers": probe(answers),
	"holds":   probe(holds),
	"fill":    probe(fill),
	"drop":    probe(drop),
	"clean":   probe(clean),
}

// ask sends one request on a connection of its own, and returns the answer.
func (s system) ask(ctx context.Context, method, path, body string) (code int, answer string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	// Without this Go would repeat a GET whose connection was lost.
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, strings.TrimSpace(string(text)), err
}

// call adds to the counter, once. The fault of an experiment is aimed by its
// events; what became of it is its outcome.
func call(ctx context.Context, on system, _ sdk.Task, observer sdk.Observer) sdk.Result {
	observer.Event(plan.Started, time.Now(), nil)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				observer.Event(plan.Sent, time.Now(), nil)
			}
		},
	})
	code, answer, err := on.ask(ctx, http.MethodPost, "/counters/"+on.name+"/add", "")
	result := sdk.Result{Conclusion: sdk.Passed}
	event := plan.Failed
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		result.Outcome = plan.Refused
	case errors.Is(err, context.DeadlineExceeded):
		result.Outcome = plan.TimedOut
	case err != nil:
		result.Outcome = plan.ConnectionLost
	case code == http.StatusOK:
		event, result.Outcome = plan.Accepted, plan.Accepted
	default:
		event, result.Outcome = plan.Rejected, fmt.Sprintf("%s %d", plan.Rejected, code)
	}
	observer.Event(event, time.Now(), map[string]string{"outcome": result.Outcome})
	result.Message = "add: " + result.Outcome
	if err == nil {
		result.Evidence = map[string]string{"answer": answer}
	}
	return result
}

// probe makes an action of a function that returns nil, or why the system
// is not as it must be.
func probe(look func(ctx context.Context, on system, task sdk.Task, observer sdk.Observer) (string, error)) action {
	return func(ctx context.Context, on system, task sdk.Task, observer sdk.Observer) sdk.Result {
		observer.Event(plan.Started, time.Now(), nil)
		message, err := look(ctx, on, task, observer)
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return sdk.Result{Conclusion: sdk.Inconclusive, Message: "cancelled"}
		case err != nil:
			observer.Event("failed", time.Now(), nil)
			return sdk.Result{Conclusion: sdk.Failed, Message: err.Error()}
		}
		observer.Event("passed", time.Now(), nil)
		return sdk.Result{Conclusion: sdk.Passed, Message: message}
	}
}

// askEvery is how often a service is asked that does not answer.
const askEvery = 50 * time.Millisecond

func answers(ctx context.Context, on system, _ sdk.Task, _ sdk.Observer) (string, error) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		code, _, err := on.ask(ctx, http.MethodGet, "/counters", "")
		if err == nil && code == http.StatusOK {
			return "the service answers", nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("the service does not answer: %d %v", code, err)
		}
	}
}

func holds(ctx context.Context, on system, task sdk.Task, _ sdk.Observer) (string, error) {
	want := number(task, "value")
	code, answer, err := on.ask(ctx, http.MethodGet, "/counters/"+on.name, "")
	switch {
	case err != nil:
		return "", fmt.Errorf("ask for the counter: %w", err)
	case code == http.StatusNotFound:
		return "", errors.New("the counter is gone")
	case code != http.StatusOK || answer != want:
		return "", fmt.Errorf("the counter has %s, and must have %s", answer, want)
	}
	return "the counter has " + want, nil
}

// number is an argument that is an integer, as text.
func number(task sdk.Task, argument string) string {
	value, _ := task.Arguments[argument].(float64)
	return fmt.Sprintf("%.0f", value)
}

// fill brings about the given. What it makes it tells before and after, so
// that it can be removed whatever happens.
func fill(ctx context.Context, on system, task sdk.Task, observer sdk.Observer) (string, error) {
	observer.Resource(sdk.Resource{Anchor: on.name, State: sdk.Making})
	code, answer, err := on.ask(ctx, http.MethodPut, "/counters/"+on.name, number(task, "value"))
	if err != nil || code != http.StatusCreated {
		return "", fmt.Errorf("make the counter %s: %d %s %v", on.name, code, answer, err)
	}
	observer.Resource(sdk.Resource{Anchor: on.name, State: sdk.Made})
	return "the counter has " + answer, nil
}

// drop takes the given back: all that the host says is there.
func drop(ctx context.Context, on system, task sdk.Task, observer sdk.Observer) (string, error) {
	return on.remove(ctx, task.Resources, observer)
}

// clean removes what runs have left that did not come to their teardown.
func clean(ctx context.Context, on system, _ sdk.Task, observer sdk.Observer) (string, error) {
	code, answer, err := on.ask(ctx, http.MethodGet, "/counters", "")
	if err != nil || code != http.StatusOK {
		return "", fmt.Errorf("ask for the counters: %d %v", code, err)
	}
	var names []string
	for line := range strings.Lines(answer) {
		if name, _, _ := strings.Cut(line, " "); strings.HasPrefix(name, on.prefix) {
			names = append(names, name)
		}
	}
	return on.remove(ctx, names, observer)
}

func (s system) remove(ctx context.Context, names []string, observer sdk.Observer) (string, error) {
	for _, name := range names {
		code, answer, err := s.ask(ctx, http.MethodDelete, "/counters/"+name, "")
		if err != nil || code != http.StatusOK && code != http.StatusNotFound {
			why := fmt.Sprintf("remove it: %d %s %v", code, answer, err)
			observer.Resource(sdk.Resource{Anchor: name, State: sdk.Left, Reason: why})
			return "", fmt.Errorf("the counter %s: %s", name, why)
		}
		observer.Resource(sdk.Resource{Anchor: name, State: sdk.Removed})
	}
	return fmt.Sprintf("%d counters removed", len(names)), nil
}
