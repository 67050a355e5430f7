package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// lookAtLeftovers looks for faults and leases that no living run answers for.
func lookAtLeftovers(ctx context.Context, e *examination) {
	left := 0
	for _, namespace := range e.namespaces() {
		state, err := lease.Read(ctx, e.Client, namespace)
		if err != nil {
			e.fail("namespace "+namespace, "kubectl -n "+namespace+" get lease "+lease.Name, "%v", cause(ctx, err))
			return
		}
		alive := state.Held() && time.Now().Before(state.Until())
		switch {
		case alive:
			e.ok("namespace "+namespace, "%s is at work on the target", state)
		case state.Held():
			left++
			e.dead = state.String()
			e.warn("namespace "+namespace, e.command("clean"), "%s held the target until %s and died", state, state.Until().UTC().Format(time.DateTime))
		}
		for _, kind := range fault.Kinds() {
			list := kind.NewList()
			if err := e.Client.List(ctx, list, client.InNamespace(namespace), client.HasLabels{fault.RunLabel}); err != nil {
				e.fail("namespace "+namespace, "kubectl -n "+namespace+" get "+kind.Resource(), "its faults cannot be listed: %v", cause(ctx, err))
				return
			}
			for _, object := range fault.Objects(list) {
				run := object.GetLabels()[fault.RunLabel]
				if alive && (state.Run == "" || run == state.Run) {
					continue
				}
				left++
				message := fmt.Sprintf("%s is a fault that run %s left", object.GetName(), run)
				if object.GetDeletionTimestamp() != nil {
					message += "; it was deleted, and hangs on its finalizer"
				}
				e.warn("namespace "+namespace, e.command("clean"), "%s", message)
			}
		}
	}
	if left == 0 {
		e.ok("", "no fault and no lease of a dead run is there")
	}
}
