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
	seen := newSights(p.service, observer)
	door := on.door(p.service, nil)
	for glimpse := range volley(ctx, p.interval, on.glimpse(door)) {
		if glimpse.err != nil {
			return errored(glimpse.err)
		}
		if glimpse.look == lookAnswered {
			seen.add(glimpse.sight)
			return Result{
				Conclusion: Passed,
				Message:    fmt.Sprintf("%s is available after %s: %s", p.service, shown(glimpse.at.Sub(seen.began)), glimpse.words),
				Evidence:   seen.evidence(),
			}
		}
		if !over(ctx) {
			seen.add(glimpse.sight)
		}
	}
	result := unfinished(ctx, time.Since(seen.began), fmt.Sprintf("%s did not become available (%s)", p.service, seen.lastWords()))
	result.Evidence = seen.evidence()
	return result
}
