package chaosmesh

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// askLimit is how long the API server may take to say what has become of an
// object that is about to be judged.
const askLimit = 3 * time.Second

// finding is what the API server says of an object that is waited for.
type finding struct {
	// there says that the object is, and err why nobody knows.
	there bool
	err   error
	// said is Chaos Mesh's own warning that the object has selected nothing.
	said string
}

// judge has do judge by what the API server says now. The watches may be behind
// it. It is called with the lock held, and do is, too, if the injection is still
// waited for then.
func (a *applied) judge(do func(now time.Time, found finding)) {
	driver := a.driver
	driver.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), askLimit)
		defer cancel()
		driver.work.Go(func() {
			select {
			case <-driver.closed:
				cancel()
			case <-ctx.Done():
			}
		})
		object, found := a.find(ctx)
		driver.mu.Lock()
		defer driver.mu.Unlock()
		now := time.Now()
		if found.there && !a.gone {
			a.told(object, false, now)
		}
		if a.waiting() {
			do(now, found)
		}
	})
}

// find asks the API server for the object.
func (a *applied) find(ctx context.Context) (fault.Object, finding) {
	object := a.identity.empty()
	err := a.driver.client.Get(ctx, types.NamespacedName{Namespace: a.namespace, Name: a.name}, object)
	switch {
	case apierrors.IsNotFound(err) && !isNoResource(err), err == nil && object.GetUID() != a.uid:
		return nil, finding{}
	case err != nil:
		return nil, finding{err: explain(err, "get", resource(a.kind), a.namespace)}
	}
	found := finding{there: true}
	if selectedNothing(status(object)) {
		found.said = a.driver.warning(ctx, object)
	}
	return object, found
}

// unanswered: Chaos Mesh has said nothing for too long.
func (a *applied) unanswered(time.Time) {
	a.judge(func(now time.Time, found finding) {
		limit := a.driver.options.Limits.Answer
		switch {
		case a.latest != nil && failure(status(a.latest)) != "":
			a.trouble(now, a.uninjectable(status(a.latest)))
		case found.err != nil:
			a.trouble(now, fmt.Errorf("%s was not seen to be injected within %v, and the API server does not say what has become of it: %w", a, limit, found.err))
		case !found.there:
			a.trouble(now, fmt.Errorf("%s has gone before it was injected, and emco-chaos did not remove it: leave the objects of a run alone while it is under way", a))
		case selectedNothing(status(a.latest)):
			a.discard(now, found.said)
		default:
			a.trouble(now, a.ignored(status(a.latest)))
		}
	})
}

// empty: the object had selected nothing for a while. Chaos Mesh writes down
// what it has selected only when it has tried to inject it, and the watch may be
// late: it is empty if Chaos Mesh says so.
func (a *applied) empty(time.Time) {
	if !selectedNothing(status(a.latest)) {
		return
	}
	a.judge(func(now time.Time, found finding) {
		if found.there && found.said != "" {
			a.discard(now, found.said)
			return
		}
		a.choice = a.after(a.driver.options.Limits.Select, a.empty)
	})
}

// discard: the object has selected nothing. It is removed at once, since any
// change would have it select again, whatever there is then.
func (a *applied) discard(now time.Time, said string) {
	a.trouble(now, a.selectedNothing(said))
	driver := a.driver
	driver.work.Go(func() {
		limit := driver.options.Limits
		ctx, cancel := context.WithTimeout(context.Background(), limit.Free+limit.Create)
		defer cancel()
		if err := driver.Remove(ctx, a.object); err != nil {
			driver.mu.Lock()
			defer driver.mu.Unlock()
			a.note(time.Now(), fmt.Sprintf("%s selected nothing and could not be removed: %v", a, err))
		}
	})
}
