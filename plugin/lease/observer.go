package lease

import (
	"sync"
	"time"
)

// Observer remembers since when leases have been as they are. What it saw tells
// a dead holder from a live one whatever the clocks of the two machines say.
// Its methods may be called from any goroutine.
type Observer struct {
	mu   sync.Mutex
	seen map[string]sighting
}

type sighting struct {
	version string
	since   time.Time
}

// See takes note of a lease, and returns when it will have gone a whole
// duration without a renewal: from then on its holder is dead.
func (o *Observer) See(state State) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	last, known := o.seen[state.Namespace]
	if !known || last.version != state.version {
		last = sighting{version: state.version, since: time.Now()}
		if o.seen == nil {
			o.seen = map[string]sighting{}
		}
		o.seen[state.Namespace] = last
	}
	return last.since.Add(state.Duration)
}

// expired says whether the lease has been seen unrenewed for its duration.
func (o *Observer) expired(state State) bool {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	last, known := o.seen[state.Namespace]
	return known && last.version == state.version && time.Since(last.since) >= state.Duration
}
