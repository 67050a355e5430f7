package appcontext

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// ErrWithdrawn says that an AppContext was taken out of rsync's hands.
var ErrWithdrawn = errors.New("AppContext is not active")

// Kind is what an event asks of rsync.
type Kind string

// The kinds of events.
const (
	Instantiate Kind = "Instantiate"
	Terminate   Kind = "Terminate"
	// Update takes over from another AppContext, which then has an UpdateDelete.
	Update       Kind = "Update"
	UpdateDelete Kind = "UpdateDelete"
)

// The states of an event in its queue.
const (
	EventPending = "Pending"
	EventDone    = "Done"
	EventError   = "Error"
	EventSkipped = "Skip"
)

// Event is one entry in an AppContext's queue.
type Event struct {
	Kind  Kind   `json:"event"`
	Other string `json:"uCID,omitempty"` // the other AppContext of an update
	State string `json:"status"`
}

func queueKey(id string) string   { return root(id) + "rsync/AppContextEventQueue/" }
func currentKey(id string) string { return root(id) + "rsync/state/CurrentState/" }
func desiredKey(id string) string { return root(id) + "rsync/state/DesiredState/" }

// Work is rsync's hold on an AppContext. It ends when the AppContext is withdrawn: from then on nothing is written.
type Work struct {
	contexts Contexts
	id       string
	revision int64
}

// Enqueue appends an event to the queue of an AppContext and marks the AppContext as active, in one transaction. It
// returns ErrMissing if there is no such AppContext.
func (c Contexts) Enqueue(ctx context.Context, id string, event Event) (Work, error) {
	event.State = EventPending
	for {
		answer, err := c.etcd.Txn(ctx).Then(
			clientv3.OpGet(root(id)), clientv3.OpGet(queueKey(id)),
			clientv3.OpGet(activeKey(id)), clientv3.OpGet(currentKey(id)),
		).Commit()
		if err != nil {
			return Work{}, wrap(err, "read the queue of AppContext %s", id)
		}
		part := func(i int) *clientv3.GetResponse {
			return (*clientv3.GetResponse)(answer.Responses[i].GetResponseRange())
		}
		if len(part(0).Kvs) == 0 {
			return Work{}, fmt.Errorf("AppContext %s: %w", id, ErrMissing)
		}
		queue, revision, err := decodeQueue(part(1))
		if err != nil {
			return Work{}, wrap(err, "read the queue of AppContext %s", id)
		}
		raw, err := json.Marshal(append(queue, event))
		if err != nil {
			return Work{}, wrap(err, "write the queue of AppContext %s", id)
		}
		writes := []clientv3.Op{clientv3.OpPut(queueKey(id), string(raw))}
		if len(part(2).Kvs) == 0 {
			writes = append(writes, clientv3.OpPut(activeKey(id), id))
		}
		if len(part(3).Kvs) == 0 {
			writes = append(writes, putState(currentKey(id), Created), putState(statusKey(id), Created))
		}
		written, err := c.etcd.Txn(ctx).If(
			clientv3.Compare(clientv3.ModRevision(queueKey(id)), "=", revision),
			clientv3.Compare(clientv3.CreateRevision(root(id)), "!=", 0),
		).Then(writes...).Commit()
		if err != nil {
			return Work{}, wrap(err, "write the queue of AppContext %s", id)
		}
		if written.Succeeded {
			return c.Resume(ctx, id)
		}
	}
}

// Active returns the ids of the AppContexts whose queue is not worked off.
func (c Contexts) Active(ctx context.Context) ([]string, error) {
	answer, err := c.etcd.Get(ctx, active, clientv3.WithPrefix())
	if err != nil {
		return nil, wrap(err, "read the active AppContexts")
	}
	ids := make([]string, 0, len(answer.Kvs))
	for _, pair := range answer.Kvs {
		ids = append(ids, strings.TrimSuffix(strings.TrimPrefix(string(pair.Key), active), "/"))
	}
	return ids, nil
}

// Resume takes up the work on an active AppContext. It returns ErrWithdrawn if it is not active.
func (c Contexts) Resume(ctx context.Context, id string) (Work, error) {
	answer, err := c.etcd.Get(ctx, activeKey(id))
	if err != nil {
		return Work{}, wrap(err, "read whether AppContext %s is active", id)
	}
	if len(answer.Kvs) == 0 {
		return Work{}, fmt.Errorf("AppContext %s: %w", id, ErrWithdrawn)
	}
	return Work{contexts: c, id: id, revision: answer.Kvs[0].CreateRevision}, nil
}

// Withdraw takes an AppContext out of rsync's hands. An unfinished instantiation is deleted; an unfinished
// termination is struck off the queue, and the AppContext is Instantiated as before.
func (c Contexts) Withdraw(ctx context.Context, id string, kind Kind) error {
	if kind == Instantiate {
		_, err := c.etcd.Txn(ctx).Then(
			clientv3.OpDelete(activeKey(id)), clientv3.OpDelete(root(id), clientv3.WithPrefix()),
		).Commit()
		return wrap(err, "withdraw AppContext %s", id)
	}
	answer, err := c.etcd.Get(ctx, queueKey(id))
	if err != nil {
		return wrap(err, "read the queue of AppContext %s", id)
	}
	queue, _, err := decodeQueue(answer)
	if err != nil {
		return wrap(err, "read the queue of AppContext %s", id)
	}
	for i := range queue {
		if queue[i].State == EventPending {
			queue[i].State = EventSkipped
		}
	}
	raw, err := json.Marshal(queue)
	if err != nil {
		return wrap(err, "write the queue of AppContext %s", id)
	}
	_, err = c.etcd.Txn(ctx).Then(
		clientv3.OpDelete(activeKey(id)), clientv3.OpPut(queueKey(id), string(raw)),
		putState(currentKey(id), Instantiated), putState(statusKey(id), Instantiated),
	).Commit()
	return wrap(err, "withdraw the termination of AppContext %s", id)
}

