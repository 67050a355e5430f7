package probes

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
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
