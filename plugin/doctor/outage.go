package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// noHold mends a hold that stops nothing.
const noHold = "the kernels of the nodes must take the rules that chaos-daemon sets with ipset and iptables in the pods' network namespaces,\n" +
	"and the network plugin must not pass them by: another interface of the pod, a proxy in front of etcd, or a connection inside one pod"

// stopped are the services that are taken down for a moment.
func (e *examination) stopped() []string {
	if e.Outage == nil {
		return nil
	}
	return slices.DeleteFunc(e.reachable(), func(name string) bool { return !e.Target.Services[name].HasPods() })
}

// checkOutage takes a service down for a moment: that alone shows what repeats
// requests and does not tell.
func checkOutage(ctx context.Context, e *examination, name string) {
	if !e.untouchable(name) {
		outcome, err := e.Outage(ctx, name)
		e.tried(ctx, name, outcome, err, "refuses requests while it is down, and answers afterwards: nothing in front of it repeats them until they are answered", noRepeats)
	}
}

// holding are the calls that a hold is tried with.
func (e *examination) holding() []string {
	if e.Hold == nil {
		return nil
	}
	return []string{"a call"}
}

// checkHold cuts a call off from its back end: that alone shows whether what is
// injected drops anything.
func checkHold(ctx context.Context, e *examination, calls string) {
	if !e.untouchable(calls) {
		outcome, err := e.Hold(ctx)
		e.tried(ctx, calls, outcome, err, "hangs while the orchestrator is cut off from etcd", noHold)
	}
}

// tried says what a run came to that was made to try something out.
func (e *examination) tried(ctx context.Context, subject string, outcome engine.Outcome, err error, passed, remedy string) {
	switch held, is := errors.AsType[*lease.HeldError](err); {
	case is:
		e.inUse(subject, held)
	case errors.Is(err, local.ErrLocked):
		e.say(Warn, subject, "wait for the run to end, and look again", "not tried, since the target is in use: %v", err)
	case errors.Is(err, run.ErrUntold):
		e.say(Skipped, subject, "", "not tried: %v", err)
	case err != nil:
		e.say(Fail, subject, "", "it could not be tried: %v", cause(ctx, err))
	case len(outcome.Left) > 0:
		e.say(Fail, subject, e.command("clean"), "it was tried, and this is left: %s", strings.Join(outcome.Left, "; "))
	case outcome.Verdict == verdict.Passed:
		e.say(OK, subject, "", "%s", passed)
	case outcome.Verdict == verdict.Inconclusive:
		e.say(Fail, subject, remedy, "%s", outcome.Reason)
	default:
		e.say(Fail, subject, "", "tried for a moment: %s: %s", outcome.Verdict, outcome.Reason)
	}
}
