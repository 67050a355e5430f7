package conformance

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// ledger knows what a run made, or may have made.
type ledger struct {
	mu      sync.Mutex
	anchors map[string]bool
}

func newLedger() *ledger { return &ledger{anchors: map[string]bool{}} }

// begin notes a call before it is sent. The answer settles what became of it.
func (l *ledger) begin(method, anchor, body string) (settle func(emco.Answer)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case method == http.MethodDelete:
		return func(answer emco.Answer) {
			if answer.Outcome.Kind == emco.Accepted {
				l.forget(anchor)
			}
		}
	case method == http.MethodPost && !strings.HasPrefix(anchor, "controllers"):
		anchor = createdAt(anchor, body)
	default:
		anchor = ""
	}
	if anchor == "" || l.anchors[anchor] {
		return func(emco.Answer) {}
	}
	l.anchors[anchor] = true
	return func(answer emco.Answer) {
		// After a 5xx, or without an answer, it may be there all the same.
		rejected := answer.Outcome.Kind == emco.Rejected && answer.Code < 500
		refused := answer.Outcome.Kind == emco.Refused && !answer.Outcome.Gateway
		if rejected || refused {
			l.forget(anchor)
		}
	}
}

func (l *ledger) forget(anchor string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.anchors, anchor)
}

// createdAt is where the resource is that a POST makes; empty if it makes
// none.
func createdAt(collection, body string) string {
	var resource struct {
		ClusterLabel string
		Metadata     struct{ Name string }
		Spec         struct{ CompositeAppVersion string }
	}
	if json.Unmarshal([]byte(body), &resource) != nil {
		return ""
	}
	name := resource.Metadata.Name
	switch last(collection) {
	case "labels":
		name = resource.ClusterLabel
	case "composite-apps":
		name += "/" + resource.Spec.CompositeAppVersion
	}
	if name == "" || strings.HasPrefix(name, "/") {
		return ""
	}
	return collection + "/" + name
}

// removals orders what is removed: what comes first goes first, and within
// one kind the deepest.
var removals = []string{"deployment-intent-groups", "logical-clouds", "composite-profiles", "apps", "composite-apps", "projects", "clusters", "cluster-providers"}

// rank is the place of an anchor in the order of removal.
func rank(anchor string) int {
	pieces := strings.Split(anchor, "/")
	for i, kind := range removals {
		if slices.Contains(pieces, kind) {
			return i
		}
	}
	return len(removals)
}

// inOrder lists the anchors whose ranks lie between two, the first to go first.
func (l *ledger) inOrder(from, to int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var anchors []string
	for anchor := range l.anchors {
		if at := rank(anchor); from <= at && at <= to {
			anchors = append(anchors, anchor)
		}
	}
	slices.SortFunc(anchors, func(a, b string) int {
		if difference := rank(a) - rank(b); difference != 0 {
			return difference
		}
		if difference := strings.Count(b, "/") - strings.Count(a, "/"); difference != 0 {
			return difference
		}
		return strings.Compare(a, b)
	})
	return anchors
}

// removeAll removes all that was made, round after round, and returns what is
// left, each with the reason, when nothing is, when nothing has changed for as
// long as the patience lasts, or when ctx ends.
func (l *ledger) removeAll(ctx context.Context, client *emco.Client, interval, patience time.Duration) map[string]string {
	var before map[string]string
	changed := time.Now()
	for {
		left := l.round(ctx, client)
		if !maps.Equal(left, before) {
			before, changed = left, time.Now()
		}
		if len(left) == 0 || time.Since(changed) > patience || pause(ctx, interval) != nil {
			return left
		}
	}
}

// round tries once to remove all that was made: first what is deployed from
// deployment intent groups, then what they were deployed to, then the rest.
func (l *ledger) round(ctx context.Context, client *emco.Client) map[string]string {
	left := map[string]string{}
	for _, phase := range [][]string{l.inOrder(0, 0), l.inOrder(1, 1), l.inOrder(2, len(removals))} {
		blockers := slices.Sorted(maps.Keys(left))
		for _, anchor := range phase {
			if other := first(blockers, anchor, waitsFor); other != "" {
				left[anchor] = "it waits for " + other
			} else if isDeployable(anchor) {
				if reason := terminate(ctx, client, anchor); reason != "" {
					left[anchor] = reason
				}
			}
		}
		for _, anchor := range phase {
			if left[anchor] != "" {
				continue
			}
			if other := first(slices.Sorted(maps.Keys(left)), anchor, touches); other != "" {
				left[anchor] = "it waits for " + other
			} else if reason := l.remove(ctx, client, anchor); reason != "" {
				left[anchor] = reason
			}
		}
	}
	return left
}

// first is the first of the others that holds for an anchor; empty if none
// does.
func first(others []string, anchor string, holds func(anchor, other string) bool) string {
	i := slices.IndexFunc(others, func(other string) bool { return holds(anchor, other) })
	if i < 0 {
		return ""
	}
	return others[i]
}

// waitsFor says whether an anchor must stay as long as another one of an
// earlier phase does: in the same project, or if it is a cluster's of the same
// set of records.
func waitsFor(anchor, other string) bool {
	return rootOf(anchor) == rootOf(other) || strings.HasPrefix(anchor, "cluster-providers/") && setOf(anchor) == setOf(other)
}

// touches says whether one of two anchors lies below the other.
func touches(anchor, other string) bool {
	return strings.HasPrefix(anchor, other+"/") || strings.HasPrefix(other, anchor+"/")
}

// remove tries once to remove what is at an anchor, and says why it could not.
func (l *ledger) remove(ctx context.Context, client *emco.Client, anchor string) string {
	if ctx.Err() != nil {
		return "there was no time left"
	}
	answer, err := client.Do(ctx, emco.Delete(anchor))
	switch {
	case err != nil:
		return err.Error()
	case answer.Outcome.Kind == emco.Accepted || answer.Missing():
		l.forget(anchor)
		return ""
	}
	return "DELETE: " + answer.String()
}

// isDeployable says whether an anchor is that of a deployment intent group or
// of a logical cloud.
func isDeployable(anchor string) bool {
	pieces := strings.Split(anchor, "/")
	return len(pieces) == 7 && pieces[5] == "deployment-intent-groups" || len(pieces) == 4 && pieces[2] == "logical-clouds"
}

// terminate terminates what is instantiated, and says why it cannot be removed
// yet.
func terminate(ctx context.Context, client *emco.Client, anchor string) string {
	request := emco.Get(anchor + "/status")
	request.Query = "status=deployed&output=summary"
	answer, err := client.Do(ctx, request)
	if err != nil {
		return err.Error()
	}
	status, err := answer.Status()
	if err != nil {
		// There is none of what is missing; the DELETE tells.
		return ""
	}
	action := status.LastAction()
	switch {
	case action == emco.Instantiated:
		answer, err := client.Do(ctx, emco.Post(anchor+"/terminate"))
		if err != nil {
			return err.Error()
		}
		if answer.Outcome.Kind != emco.Accepted {
			return "POST terminate: " + answer.String()
		}
		return "it is being terminated"
	case action == emco.Terminated && !status.Final():
		return "its status says " + status.String()
	case action == emco.Terminated && (status.Deployed == emco.Instantiated || status.Deployed == emco.InstantiateFailed):
		return "its status says " + status.String() // it lags
	}
	return ""
}
