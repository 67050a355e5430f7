package probes

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var leftoversKind = Kind{
	Activity: question("leftovers", "lists what runs have left in EMCO, by their mark, and what of it is wedged; it changes nothing"),
	run: func(ctx context.Context, t task) Result {
		attempts, strays, err := t.marked(ctx, "")
		if err != nil {
			return errored(err)
		}
		evidence := map[string]string{}
		for _, anchor := range strays {
			evidence[anchor] = "it carries a run's mark, but no name that a run gives"
		}
		// What refuses its status twice, some seconds apart, is wedged: no call is made to see whether it is refused.
		type suspect struct {
			task
			*watch
			call emco.Call
		}
		var suspects []suspect
		for _, t.Names = range attempts {
			evidence[fmt.Sprintf("run %s, attempt %d", t.Names.Run(), t.Names.Attempt())] = t.Names.Anchor("{project}, {provider}")
			for _, l := range lifecycles {
				call := callNamed(l.instantiate)
				if s := (suspect{t, t.watchStatus(call), call}); refuses(s.once(ctx)) {
					suspects = append(suspects, s)
				}
			}
		}
		var wedges []*wedge
		if len(suspects) > 0 && pause(ctx, t.wedgeTime()) {
			for _, s := range suspects {
				s.once(ctx)
				if stuck := s.stuck(ctx, s.watch, s.call, t.wedgeTime()); stuck != nil {
					wedges = append(wedges, stuck)
				}
			}
		}
		maps.Copy(evidence, wedgeEvidence(wedges...))
		message := fmt.Sprintf("%d attempts have left something", len(attempts))
		if len(wedges) > 0 {
			message += "; wedged: " + strings.ReplaceAll(evidence["wedged"], "; ", ", ")
		}
		return Result{Conclusion: Passed, Message: message, Evidence: evidence}
	},
}