// Withdrawn closes the returned channel when the AppContext is withdrawn; it closes it too when ctx ends.
func (w Work) Withdrawn(ctx context.Context) <-chan struct{} {
	withdrawn := make(chan struct{})
	changes := w.contexts.etcd.Watch(ctx, activeKey(w.id), clientv3.WithRev(w.revision+1), clientv3.WithFilterPut())
	go func() {
		defer close(withdrawn)
		for change := range changes {
			if len(change.Events) > 0 {
				return
			}
		}
	}()
	return withdrawn
}

// Stop calls on with each change of the stop flag since the work began, until ctx ends.
func (w Work) Stop(ctx context.Context, on func(stop bool)) {
	for change := range w.contexts.etcd.Watch(ctx, stopKey(w.id), clientv3.WithRev(w.revision+1), clientv3.WithFilterDelete()) {
		for _, event := range change.Events {
			on(string(event.Kv.Value) == "true")
		}
	}
}

// Next returns the place of the first pending event and the state of the AppContext; found is false when the queue is
// worked off.
func (w Work) Next(ctx context.Context) (place int, event Event, current State, found bool, err error) {
	answer, err := w.contexts.etcd.Txn(ctx).Then(
		clientv3.OpGet(queueKey(w.id)), clientv3.OpGet(currentKey(w.id)),
	).Commit()
	if err != nil {
		return 0, Event{}, "", false, wrap(err, "read the queue of AppContext %s", w.id)
	}
	queue, _, err := decodeQueue((*clientv3.GetResponse)(answer.Responses[0].GetResponseRange()))
	if err != nil {
		return 0, Event{}, "", false, wrap(err, "read the queue of AppContext %s", w.id)
	}
	if pairs := answer.Responses[1].GetResponseRange().Kvs; len(pairs) > 0 {
		if err := json.Unmarshal(pairs[0].Value, &current); err != nil {
			return 0, Event{}, "", false, wrap(err, "read the state of AppContext %s", w.id)
		}
	}
	for i, each := range queue {
		if each.State == EventPending {
			return i, each, current, true, nil
		}
	}
	return 0, Event{}, current, false, nil
}

// Start writes that an event is being worked on.
func (w Work) Start(ctx context.Context, desired, current State) error {
	return w.write(ctx, putState(desiredKey(w.id), desired), putState(currentKey(w.id), current), putState(statusKey(w.id), current))
}

// Finish writes the outcome of the event at place, and the state that the AppContext is in.
func (w Work) Finish(ctx context.Context, place int, outcome string, state State) error {
	answer, err := w.contexts.etcd.Get(ctx, queueKey(w.id))
	if err != nil {
		return wrap(err, "read the queue of AppContext %s", w.id)
	}
	queue, _, err := decodeQueue(answer)
	if err != nil {
		return wrap(err, "read the queue of AppContext %s", w.id)
	}
	if place >= len(queue) {
		return fmt.Errorf("AppContext %s: %w", w.id, ErrWithdrawn)
	}
	queue[place].State = outcome
	raw, err := json.Marshal(queue)
	if err != nil {
		return wrap(err, "write the queue of AppContext %s", w.id)
	}
	return w.write(ctx, clientv3.OpPut(queueKey(w.id), string(raw)), putState(currentKey(w.id), state), putState(statusKey(w.id), state))
}

// Release ends the work: the AppContext is not active any more.
func (w Work) Release(ctx context.Context) error {
	return w.write(ctx, clientv3.OpDelete(activeKey(w.id)))
}

// SetConnectivity writes whether a cluster can be reached.
func (w Work) SetConnectivity(ctx context.Context, app, cluster, connectivity string) error {
	return w.write(ctx, clientv3.OpPut(clusterKey(w.id, app, cluster)+"readystatus/", connectivity))
}

// SetResource writes the state of a resource.
func (w Work) SetResource(ctx context.Context, app, cluster, resource, state string) error {
	return w.write(ctx, clientv3.OpPut(resourceKey(w.id, app, cluster, resource)+"status/", state))
}

func (w Work) write(ctx context.Context, writes ...clientv3.Op) error {
	answer, err := w.contexts.etcd.Txn(ctx).If(
		clientv3.Compare(clientv3.CreateRevision(activeKey(w.id)), "=", w.revision),
	).Then(writes...).Commit()
	if err == nil && !answer.Succeeded {
		err = ErrWithdrawn
	}
	return wrap(err, "write to AppContext %s", w.id)
}

func putState(key string, state State) clientv3.Op {
	return clientv3.OpPut(key, `"`+string(state)+`"`)
}

func decodeQueue(answer *clientv3.GetResponse) (queue []Event, revision int64, err error) {
	if len(answer.Kvs) == 0 {
		return nil, 0, nil
	}
	err = json.Unmarshal(answer.Kvs[0].Value, &queue)
	return queue, answer.Kvs[0].ModRevision, err
}
