package probes

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// eventConnected tells of a request that had a connection, and no answer of
// EMCO's for [hedgeDelay]: while the service is down something in front of it
// has taken the connection.
const eventConnected = string(emco.Connected)

// connectedEvery is how often that is told.
const connectedEvery = 200 * time.Millisecond

var unavailableKind = Kind{
	Activity: with(func(a *activity.Activity) {
		a.Events = []string{eventStarted, eventConnected, eventPassed, eventFailed}
	}, question("unavailable", "waits until a GET of a microservice, or of a call's status, is refused",
		activity.Argument{Name: "service", Type: activity.ServiceName, Allowed: serviceNames(),
			Description: "the microservice; it follows from the call if there is one"},
		activity.Argument{Name: "call", Type: activity.CallName, Allowed: emco.CallNames(), Description: "a call whose status is to be refused"})),
	check: checkUnavailable,
	// A reset, an EOF or a hang means down too, but only a refusal proves that nothing
	// listens. An answer can be one from before the fault.
	run: func(ctx context.Context, t task) Result {
		service := cmp.Or(t.call.Service, emco.Service(t.text("service")))
		w := t.watchEndpoint(service, t.telling())
		for sample := range w.samples(ctx, pace{interval: shortInterval, hedged: true}) {
			if sample.condition == conditionRefused {
				return w.result(Passed, "%s refuses after %s: %s", service, w.after(), sample.words)
			}
		}
		return w.unseen(fmt.Sprintf("%s was not seen to refuse", service))
	},
}

// telling returns what asks EMCO and tells of connections that something took
// without an answer of EMCO's: not of all, since others follow soon.
func (t task) telling() asks {
	var mu sync.Mutex
	var last time.Time
	tell := func(at time.Time) {
		mu.Lock()
		defer mu.Unlock()
		if at.Sub(last) > connectedEvery {
			last = at
			t.Event(eventConnected, at, nil)
		}
	}
	return func(ctx context.Context, request emco.Request) (emco.Answer, error) {
		var connected time.Time
		var waiting *time.Timer
		told := make(chan struct{})
		answer, err := t.Client.Watch(ctx, request, func(m emco.Moment) {
			if m.Name == emco.Connected {
				connected = m.At
				waiting = time.AfterFunc(hedgeDelay, func() { tell(connected); close(told) })
			}
		})
		switch {
		case waiting == nil:
		case !waiting.Stop():
			<-told
		case slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, answer.Code):
			tell(connected)
		}
		return answer, err
	}
}

func checkUnavailable(p Probe) error {
	service := emco.Service(p.text("service"))
	call, ok := emco.CallNamed(p.text("call"))
	switch {
	case !ok && service == "":
		return wrong("service", "is missing", "give a service or a call")
	case ok && service != "" && service != call.Service:
		return wrong("service", fmt.Sprintf("%s does not answer %s", service, call.Name), fmt.Sprintf("use %s or leave it out", call.Service))
	}
	return nil
}
