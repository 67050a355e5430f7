package probes

import (
	"cmp"
	"context"
	"fmt"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var unavailableKind = Kind{
	Activity: question("unavailable", "waits until a GET of a microservice, or of a call's status, is refused",
		activity.Argument{Name: "service", Type: activity.ServiceName, Allowed: serviceNames(),
			Description: "the microservice; it follows from the call if there is one"},
		activity.Argument{Name: "call", Type: activity.CallName, Allowed: emco.CallNames(), Description: "a call whose status is to be refused"}),
	check: checkUnavailable,
	// A reset, an EOF or a hang means down too, but only a refusal proves that nothing
	// listens. An answer can be one from before the fault.
	run: func(ctx context.Context, t task) Result {
		call, _ := t.call()
		service := cmp.Or(call.Service, emco.Service(t.text("service")))
		w := t.watchEndpoint(service, call)
		for sample := range w.samples(ctx, t.Setup.pace(pace{interval: shortInterval, hedged: true})) {
			if sample.condition == conditionRefused {
				return w.result(Passed, "%s refuses after %s: %s", service, w.after(), sample.words)
			}
		}
		return w.unseen(fmt.Sprintf("%s was not seen to refuse", service))
	},
}

func checkUnavailable(a arguments) error {
	service := emco.Service(a.text("service"))
	call, ok := a.call()
	switch {
	case !ok && service == "":
		return wrong("service", "is missing", "give a service or a call")
	case ok && service != "" && service != call.Service:
		return wrong("service", fmt.Sprintf("%s does not answer %s", service, call.Name), fmt.Sprintf("use %s or leave it out", call.Service))
	}
	return nil
}
