package probes

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var statusKind = Kind{
	Activity: question("status", "tells the state of what a call works on",
		callArgument("the call whose status is read"),
		activity.Argument{Name: "state", Type: activity.Text, Description: "the state that it must be in, such as Instantiating; any if left out"}),
	run: func(ctx context.Context, t task) Result {
		wanted := emco.State(t.text("state")) // empty: any
		w := t.watchStatus(t.call)
		for sample := range w.samples(ctx, pace{}) {
			reading := sample.reading
			fits := wanted == "" || wanted == cmp.Or(reading.Status.Deployed, reading.Status.LastAction(), emco.State(reading.Text))
			switch {
			case reading.Progress == emco.Unknown:
			case fits && (wanted == "" || !reading.Status.Final() || w.held() >= w.hold):
				return w.result(Passed, "status says %s", reading.Text)
			case !fits && w.held() >= w.hold: // the status lags
				return w.result(Failed, "status says %s, not %s", reading.Text, wanted)
			}
		}
		return w.unfinished(ctx, "no status gave a state")
	},
}

var notFinalKind = Kind{
	Activity: question("notFinal", "waits for a status that shows a call's work under way, before it is done",
		callArgument("the call that was accepted")),
	// The status lags: one from before the call, or of a request that EMCO has not accepted, proves nothing.
	run: func(ctx context.Context, t task) Result {
		w := t.watchStatus(t.call)
		for sample := range w.samples(ctx, pace{interval: shortInterval}) {
			switch reading := sample.reading; {
			case reading.Ours && reading.Progress == emco.UnderWay && t.call.UnderWay != "" && reading.Status.Deployed == t.call.UnderWay:
				return w.result(Passed, "status says %s after %s", describe(reading), w.after())
			case ended(reading):
				return w.result(Inconclusive, "status was final before it was seen under way: %s", describe(reading))
			}
		}
		return w.unseen(t.call.Name + " was not seen under way")
	},
}

var reachedKind = Kind{
	Activity: with(func(a *activity.Activity) { following(a); a.Measures = activity.Converged },
		question("reached", "waits until the state that a call must end in is reached, and stays", callArgument("the call"))),
	run: func(ctx context.Context, t task) Result {
		w := t.watchStatus(t.call)
		for sample := range w.samples(ctx, pace{longest: longestInterval}) {
			if wedged := w.stuck(ctx, 3*t.wedgeTime()); wedged != nil {
				return wedged.result(w.evidence(w.last))
			}
			switch progress := sample.reading.Progress; {
			case t.Recheck && progress != emco.Unknown && progress != emco.Done:
				return w.result(Failed, "no longer %s: status says %s", t.call.End, describe(sample.reading))
			case !ended(sample.reading) || !t.Recheck && w.held() < w.hold:
			case progress == emco.Done:
				result := w.result(Passed, "%s after %s", t.call.End, rounded(w.same.Sub(w.began)))
				result.Evidence["held"] = rounded(w.held())
				return result
			default:
				return w.result(Failed, "status says %s, not %s", describe(sample.reading), t.call.End)
			}
		}
		return w.unfinished(ctx, fmt.Sprintf("%s was not reached", t.call.End))
	},
}

var noStateKind = Kind{
	Activity: question("noState", "waits for a status of a call that gives no state, and sees none that says the call took effect",
		callArgument("the call whose answer was lost")),
	// A state from before the call can still be on its way. One that the call led to
	// must not be seen: an error was read as a state, or the microservice was up.
	run: func(ctx context.Context, t task) Result {
		w := t.watchStatus(t.call)
		w.ask = func(ctx context.Context) sample {
			ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Setup.patience, noStateTimeout))
			defer cancel()
			return t.read(ctx, t.call)
		}
		for sample := range w.samples(ctx, pace{interval: shortInterval, hedged: true}) {
			switch reading := sample.reading; {
			case reading.Progress == emco.Unknown:
				return w.result(Passed, "status gives %s after %s", reading.Text, w.after())
			case reading.Ours, reading.Progress == emco.Done:
				return w.result(Inconclusive, "status says %s: %s took effect, or was not cut off", describe(reading), t.call.Name)
			}
		}
		return w.unseen("every status gave a state")
	},
}

// noStateTimeout bounds one GET: one that hangs gives no state either. A service
// can be down for less than half a second, and many a GET hangs then: a Service of
// Kubernetes without endpoints refuses by ICMP, of which Linux sends six at once
// and then one a second (net.ipv4.icmp_ratelimit).
const noStateTimeout = 200 * time.Millisecond
