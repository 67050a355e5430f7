package probes

import (
	"context"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// available waits until a microservice answers a GET out of its database.
type available struct {
	service  emco.Service
	interval time.Duration
}

var availableKind = Kind{
	Activity: question("available", "waits until a real GET of a microservice succeeds",
		activity.Argument{Name: "service", Type: activity.ServiceName, Required: true, Allowed: serviceNames(), Description: "the microservice"}),
	make: func(a arguments) (Probe, error) {
		return available{service: emco.Service(a.text("service")), interval: 250 * time.Millisecond}, nil
	},
}

// Run passes when the GET succeeds, or finds EMCO's own word that there is no
// such resource: both come out of the database.
func (p available) Run(ctx context.Context, on Subject, observer Observer) Result {
	w := on.watchEndpoint(p.service, nil, observer)
	for sample := range w.samples(ctx, pace{interval: p.interval, hedged: true}) {
		if sample.look == lookAnswered {
			return w.result(Passed, "%s is available after %s: %s", p.service, w.after(), sample.words)
		}
	}
	return w.unfinished(ctx, fmt.Sprintf("%s did not become available", p.service))
}
