package controller

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many requests a second are looked at, and how many at once: of one
// address, and of all. Each that is looked at costs the API server two reviews.
const (
	eachRate, eachBurst = 2, 10
	allRate, allBurst   = 20, 40
	// addresses bounds how many addresses are told apart.
	addresses = 1024
)

// limiter limits how many requests are looked at. Whoever floods is limited
// first, so that others come through.
type limiter struct {
	all *rate.Limiter

	mu   sync.Mutex
	each map[string]*rate.Limiter
	// rest is for addresses beyond those that are told apart.
	rest *rate.Limiter
}

func newLimiter() *limiter {
	return &limiter{
		all:  rate.NewLimiter(allRate, allBurst),
		each: map[string]*rate.Limiter{},
		rest: rate.NewLimiter(eachRate, eachBurst),
	}
}

// admit says whether a request from the address is looked at, and else when it
// may come again.
func (l *limiter) admit(address string) (again time.Duration, ok bool) {
	if again, ok := take(l.of(address)); !ok {
		return again, false
	}
	return take(l.all)
}

func take(from *rate.Limiter) (again time.Duration, ok bool) {
	place := from.Reserve()
	if again := place.Delay(); again > 0 {
		place.Cancel()
		return again, false
	}
	return 0, true
}

func (l *limiter) of(address string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.each[address]; ok {
		return known
	}
	if len(l.each) >= addresses {
		// Those that have been quiet are as good as new.
		for other, known := range l.each {
			if known.Tokens() >= eachBurst {
				delete(l.each, other)
			}
		}
	}
	if len(l.each) >= addresses {
		return l.rest
	}
	fresh := rate.NewLimiter(eachRate, eachBurst)
	l.each[address] = fresh
	return fresh
}
