package controller

import (
	"maps"
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

// admit returns after how long a request from the address may come again; 0
// when it is looked at.
func (l *limiter) admit(address string) time.Duration {
	for _, limit := range []*rate.Limiter{l.of(address), l.all} {
		place := limit.Reserve()
		if again := place.Delay(); again > 0 {
			place.Cancel()
			return again
		}
	}
	return 0
}

func (l *limiter) of(address string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.each[address]; ok {
		return known
	}
	if len(l.each) >= addresses {
		// Those that have been quiet are as good as new.
		maps.DeleteFunc(l.each, func(_ string, known *rate.Limiter) bool { return known.Tokens() >= eachBurst })
	}
	if len(l.each) >= addresses {
		return l.rest
	}
	l.each[address] = rate.NewLimiter(eachRate, eachBurst)
	return l.each[address]
}
