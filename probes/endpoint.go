package probes

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

const conditionAnswered, conditionRefused = "answered", "refused"

// The limits of one endpoint check, and of the dialling of one without REST.
const endpointTimeout, dialTimeout = 2 * time.Second, time.Second

// foundIn is what each service can find in its database only.
var foundIn = map[emco.Service]string{emco.Orchestrator: "{project}", emco.DCM: "{logicalCloud}", emco.CLM: "{provider}"}

// asks sends a request of a watch.
type asks = func(context.Context, emco.Request) (emco.Answer, error)

// watchEndpoint checks whether a service answers a GET from its database, or of
// the call's status if there is a call. Rsync, without REST API, is dialled.
func (t task) watchEndpoint(service emco.Service, call emco.Call, do asks) *watch {
	call.StatusPath = cmp.Or(call.StatusPath, foundIn[service])
	w := &watch{observer: t, noun: "seen"}
	w.ask = func(ctx context.Context) sample {
		ctx, cancel := context.WithTimeout(ctx, endpointTimeout)
		defer cancel()
		var seen sample
		if service != emco.Rsync {
			seen = t.follow(ctx, call.Status(t.Names), do)
		} else if _, _, seen.err = t.Setup.rsync(); seen.err == nil {
			seen.Answer = emco.Dial(ctx, t.Setup.Rsync, dialTimeout)
		}
		seen.condition, seen.words = conditionOf(seen.Answer), seen.String()
		seen.note = fmt.Sprintf("%s: %s: %s", service, seen.condition, seen.words)
		return seen
	}
	// How often each condition was seen, and when first.
	counts, evidence := map[string]int{}, map[string]string{}
	first := func(what string, at time.Time) {
		if key := "first " + what; evidence[key] == "" {
			evidence[key] = rounded(at.Sub(w.began))
		}
	}
	w.keep = func(s sample) {
		counts[s.condition]++
		evidence[s.condition] = strconv.Itoa(counts[s.condition])
		first(s.condition, s.Ended)
		if s.Outcome.Down() != "" {
			first("down", s.Ended)
		}
	}
	w.evidence = func(sample) map[string]string { return evidence }
	return w
}

// conditionOf is the condition of an endpoint: answered, refused, EOF,
// reset, hang, unreachable, an HTTP status, or the kind of another outcome.
func conditionOf(answer emco.Answer) string {
	switch down := answer.Outcome.Down(); {
	case answer.Outcome.Kind == emco.Accepted || answer.Missing():
		return conditionAnswered
	case answer.Outcome.Kind == emco.Rejected:
		return strconv.Itoa(answer.Code)
	case down != "":
		return down
	default:
		return string(answer.Outcome.Kind)
	}
}
