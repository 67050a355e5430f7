package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

// nobodysAddress is in TEST-NET-1, which RFC 5737 keeps for documentation: to
// be cut off from it hurts nobody.
const nobodysAddress = "192.0.2.1"

// trialDuration ends a fault that is tried out when we die meanwhile.
const trialDuration = 60 * time.Second

// tryFaults puts a network fault that hurts nobody on one pod of each node of
// the target, sees it injected, and removes it.
func tryFaults(ctx context.Context, e *examination) {
	if e.Open == nil {
		e.found(Finding{State: Skipped, Message: "not tried, as was asked for"})
		return
	}
	if e.dead != "" {
		// To take the target over would hide from others that it is to be
		// cleaned.
		e.warn("", e.command("clean"), "not tried, since %s died and what it left is still to be removed", e.dead)
		return
	}
	driver, err := e.Open(ctx)
	if held, ok := errors.AsType[*lease.HeldError](err); ok {
		e.warn("", "wait for the run to end, and look again", "not tried, since the target is in use: %s holds it", held.State)
		return
	}
	if err != nil {
		e.fail("", "", "the driver does not start: %v", cause(ctx, err))
		return
	}
	defer func() {
		if err := driver.Close(); err != nil {
			e.warn("", e.command("clean"), "the target is not given back: %v", err)
		}
	}()
	for i, pod := range e.onePerNode() {
		// Where a partition cannot be injected a delay tells nothing more.
		for _, action := range []v1alpha1.NetworkChaosAction{v1alpha1.PartitionAction, v1alpha1.DelayAction} {
			if ctx.Err() != nil || !e.try(ctx, driver, pod, action, i+1) {
				break
			}
		}
	}
}

// onePerNode is the first ready pod on each node.
func (e *examination) onePerNode() []Pod {
	var ones []Pod
	for _, node := range e.nodes() {
		for _, name := range e.services() {
			if pod, found := readyOn(e.pods[name], node); found {
				ones = append(ones, pod)
				break
			}
		}
	}
	return ones
}

func readyOn(pods []Pod, node string) (Pod, bool) {
	for _, pod := range pods {
		if pod.Node == node && pod.Ready {
			return pod, true
		}
	}
	return Pod{}, false
}

// try tries one fault out on one pod, and says whether it could be injected and
// removed.
func (e *examination) try(ctx context.Context, driver engine.Driver, pod Pod, action v1alpha1.NetworkChaosAction, number int) bool {
	object := trial(pod, action)
	fault.Stamp(object, e.Run, number, "doctor", string(action))
	subject := fmt.Sprintf("%s on node %s", action, pod.Node)
	if action == v1alpha1.DelayAction && e.stuck[pod.Namespace] {
		e.warn(subject, "grant the right that the check rights names", "not tried: a delay that cannot be injected stays on its pod, and we may not take it off")
		return false
	}
	began := time.Now()
	err := e.inject(ctx, driver, object)
	took := time.Since(began)
	removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.InjectLimit)
	defer cancel()
	if err := driver.Remove(removing, object); err != nil {
		e.fail(subject, e.command("clean"), "the fault that was tried out is not gone: %v", err)
		return false
	}
	switch {
	case ctx.Err() != nil: // It was interrupted, which says nothing of the target.
	case err == nil:
		e.ok(subject, "can be injected, in %s", took.Round(10*time.Millisecond))
	case action == v1alpha1.DelayAction:
		e.warn(subject, "experiments that come with emco-chaos do not need it; for your own, let the nodes' kernel have netem: modprobe sch_netem",
			"cannot be injected, for want of netem in the node's kernel most likely: %v", err)
	default:
		e.fail(subject, fmt.Sprintf("kubectl -n %s logs --selector %s=%s --tail=50\nchaosDaemon.runtime and chaosDaemon.socketPath of Chaos Mesh's chart must be those of the nodes\npartition needs ipset and iptables there", e.ChaosMesh, componentLabel, chaosDaemon),
			"cannot be injected: %v", err)
	}
	return err == nil
}

// inject returns when the fault is injected, or cannot be.
func (e *examination) inject(ctx context.Context, driver engine.Driver, object fault.Object) error {
	ctx, cancel := context.WithTimeoutCause(ctx, e.InjectLimit, fmt.Errorf("it was not injected within %s", e.InjectLimit))
	defer cancel()
	seen := make(chan error, 1)
	say := func(err error) {
		select {
		case seen <- err:
		default: // The first word counts.
		}
	}
	err := driver.Apply(ctx, object, func(moment engine.Moment) {
		switch {
		case moment.Err != nil:
			say(moment.Err)
		case moment.Event == plan.Injected:
			say(nil)
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

// trial is a network fault on one pod that hurts nobody.
func trial(pod Pod, action v1alpha1.NetworkChaosAction) fault.Object {
	object := &v1alpha1.NetworkChaos{}
	object.APIVersion, object.Kind = fault.GroupVersion, fault.NetworkChaos
	object.Namespace = pod.Namespace
	object.Spec.Action = action
	object.Spec.PodSelector = v1alpha1.PodSelector{
		Mode:     v1alpha1.AllMode,
		Selector: v1alpha1.PodSelectorSpec{Pods: map[string][]string{pod.Namespace: {pod.Name}}},
	}
	object.Spec.Direction = v1alpha1.To
	object.Spec.ExternalTargets = []string{nobodysAddress}
	duration := trialDuration.String()
	object.Spec.Duration = &duration
	if action == v1alpha1.DelayAction {
		object.Spec.Delay = &v1alpha1.DelaySpec{Latency: "1ms"}
	}
	return object
}
