package probes

import (
	"context"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

func TestNoState(t *testing.T) {
	running := state(emco.Instantiated, emco.Created, emco.Approved, emco.Instantiated)
	for name, test := range map[string]struct {
		replies []reply
		want    Conclusion
		message string
	}{
		"refused":           {[]reply{{end: "refuse"}, {end: "refuse"}}, Passed, "status gives no state: "},
		"a lost answer":     {[]reply{running, lost}, Passed, "EOF"},
		"no JSON":           {[]reply{noJSON}, Passed, "status gives no state: "},
		"an invalid state":  {[]reply{running, running, invalidState}, Passed, "status gives no state: 200 OK"},
		"a server problem":  {[]reply{broken}, Passed, "500"},
		"the final state":   {[]reply{terminated}, Inconclusive, "status says Terminated"},
		"one on the way":    {[]reply{running, terminating}, Inconclusive, "status says Terminating"},
		"one from before":   {[]reply{running}, Inconclusive, "every status gave a state within"},
		"not told by EMCO":  {[]reply{notTold}, Inconclusive, "every status gave a state within"},
		"its answer lagged": {[]reply{stillThere}, Inconclusive, "took effect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newScripted(t, map[string][]reply{digStatus: test.replies})
			subject := server.subject()
			subject.Setup.patience = 5 * time.Second // a machine may be busy
			d := 10 * time.Second
			if test.message == "every status gave a state within" {
				d = 500 * time.Millisecond
			}
			runWithin(t, d, subject, "noState", forCall("dig.terminate"), test.want, test.message)
		})
	}
}

// An answer that the probe itself cut off is none.
func TestNoStateCancelled(t *testing.T) {
	server := newScripted(t, map[string][]reply{digStatus: {terminated}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	seen := &record{}
	got := mustNew(t, "noState", forCall("dig.terminate")).Run(ctx, server.subject(), seen)
	check(t, "noState", seen, got, Inconclusive, "nothing was seen")
}
