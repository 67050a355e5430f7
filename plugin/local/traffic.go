package local

import (
	"math/rand/v2"
	"time"
)

// direction is one of the two ways of a connection.
type direction int

const (
	// forward is from the pod that connects to what the link leads to.
	forward direction = iota
	// backward is the way of the answers.
	backward
)

// delay holds up what passes by latency, give or take jitter.
type delay struct{ latency, jitter time.Duration }

func (d delay) isZero() bool { return d == delay{} }

func (d delay) sample() time.Duration {
	if d.jitter <= 0 {
		return d.latency
	}
	return max(0, d.latency+time.Duration(rand.Int64N(2*int64(d.jitter)+1))-d.jitter)
}

// traffic is what faults do to a link, for each direction.
type traffic struct {
	hold  [2]bool
	delay [2]delay
}

func (t traffic) held() bool { return t.hold[forward] || t.hold[backward] }

// plus is what two faults do together.
func (t traffic) plus(other traffic) traffic {
	for i := range t.hold {
		t.hold[i] = t.hold[i] || other.hold[i]
		t.delay[i].latency += other.delay[i].latency
		t.delay[i].jitter += other.delay[i].jitter
	}
	return t
}
