package emcotest_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// goroutines are the stacks of all goroutines but those of the test framework.
func goroutines() []string {
	buffer := make([]byte, 16<<20)
	buffer = buffer[:runtime.Stack(buffer, true)]
	var own []string
	for _, stack := range strings.Split(string(buffer), "\n\n") {
		if !strings.Contains(stack, "testing.") && !strings.Contains(stack, "runtime.Stack") {
			own = append(own, stack)
		}
	}
	return own
}

// No other test runs beside this one.
func TestCloseLeavesNothingRunning(t *testing.T) {
	for _, held := range []string{"", "orchestrator etcd", "orchestrator mongo", "orchestrator rsync", "dcm rsync", "rsync etcd", "rsync edge"} {
		t.Run("held "+held, func(t *testing.T) {
			before := len(goroutines())
			proxies := map[string]*proxy{}
			emco, err := emcotest.New(emcotest.Options{Data: t.TempDir(), Link: func(from, to, address string) string {
				proxies[from+" "+to] = newProxy(t, address)
				return proxies[from+" "+to].address()
			}})
			if err != nil {
				t.Fatal(err)
			}
			call := caller{urls: emco.URL}
			create(t, call, controllers(emco.Address("rsync")), clusters(gmsProvider))
			if strings.HasPrefix(held, "dcm ") {
				create(t, call, cloud("q", gmsProvider))
			} else {
				approved(t, call, "p")
			}
			var calls sync.WaitGroup
			if held != "" {
				proxies[held].hold()
				path := digOf("p") + "/instantiate"
				if strings.HasPrefix(held, "dcm ") {
					path = cloudOf("q") + "/instantiate" // dcm connects to rsync at its first call
				}
				calls.Go(func() { call.post(path) })
				eventually(t, "the hold has caught something", func() bool { return proxies[held].waiting() > 0 })
			}
			began := time.Now()
			if err := emco.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("Close took %v", took)
			}
			calls.Wait()
			for _, each := range proxies {
				each.close()
			}
			eventually(t, "all goroutines ended", func() bool { return len(goroutines()) <= before })
		})
	}
}
