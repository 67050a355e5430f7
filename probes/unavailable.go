package probes

import (
	"context"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// unavailable waits until a microservice refuses a connection.
type unavailable struct {
	service  emco.Service
	call     *emco.Call
	interval time.Duration
}

var unavailableKind = Kind{
	Activity: question("unavailable", "waits until a GET of a microservice, or of a call's status, is refused",
		activity.Argument{Name: "service", Type: activity.ServiceName, Allowed: serviceNames(),
			Description: "the microservice; it follows from the call if there is one"},
		activity.Argument{Name: "call", Type: activity.CallName, Allowed: emco.CallNames(), Description: "a call whose status is to be refused"}),
	make: func(a arguments) (Probe, error) {
		p := unavailable{service: emco.Service(a.text("service")), interval: 20 * time.Millisecond}
		if a.has("call") {
			call, err := a.call("call")
			if err != nil {
				return nil, err
			}
			if a.has("service") && p.service != call.Service {
				return nil, a.wrong("service", fmt.Sprintf("%s does not answer %s", p.service, call.Name),
					fmt.Sprintf("use %s or leave it out", call.Service))
			}
			p.service, p.call = call.Service, &call
		}
		if p.service == "" {
			return nil, a.wrong("service", "is missing", "give a service or a call")
		}
		return p, nil
	},
}

// Run passes when the GET is refused, and for nothing else: a reset, an EOF,
// a hang are down too, but only the refusal says that nothing listens. An
// answer can be one from before.
func (p unavailable) Run(ctx context.Context, on Subject, observer Observer) Result {
	w := on.watchEndpoint(p.service, p.call, observer)
	for sample := range w.samples(ctx, pace{interval: p.interval, hedged: true}) {
		if sample.look == lookRefused {
			return w.result(Passed, "%s refuses after %s: %s", p.service, w.after(), sample.words)
		}
	}
	return w.unseen(fmt.Sprintf("%s was not seen to refuse", p.service))
}
