package probes

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var availableKind = Kind{
	Activity: with(func(a *activity.Activity) { a.Measures = activity.Answers }, question("available", "waits until a real GET of a microservice succeeds",
		activity.Argument{Name: "service", Type: activity.ServiceName, Required: true, Allowed: serviceNames(), Description: "the microservice"})),
	// Success, or EMCO's own word that there is no such resource, is out of its database.
	run: func(ctx context.Context, t task) Result {
		service := emco.Service(t.text("service"))
		w := t.watchEndpoint(service, t.Client.Do)
		for sample := range w.samples(ctx, pace{interval: 250 * time.Millisecond, hedged: true}) {
			if sample.condition == conditionAnswered {
				return w.result(Passed, "%s is available after %s: %s", service, w.after(), sample.words)
			}
		}
		return w.unfinished(ctx, fmt.Sprintf("%s did not become available", service))
	},
}

var unavailableKind = Kind{
	Activity: with(func(a *activity.Activity) {
		a.Events = []string{eventStarted, eventConnected, eventPassed, eventFailed}
	}, question("unavailable", "waits until a GET of a microservice, or of a call's status, is refused",
		activity.Argument{Name: "service", Type: activity.ServiceName, Allowed: serviceNames(),
			Description: "the microservice; it follows from the call if there is one"},
		activity.Argument{Name: "call", Type: activity.CallName, Allowed: emco.CallNames(), Description: "a call whose status is to be refused"})),
	check: checkUnavailable,
	// A reset, an EOF or a hang means down too, but only a refusal proves that nothing
	// listens. An answer can be one from before the fault.
	run: func(ctx context.Context, t task) Result {
		service := cmp.Or(t.call.Service, emco.Service(t.text("service")))
		w := t.watchEndpoint(service, t.telling())
		for sample := range w.samples(ctx, pace{interval: shortInterval, hedged: true}) {
			if sample.condition == conditionRefused {
				return w.result(Passed, "%s refuses after %s: %s", service, w.after(), sample.words)
			}
		}
		return w.unseen(fmt.Sprintf("%s was not seen to refuse", service))
	},
}

func checkUnavailable(p Probe) error {
	service := emco.Service(p.text("service"))
	call, ok := emco.CallNamed(p.text("call"))
	switch {
	case !ok && service == "":
		return wrong("service", "is missing", "give a service or a call")
	case ok && service != "" && service != call.Service:
		return wrong("service", fmt.Sprintf("%s does not answer %s", service, call.Name), fmt.Sprintf("use %s or leave it out", call.Service))
	}
	return nil
}

const conditionAnswered, conditionRefused = "answered", "refused"

// The limits of one endpoint check, and of the dialling of one without REST.
const endpointTimeout, dialTimeout = 2 * time.Second, time.Second

// foundIn is what each service can find in its database only.
var foundIn = map[emco.Service]string{emco.Orchestrator: "{project}", emco.DCM: "{logicalCloud}", emco.CLM: "{provider}"}

// asks sends a request of a watch.
type asks = func(context.Context, emco.Request) (emco.Answer, error)

// watchEndpoint checks whether a service answers a GET from its database, or of
// the call's status if there is a call. Rsync, without REST API, is dialled.
func (t task) watchEndpoint(service emco.Service, do asks) *watch {
	t.call.StatusPath = cmp.Or(t.call.StatusPath, foundIn[service])
	w := &watch{task: t, noun: "seen"}
	w.ask = func(ctx context.Context) sample {
		ctx, cancel := context.WithTimeout(ctx, endpointTimeout)
		defer cancel()
		var seen sample
		if service != emco.Rsync {
			seen = t.follow(ctx, t.call.Status(t.Names), do)
		} else if _, _, seen.err = t.Setup.rsync(); seen.err == nil {
			seen.Answer = emco.Dial(ctx, t.Setup.Rsync, dialTimeout)
		}
		seen.condition, seen.words = conditionOf(seen.Answer), seen.String()
		seen.note = fmt.Sprintf("%s: %s: %s", service, seen.condition, seen.words)
		return seen
	}
	// How often each condition was seen, and when first.
	counts, evidence := map[string]int{}, map[string]string{}
	w.keep = func(s sample) {
		counts[s.condition]++
		evidence[s.condition] = strconv.Itoa(counts[s.condition])
		after := rounded(s.Ended.Sub(w.began))
		evidence["first "+s.condition] = cmp.Or(evidence["first "+s.condition], after)
		if s.Outcome.Down() != "" {
			evidence["first down"] = cmp.Or(evidence["first down"], after)
		}
	}
	w.evidence = func(sample) map[string]string { return evidence }
	return w
}

// conditionOf is the condition of an endpoint: answered, refused, EOF,
// reset, hang, unreachable, an HTTP status, or the kind of another outcome.
func conditionOf(answer emco.Answer) string {
	switch {
	case answer.Outcome.Kind == emco.Accepted || answer.Missing():
		return conditionAnswered
	case answer.Outcome.Kind == emco.Rejected:
		return strconv.Itoa(answer.Code)
	}
	return cmp.Or(answer.Outcome.Down(), string(answer.Outcome.Kind))
}

// eventConnected tells of a request that had a connection, and no answer of
// EMCO's for [hedgeDelay]: while the service is down something in front of it
// has taken the connection.
const eventConnected = emco.Connected

// connectedEvery is how often that is told.
const connectedEvery = 200 * time.Millisecond

// telling returns what asks EMCO and tells of connections that something took
// without an answer of EMCO's: not of all, since others follow soon.
func (t task) telling() asks {
	var mu sync.Mutex
	var last time.Time
	tell := func(at time.Time) {
		mu.Lock()
		defer mu.Unlock()
		if at.Sub(last) > connectedEvery {
			last = at
			t.Event(eventConnected, at, nil)
		}
	}
	return func(ctx context.Context, request emco.Request) (emco.Answer, error) {
		var connected time.Time
		var waiting *time.Timer
		told := make(chan struct{})
		answer, err := t.Client.Watch(ctx, request, func(m emco.Moment) {
			if m.Name == emco.Connected {
				connected = m.At
				waiting = time.AfterFunc(hedgeDelay, func() { tell(connected); close(told) })
			}
		})
		switch {
		case waiting == nil:
		case !waiting.Stop():
			<-told
		case emco.FromGateway(answer.Code):
			tell(connected)
		}
		return answer, err
	}
}
