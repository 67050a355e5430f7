package probes

import (
	"context"
	"fmt"
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
		w := t.watchEndpoint(service, emco.Call{}, t.Client.Do)
		for sample := range w.samples(ctx, t.Setup.pace(pace{interval: 250 * time.Millisecond, hedged: true})) {
			if sample.condition == conditionAnswered {
				return w.result(Passed, "%s is available after %s: %s", service, w.after(), sample.words)
			}
		}
		return w.unfinished(ctx, fmt.Sprintf("%s did not become available", service))
	},
}
