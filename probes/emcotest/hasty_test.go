package emcotest_test

import (
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// A hasty service says yes and does the work, unless it is killed in between.
func TestAnswersAfterKill(t *testing.T) {
	t.Parallel()
	r := started(t, emcotest.Options{Bugs: []string{"answers-after-kill"}})
	r.call.accept(t, digOf("p")+"/instantiate")
	if state := r.call.deployed(digOf("p")); state != "" {
		t.Errorf("state %q right after the answer, want none", state)
	}
	r.kill("orchestrator")
	r.restart("orchestrator")
	limit := time.After(3 * time.Second)
	for over := false; !over; {
		if state := r.call.deployed(digOf("p")); state != "" {
			t.Fatalf("state %q after the kill, want none for ever", state)
		}
		select {
		case <-limit:
			over = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	r.call.accept(t, digOf("p")+"/instantiate")
	r.call.reach(t, digOf("p"), "Instantiated")
	r.call.accept(t, digOf("p")+"/terminate")
	r.call.reach(t, digOf("p"), "Terminated")
}
