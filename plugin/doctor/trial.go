package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// unusedAddress is in TEST-NET-1, which RFC 5737 keeps for documentation: to be
// cut off from it does no harm.
const unusedAddress = "192.0.2.1"

// trialDuration ends a fault that is tried out when we die meanwhile.
const trialDuration = "60s"

// checkInjection puts a network fault that does no harm on one pod of each node of
// the target, sees it injected, and removes it.
func checkInjection(ctx context.Context, e *examination, _ string) {
	if e.Open == nil {
		e.say(Skipped, "", "", "not tried, as was asked for")
		return
	}
	if e.untouchable("") {
		return
	}
	driver, err := e.Open(ctx)
	switch {
	case e.inUse("", err):
		return
	case err != nil:
		e.say(Fail, "", "", "the driver does not start: %v", cause(ctx, err))
		return
	}
	defer func() {
		if err := driver.Close(); err != nil {
			e.say(Warn, "", e.clean(), "the target is not given back: %v", err)
		}
	}()
	perNode := map[string]Pod{} // the first that is ready
	for _, name := range e.selecting() {
		for _, pod := range e.pods[name] {
			if _, found := perNode[pod.Node]; pod.Ready && pod.Node != "" && !found {
				perNode[pod.Node] = pod
			}
		}
	}
	for i, node := range slices.Sorted(maps.Keys(perNode)) {
		for _, trial := range trials {
			if ctx.Err() != nil || !e.try(ctx, driver, perNode[node], trial, i+1) {
				break
			}
		}
	}
}

// untouchable says that no fault is put on a target that a dead run left faults on:
// to take the target over would hide that it is to be cleaned.
func (e *examination) untouchable(subject string) bool {
	if e.expired != "" {
		e.say(Warn, subject, e.clean(), "not tried, since %s died and what it left is still to be removed", e.expired)
	}
	return e.expired != ""
}

// inUse says that another run has the target, if it is that which the error says.
func (e *examination) inUse(subject string, err error) bool {
	if held, is := errors.AsType[*lease.HeldError](err); is {
		err = fmt.Errorf("%s holds it", held.State)
	} else if !errors.Is(err, local.ErrLocked) {
		return false
	}
	e.say(Warn, subject, "wait for the run to end, and look again", "not tried, since the target is in use: %v", err)
	return true
}

// trial is a network fault that is tried out, and what it means if that cannot be injected.
type trial struct {
	action          v1alpha1.NetworkChaosAction
	delay           *v1alpha1.DelaySpec
	state           State
	message, remedy string
	kept            string // the resource in which it stays when it cannot be injected, if it does
}

// trials are in their order: where one cannot be injected the next tells nothing more.
var trials = []trial{
	{
		action: v1alpha1.PartitionAction, state: Fail, message: "cannot be injected",
		remedy: "kubectl -n %s logs --selector " + componentLabel + "=" + chaosDaemon + " --tail=50\n" +
			"chaosDaemon.runtime and chaosDaemon.socketPath of Chaos Mesh's chart must be those of the nodes\n" +
			"partition needs ipset and iptables there",
	},
	{
		action: v1alpha1.DelayAction, delay: &v1alpha1.DelaySpec{Latency: "1ms"}, kept: "podnetworkchaos",
		state: Warn, message: "cannot be injected, for want of netem in the node's kernel most likely",
		remedy: "experiments that come with emco-chaos do not need it; for your own, let the nodes' kernel have netem: modprobe sch_netem",
	},
}

// object is the fault on one pod.
func (t trial) object(pod Pod) fault.Object {
	object := fault.New(fault.NetworkChaos).(*v1alpha1.NetworkChaos)
	object.Namespace = pod.Namespace
	object.Spec = v1alpha1.NetworkChaosSpec{
		Action: t.action, TcParameter: v1alpha1.TcParameter{Delay: t.delay}, Duration: new(trialDuration),
		Direction: v1alpha1.To, ExternalTargets: []string{unusedAddress},
		PodSelector: v1alpha1.PodSelector{
			Mode:     v1alpha1.AllMode,
			Selector: v1alpha1.PodSelectorSpec{Pods: map[string][]string{pod.Namespace: {pod.Name}}},
		},
	}
	return object
}

// try tries one fault out on one pod, and reports whether it was injected and removed.
func (e *examination) try(ctx context.Context, driver engine.Driver, pod Pod, trial trial, number int) bool {
	object := trial.object(pod)
	fault.Stamp(object, e.Run, number, "doctor", string(trial.action))
	subject := fmt.Sprintf("%s on node %s", trial.action, pod.Node)
	if trial.kept != "" && e.denied[pod.Namespace+"/"+trial.kept] {
		e.say(Warn, subject, "grant the right that the check rights names",
			"not tried: a %s that cannot be injected stays on its pod, and we may not take it off", trial.action)
		return false
	}
	began := time.Now()
	err := e.inject(ctx, driver, object)
	took := time.Since(began).Round(10 * time.Millisecond)
	removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), injectLimit)
	defer cancel()
	gone := driver.Remove(removing, object)
	switch {
	case gone != nil:
		e.say(Fail, subject, e.clean(), "the fault that was tried out is not gone: %v", gone)
	case ctx.Err() != nil: // It was interrupted, which says nothing of the target.
	case err == nil:
		e.say(OK, subject, "", "can be injected, in %s", took)
	default:
		e.say(trial.state, subject, strings.ReplaceAll(trial.remedy, "%s", e.ChaosMesh), "%s: %v", trial.message, err)
	}
	return err == nil && gone == nil
}

// inject returns when the fault is injected, or cannot be.
func (e *examination) inject(ctx context.Context, driver engine.Driver, object fault.Object) error {
	ctx, cancel := context.WithTimeoutCause(ctx, injectLimit, fmt.Errorf("it was not injected within %s", injectLimit))
	defer cancel()
	seen := make(chan error, 1)
	err := driver.Apply(ctx, object, func(moment engine.Moment) {
		if moment.Err != nil || moment.Event == plan.Injected {
			select {
			case seen <- moment.Err:
			default: // The first of them counts.
			}
		}
	})
	if err != nil {
		return cause(ctx, err)
	}
	select {
	case err := <-seen:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

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
	switch {
	case e.inUse(subject, err):
	case errors.Is(err, run.ErrUntold):
		e.say(Skipped, subject, "", "not tried: %v", err)
	case err != nil:
		e.say(Fail, subject, "", "it could not be tried: %v", cause(ctx, err))
	case len(outcome.Left) > 0:
		e.say(Fail, subject, e.clean(), "it was tried, and this is left: %s", strings.Join(outcome.Left, "; "))
	case outcome.Verdict == verdict.Passed:
		e.say(OK, subject, "", "%s", passed)
	case outcome.Verdict == verdict.Inconclusive:
		e.say(Fail, subject, remedy, "%s", outcome.Reason)
	default:
		e.say(Fail, subject, "", "tried for a moment: %s: %s", outcome.Verdict, outcome.Reason)
	}
}
