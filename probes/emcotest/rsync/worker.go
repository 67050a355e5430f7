package rsync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/appcontext"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/edge"
)

// worker works off the events of one AppContext, one after the other.
type worker struct {
	server    *Server
	contextID string

	mu          sync.Mutex
	busy        bool
	terminating bool // a termination waits: everything before it is skipped
	stopped     bool // what is under way is given up
	interrupt   context.CancelFunc
}

// change is what an event does to an AppContext's state.
type change struct {
	from            []appcontext.State
	during          appcontext.State
	success, errors appcontext.State
}

// changes are EMCO's: an event that meets another state is skipped, and its error state is written, but not that of
// an update. So a second termination of a Terminated AppContext ends in TerminateFailed, and one that is rolled back to
// stays Terminated.
var changes = map[appcontext.Kind]change{
	appcontext.Instantiate: {
		from: []appcontext.State{
			appcontext.Created, appcontext.Instantiated, appcontext.InstantiateFailed, appcontext.Instantiating,
		},
		during: appcontext.Instantiating, success: appcontext.Instantiated, errors: appcontext.InstantiateFailed,
	},
	appcontext.Terminate: {
		from: []appcontext.State{
			appcontext.InstantiateFailed, appcontext.Instantiating, appcontext.Instantiated,
			appcontext.TerminateFailed, appcontext.Terminating,
			appcontext.Updated, appcontext.UpdateFailed, appcontext.Updating,
		},
		during: appcontext.Terminating, success: appcontext.Terminated, errors: appcontext.TerminateFailed,
	},
	appcontext.Update: {
		from:   []appcontext.State{appcontext.Created, appcontext.Updated, appcontext.Instantiating},
		during: appcontext.Instantiating, success: appcontext.Instantiated, errors: appcontext.InstantiateFailed,
	},
	appcontext.UpdateDelete: {
		from:   []appcontext.State{appcontext.Instantiated, appcontext.Updating},
		during: appcontext.Updating, success: appcontext.Updated, errors: appcontext.UpdateFailed,
	},
}

// run works until the queue is empty, the AppContext is withdrawn, or the server stops.
func (w *worker) run(work appcontext.Work) {
	ctx, cancel := context.WithCancel(w.server.ctx)
	defer cancel()
	withdrawn := work.Withdrawn(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		<-withdrawn
		cancel()
	})
	watching.Go(func() { work.Stop(ctx, w.stop) })
	for w.next(ctx, work) {
	}
}

// stop gives up what is under way, or lets what follows go on.
func (w *worker) stop(stop bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped = stop; stop {
		w.interrupt()
	}
}

// next works off one event. It returns false when there is nothing more to do; the worker then rests.
func (w *worker) next(ctx context.Context, work appcontext.Work) bool {
	place, event, current, found, err := w.pending(ctx, work)
	if err != nil || !found {
		return false
	}
	step := changes[event.Kind]
	w.mu.Lock()
	overtaken := w.terminating && event.Kind != appcontext.Terminate
	w.mu.Unlock()
	pause(ctx, w.server.config.Times.PickUp)
	if fits := slices.Contains(step.from, current); overtaken || !fits {
		if !fits && event.Other != "" {
			step.errors = current
		}
		return w.finish(ctx, work, place, appcontext.EventSkipped, step.errors)
	}
	err = persist(ctx, func() error { return work.Start(ctx, step.success, step.during) })
	if err != nil {
		w.rest()
		return false
	}
	switch err := w.do(ctx, work, event); {
	case ctx.Err() != nil || errors.Is(err, appcontext.ErrWithdrawn) || errors.Is(err, appcontext.ErrMissing):
		w.rest()
		return false
	case err != nil:
		return w.finish(ctx, work, place, appcontext.EventError, step.errors)
	default:
		return w.finish(ctx, work, place, appcontext.EventDone, step.success)
	}
}

// pending finds the next event. When there is none it ends the work, before an event that arrives can be missed.
func (w *worker) pending(ctx context.Context, work appcontext.Work) (int, appcontext.Event, appcontext.State, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var (
		place   int
		event   appcontext.Event
		current appcontext.State
		found   bool
	)
	err := persist(ctx, func() (err error) {
		place, event, current, found, err = work.Next(ctx)
		return err
	})
	if err == nil && !found {
		err = persist(ctx, func() error { return work.Release(ctx) })
	}
	if err != nil || !found {
		w.busy, w.terminating = false, false
	}
	return place, event, current, found, err
}

// finish writes the queue anew, into which nothing must be put meanwhile.
func (w *worker) finish(ctx context.Context, work appcontext.Work, place int, outcome string, state appcontext.State) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := persist(ctx, func() error { return work.Finish(ctx, place, outcome, state) }); err != nil {
		w.busy, w.terminating = false, false
		return false
	}
	return true
}

func (w *worker) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy, w.terminating = false, false
}

