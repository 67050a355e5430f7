package sdk

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/sdk/pluginv1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// receiver checks what one activity sends, and passes it on to the observer.
type receiver struct {
	activity        string
	observer        Observer
	messages, bytes int
	// now is when the message arrived; last is the latest moment so far.
	now, last time.Time
}

func (r *receiver) receive(response *pluginv1.RunResponse) (result Result, done bool, err error) {
	if err := r.count(response); err != nil {
		return Result{}, false, err
	}
	switch item := response.GetItem().(type) {
	case *pluginv1.RunResponse_Event:
		name := item.Event.GetName()
		if !eventName.MatchString(name) {
			return Result{}, false, r.violates("emitted %q; an event's name has small letters, digits and hyphens, 63 at most", cut(name, 80))
		}
		r.observer.Event(name, r.moment(item.Event.GetAge()), values(item.Event.GetDetail(), cutText))
	case *pluginv1.RunResponse_Note:
		r.observer.Note(r.moment(item.Note.GetAge()), cutText(item.Note.GetText()))
	case *pluginv1.RunResponse_Resource:
		return Result{}, false, r.resource(item.Resource)
	case *pluginv1.RunResponse_Result:
		result, err = r.result(item.Result)
		return result, true, err
	default:
		return Result{}, false, r.violates("sent an empty message")
	}
	return Result{}, false, nil
}

func (r *receiver) resource(wire *pluginv1.Resource) error {
	resource := Resource{Anchor: wire.GetAnchor(), State: ResourceState(wire.GetState()), Reason: cutText(wire.GetReason())}
	if !slices.Contains([]ResourceState{Making, Made, Removed, Left}, resource.State) {
		return r.violates("says that a resource is %q; it is %s, %s, %s or %s", cut(string(resource.State), 80), Making, Made, Removed, Left)
	}
	if resource.Anchor == "" || len(resource.Anchor) > anchorLimit {
		return r.violates("names a resource by %d bytes; an anchor has 1 to %d", len(resource.Anchor), anchorLimit)
	}
	r.observer.Resource(resource)
	return nil
}

func (r *receiver) result(wire *pluginv1.Result) (Result, error) {
	result := Result{
		Conclusion: Conclusion(wire.GetConclusion()), Message: cutText(wire.GetMessage()),
		Outcome: wire.GetOutcome(), Evidence: values(wire.GetEvidence(), cutText),
	}
	if !slices.Contains([]Conclusion{Passed, Failed, Inconclusive, Errored}, result.Conclusion) {
		return Result{}, r.violates("concluded %q; it is %s, %s, %s or %s", cut(string(result.Conclusion), 80), Passed, Failed, Inconclusive, Errored)
	}
	if result.Outcome != "" && !plan.IsOutcome(result.Outcome) {
		return Result{}, r.violates("says that its outcome is %q, and a plan knows no such outcome", cut(result.Outcome, 80))
	}
	return result, nil
}

// count keeps the activity within its limits.
func (r *receiver) count(response *pluginv1.RunResponse) error {
	const remedy = "have it tell only what a reader or another step needs"
	r.messages++
	r.bytes += proto.Size(response)
	switch {
	case r.messages > ActivityMessages:
		return fmt.Errorf("%w: %s has sent more than %d messages; %s", ErrFlood, r.activity, ActivityMessages, remedy)
	case r.bytes > ActivityBytes:
		return fmt.Errorf("%w: %s has sent more than %d MiB; %s", ErrFlood, r.activity, ActivityBytes>>20, remedy)
	}
	return nil
}

// moment turns an age into a time of this process, which is late by the time
// that the message was under way. The moments of one activity keep their order.
func (r *receiver) moment(age *durationpb.Duration) time.Time {
	at := r.now.Add(-max(0, age.AsDuration()))
	if !at.After(r.last) {
		at = r.last.Add(time.Nanosecond)
	}
	r.last = at
	return at
}

func (r *receiver) violates(format string, args ...any) error {
	return fmt.Errorf("%w: %s "+format, append([]any{ErrContract, r.activity}, args...)...)
}

var eventName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
