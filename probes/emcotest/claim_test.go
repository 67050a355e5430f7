package emcotest

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// Who claims at the same time gets other ports, as long as a claim holds.
func TestClaim(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "ports")
	few := Ports{ClusterPorts.Highest - 99, ClusterPorts.Highest}
	now := time.Now()
	var lock sync.Mutex
	var all []string
	var claims sync.WaitGroup
	for range 10 {
		claims.Go(func() {
			addresses, err := few.claim(5, name, now)
			if err != nil {
				t.Error(err)
			}
			lock.Lock()
			defer lock.Unlock()
			all = append(all, addresses...)
		})
	}
	claims.Wait()
	slices.Sort(all)
	if unique := slices.Compact(slices.Clone(all)); len(all) != 50 || len(unique) != 50 {
		t.Errorf("%d addresses, %d of them different, want 50", len(all), len(unique))
	}
	if addresses, err := few.claim(60, name, now.Add(claimFor/2)); err == nil {
		t.Errorf("claimed again: %v", addresses)
	}
	if _, err := few.claim(60, name, now.Add(2*claimFor)); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}
