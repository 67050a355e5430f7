package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// watch has the driver watch the services for what no fault of the run does.
func (a *attempt) watch() {
	watcher, able := a.Driver.(Watcher)
	if !able {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	watching := true
	a.unwatch = func() {
		cancel()
		// What was still seen counts.
		a.pump(func() bool { return !watching }, nil, nil)
	}
	a.work.Go(func() {
		err := watcher.Watch(ctx, func(d Disturbance) { a.mail.post(func() { a.disturbed(d) }) })
		stopped := ctx.Err() != nil
		a.mail.post(func() {
			watching = false
			if !stopped {
				// What was not watched proves nothing.
				a.trouble(fmt.Sprintf("the pods of the services are not watched any more: %v", err))
			}
		})
	})
}

// disturbed ends the attempt if it does not expect what happened.
func (a *attempt) disturbed(d Disturbance) {
	record := a.recordAt(d.At, journal.Record{Kind: journal.Disturbance, Service: d.Service, Text: d.Text})
	if !slices.Contains(a.Plan.Expected, d.Service) {
		a.decide(verdict.Read(a.Plan, a.records()).Disturbed(record))
	}
}
