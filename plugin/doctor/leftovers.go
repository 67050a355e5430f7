package doctor

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

// checkResources asks for what dead runs left in the system under test.
func checkResources(ctx context.Context, e *examination, _ string) {
	if e.Remains == nil {
		e.say(Skipped, "", "", "not looked at, since the plugin cannot tell")
		return
	}
	finding, err := e.Remains(ctx)
	if err != nil {
		finding = Finding{State: Warn, Message: fmt.Sprintf("what dead runs left cannot be told: %v", cause(ctx, err))}
	}
	if finding.State != OK {
		finding.Remedy = e.clean()
	}
	e.found(finding)
}

// checkLeftovers looks for faults and a lease that no living run answers for.
func checkLeftovers(ctx context.Context, e *examination, namespace string) {
	subject := "namespace " + namespace
	state, err := lease.Read(ctx, e.Client, namespace)
	if err != nil {
		e.say(Fail, subject, kubectl(namespace, "get lease "+lease.Name), "%v", cause(ctx, err))
		return
	}
	alive := state.Held() && time.Now().Before(state.Until())
	switch {
	case alive:
		e.say(OK, subject, "", "%s is at work on the target", state)
	case state.Held():
		e.expired = state.String()
		e.say(Warn, subject, e.clean(), "%s held the target until %s and died", state, state.Until().UTC().Format(time.DateTime))
	}
	for _, kind := range fault.Kinds() {
		list := kind.NewList()
		if kind.Optional && (e.denied["/"+kind.Resource()] || e.denied[namespace+"/"+kind.Resource()]) {
			continue // without the right to list them none was put on
		}
		if !e.list(ctx, list, kind.Resource(), namespace, client.HasLabels{fault.RunLabel}) {
			return
		}
		for _, object := range fault.Objects(list) {
			run := object.GetLabels()[fault.RunLabel]
			if alive && (state.Run == "" || run == state.Run) {
				continue
			}
			hangs := ""
			if object.GetDeletionTimestamp() != nil {
				hangs = "; it was deleted, and hangs on its finalizer"
			}
			e.say(Warn, subject, e.clean(), "%s is a fault that run %s left%s", object.GetName(), run, hangs)
		}
	}
	residuals, err := chaosmesh.Residuals(ctx, e.Client, e.namespaces())
	if err != nil {
		e.say(Fail, subject, kubectl(namespace, "get podnetworkchaos"), "%v", cause(ctx, err))
		return
	}
	for _, residual := range residuals {
		if residual.Pod.Namespace == namespace {
			e.say(Fail, "pod "+residual.Pod.String(), residual.Remedy(), "%s; a new pod is free of it", residual.Text)
		}
	}
}
