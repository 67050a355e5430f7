package probes

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// The conditions of an endpoint that probes wait for.
const (
	conditionAnswered = "answered"
	conditionRefused  = "refused"
)

// endpointTimeout bounds one endpoint check, dialling included; dialTimeout
// bounds the dialling of one without REST.
const (
	endpointTimeout = 2 * time.Second
	dialTimeout     = time.Second
)

// watchEndpoint checks whether a service answers: a GET that it can answer
// from its database only, or of the call's status if there is a call. Rsync
// has no REST API, so that its port is dialled.
func (t task) watchEndpoint(service emco.Service, call *emco.Call) *watch {
	var request emco.Request
	switch {
	case call != nil:
		request = call.Status(t.Names)
	case service == emco.Orchestrator:
		request = emco.Get(t.Names.Anchor("{project}"))
	case service == emco.DCM:
		request = emco.Get(t.Names.Anchor("{logicalCloud}"))
	case service == emco.CLM:
		request = emco.Get(t.Names.Anchor("{provider}"))
	}
	ask := func(ctx context.Context) sample {
		ctx, cancel := context.WithTimeout(ctx, endpointTimeout)
		defer cancel()
		if service != emco.Rsync {
			return t.send(ctx, request)
		}
		if _, _, err := t.Setup.rsync(); err != nil {
			return sample{err: err}
		}
		return sample{Answer: emco.Dial(ctx, t.Setup.Rsync, dialTimeout)}
	}
	w := &watch{observer: t, noun: "seen"}
	w.ask = func(ctx context.Context) sample {
		seen := ask(ctx)
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