// do applies or deletes what the AppContext holds, all apps side by side. A termination that arrives interrupts it.
func (w *worker) do(ctx context.Context, work appcontext.Work, event appcontext.Event) error {
	kind := event.Kind
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.mu.Lock()
	w.interrupt = cancel
	interrupted := w.stopped || w.terminating && kind != appcontext.Terminate
	w.terminating = w.terminating && kind != appcontext.Terminate
	w.mu.Unlock()
	if interrupted {
		cancel()
	}
	if kind == appcontext.Terminate && w.server.config.Bugs[bug.NeverTerminates] {
		<-ctx.Done()
		return ctx.Err()
	}
	if kind == appcontext.Update {
		if err := w.server.take(event.Other, appcontext.Event{Kind: appcontext.UpdateDelete, Other: w.contextID}); err != nil {
			return err
		}
	}
	var wanted, other appcontext.Context
	err := persist(ctx, func() (err error) {
		wanted, err = w.server.contexts.Load(ctx, w.contextID)
		if err == nil && event.Other != "" {
			other, err = w.server.contexts.Load(ctx, event.Other)
		}
		return err
	})
	if err != nil {
		return err
	}
	if kind == appcontext.Instantiate && wanted.Meta.DeploymentIntentGroup != "" && w.server.config.Bugs[bug.NeverDeploys] {
		<-ctx.Done()
		return ctx.Err()
	}
	before := manifests(other)
	pause(ctx, w.server.config.Times.Settle)
	var apps sync.WaitGroup
	failed := make(chan error, len(wanted.Apps))
	for _, app := range wanted.Apps {
		apps.Go(func() {
			for _, cluster := range app.Clusters {
				if err := w.synchronize(ctx, work, wanted, app.Name, cluster, kind, before); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	apps.Wait()
	close(failed)
	all := ctx.Err()
	for err := range failed {
		all = errors.Join(all, err)
	}
	return all
}

// manifests are those of an AppContext, by app, cluster and name.
func manifests(of appcontext.Context) map[string]string {
	all := map[string]string{}
	for _, app := range of.Apps {
		for _, cluster := range app.Clusters {
			for _, resource := range cluster.Resources {
				all[app.Name+"/"+cluster.Name+"/"+resource.Name] = resource.Manifest
			}
		}
	}
	return all
}

// synchronize applies or deletes the resources of one app on one cluster, however long the cluster is away.
func (w *worker) synchronize(ctx context.Context, work appcontext.Work, wanted appcontext.Context, app string, cluster appcontext.Cluster, kind appcontext.Kind, before map[string]string) error {
	resources := slices.SortedFunc(slices.Values(cluster.Resources), func(a, b appcontext.Resource) int { return cmp.Compare(a.Order, b.Order) })
	if kind == appcontext.Terminate {
		slices.Reverse(resources)
	}
	var changed []appcontext.Resource
	for _, resource := range resources {
		manifest, both := before[app+"/"+cluster.Name+"/"+resource.Name]
		switch {
		case !both || kind == appcontext.Update && manifest != resource.Manifest:
			changed = append(changed, resource)
		case kind == appcontext.Update:
			if err := persist(ctx, func() error { return work.SetResource(ctx, app, cluster.Name, resource.Name, appcontext.Applied) }); err != nil {
				return err
			}
		}
	}
	resources = changed
	connectivity := ""
	connected := func(now string) error {
		if now == connectivity {
			return nil
		}
		connectivity = now
		return persist(ctx, func() error { return work.SetConnectivity(ctx, app, cluster.Name, now) })
	}
	for len(resources) > 0 {
		err := w.server.edge.Reach(ctx)
		if err == nil {
			err = connected(appcontext.Available)
		}
		for err == nil && len(resources) > 0 {
			if err = w.one(ctx, work, wanted, app, cluster.Name, resources[0], kind); err == nil {
				resources = resources[1:]
			}
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, appcontext.ErrWithdrawn), errors.Is(err, edge.ErrRefused):
			return err
		default:
			if err := connected(appcontext.Retrying); err != nil {
				return err
			}
			pause(ctx, w.server.config.Times.Retry)
		}
	}
	return nil
}

// one applies or deletes one resource, and writes what became of it.
func (w *worker) one(ctx context.Context, work appcontext.Work, wanted appcontext.Context, app, cluster string, resource appcontext.Resource, kind appcontext.Kind) error {
	state := appcontext.Applied
	var err error
	if kind == appcontext.Instantiate || kind == appcontext.Update {
		err = w.server.edge.Apply(ctx, wanted.Meta.Namespace, resource.Manifest, "emco/deployment-id", w.contextID+"-"+app)
	} else {
		state = appcontext.Deleted
		err = w.server.edge.Delete(ctx, wanted.Meta.Namespace, resource.Manifest)
	}
	if errors.Is(err, edge.ErrRefused) {
		state = appcontext.Failed
	} else if err != nil {
		return err
	}
	pause(ctx, w.server.config.Times.ApplyTime)
	return errors.Join(err, persist(ctx, func() error { return work.SetResource(ctx, app, cluster, resource.Name, state) }))
}
