package controller

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"
)

// How many requests a second are looked at, and how many at once: of one
// address, and of all. Each that is looked at costs the API server two reviews.
const (
	eachRate, eachBurst = 2, 10
	allRate, allBurst   = 20, 40
	// addresses is how many addresses are told apart.
	addresses = 1024
)

// limiter limits how many requests are looked at. Whoever floods is limited
// first, so that others come through.
type limiter struct {
	all *rate.Limiter

	mu sync.Mutex
	// each has a [rate.Limiter] for each of the last addresses.
	each *lru.Cache
}

func newLimiter() *limiter {
	return &limiter{all: rate.NewLimiter(allRate, allBurst), each: lru.New(addresses)}
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
	if known, ok := l.each.Get(address); ok {
		return known.(*rate.Limiter)
	}
	fresh := rate.NewLimiter(eachRate, eachBurst)
	l.each.Add(address, fresh)
	return fresh
}
