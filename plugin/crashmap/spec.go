package crashmap

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/crashpoint"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// Spec says which crash points a map is made of.
type Spec struct {
	// Calls are those that are mapped, and From the state that they start from;
	// empty is all of them but those that are mapped only when they are named.
	Calls []string
	From  string
	// Points is a regular expression for the names of the points; empty is all.
	Points string
	// BackEnds are the services at which calls are stopped; empty is [BackEnds].
	BackEnds []string
	// Requests has a call stopped at each request to a back end; only on a local
	// cluster.
	Requests bool
	// Share has calls of one service share a kill, each on a deployment intent group
	// of its own.
	Share bool
	// Longest is how many back ends a call is led past at most, or how many requests
	// to each; 0 is 8 back ends, or 99 requests.
	Longest int
	// Moments is how many kills at random moments are made for each call and state,
	// and Seed decides them.
	Moments int
	Seed    uint64
	// Settle is how long a call is given to move on after a hold; 0 leaves it to
	// the target's driver.
	Settle time.Duration
	// Budget is how long runs may begin; 0 sets no limit.
	Budget time.Duration
}

// BackEnds are the services that EMCO's microservices keep their state in, or
// hand their work to.
func BackEnds() []string { return []string{"mongo", "etcd", "rsync"} }

const (
	// settleLocal is for processes whose links pass on at once what they held.
	settleLocal = 500 * time.Millisecond
	// settleCluster is more than the 3.2 s that TCP waits for at most with what was
	// held for 3 to 6.2 s: so long as this and what it takes to put one hold on and
	// another off. After a longer one it waits for 6.4 s.
	settleCluster = 3500 * time.Millisecond
)

// starts are the chosen calls and states.
func (s Spec) starts() ([]crashpoint.Start, error) {
	var chosen []crashpoint.Start
	var names, states []string
	for _, start := range crashpoint.Starts() {
		names, states = append(names, start.Call), append(states, string(start.State))
		if (len(s.Calls) == 0 && !start.Named || slices.Contains(s.Calls, start.Call)) && (s.From == "" || s.From == string(start.State)) {
			chosen = append(chosen, start)
		}
	}
	for _, call := range s.Calls {
		if !slices.Contains(names, call) {
			return nil, fmt.Errorf("%s is no call that can be mapped; %s", document.Shown(call), document.Instead(call, slices.Compact(names)))
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("none of the calls starts from %s; %s", document.Shown(s.From), document.Instead(s.From, slices.Compact(slices.Sorted(slices.Values(states)))))
	}
	return chosen, nil
}

// Mapper returns what makes the map on a target, or goes on with a known one.
// Runner, Keep and Tell are the caller's to set. An error is a mistake in the spec.
func (s Spec) Mapper(on *target.Target, known *Map, version string) (*Mapper, error) {
	starts, err := s.starts()
	if err != nil {
		return nil, err
	}
	if len(s.BackEnds) == 0 {
		s.BackEnds = BackEnds()
	}
	m := &Mapper{Spec: s, Map: known, Starts: starts, Resent: on.Driver.Kubernetes != nil}
	longest, settle := 8, settleLocal
	if s.Requests {
		longest = 99
	}
	if m.Resent {
		settle = settleCluster
	}
	m.Longest, m.Settle = cmp.Or(s.Longest, longest), cmp.Or(s.Settle, settle)
	for name, service := range on.Services {
		if service.HasPods() {
			m.Services = append(m.Services, name)
		}
	}
	// What works on for a service that died is the first to restart.
	slices.SortFunc(m.Services, func(a, b string) int {
		return cmp.Or(cmp.Compare(slices.Index(BackEnds(), b), slices.Index(BackEnds(), a)), cmp.Compare(a, b))
	})
	for _, name := range s.BackEnds {
		if _, there := on.Services[name]; !there {
			return nil, fmt.Errorf("back ends of the map: the target has no service %s; %s", document.Shown(name), document.Instead(name, m.Services))
		}
	}
	if s.Points != "" {
		wanted, err := regexp.Compile(s.Points)
		if err != nil {
			return nil, fmt.Errorf("points of the map: %w", err)
		}
		m.Wanted = wanted.MatchString
	}
	if s.Requests && m.Resent {
		return nil, errors.New("requests are counted on a local cluster alone; leave that out, and have moments tried instead")
	}
	if s.Requests && s.Share {
		return nil, errors.New("requests are those of one call, and calls that share a kill mix theirs; leave one of the two out")
	}
	if m.Longest < 1 || m.Moments < 0 {
		return nil, errors.New("longest is a number from 1 on, and moments one from 0 on")
	}
	if m.Map == nil {
		m.Map = &Map{Version: version, Began: time.Now().UTC(), BackEnds: s.BackEnds}
	}
	if !slices.Equal(m.Map.BackEnds, s.BackEnds) {
		return nil, fmt.Errorf("the map that is known is of other back ends (%s); name another folder", strings.Join(m.Map.BackEnds, ", "))
	}
	if s.Budget > 0 {
		m.Until = time.Now().Add(s.Budget)
	}
	return m, nil
}
