package probes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var cleanKind = Kind{
	Activity: action("clean", "finds what runs have left in EMCO, by their mark, and removes it",
		activity.Argument{Name: "run", Type: activity.Text, Description: "the name of the only run to clean up after; any if left out"}),
	run: clean,
}

func clean(ctx context.Context, t task) Result {
	r := &removal{task: t, began: time.Now()}
	attempts, strays, err := t.marked(ctx, t.text("run"))
	if err != nil {
		return errored(err)
	}
	for _, stray := range strays {
		r.leave(stray)
	}
	var errs []error
	for _, names := range attempts {
		t.Note(time.Now(), fmt.Sprintf("found run %s, attempt %d", names.Run(), names.Attempt()))
		errs = append(errs, r.attempt(ctx, names))
	}
	result := r.result(fmt.Sprintf(" of %d attempts", len(attempts)), errs...)
	result.Evidence["attempts"] = strconv.Itoa(len(attempts))
	return result
}

// marked lists the attempts of a run, or of any, that have left something, and
// what carries a mark but no attempt's name.
func (s Subject) marked(ctx context.Context, only string) (attempts []emco.Names, strays stays, err error) {
	for _, collection := range []string{"projects", "cluster-providers"} {
		answer := s.get(ctx, collection)
		if answer.err != nil {
			return nil, nil, answer.err
		}
		list, ok := answer.List()
		if !ok {
			return nil, nil, fmt.Errorf("GET %s: %s", collection, answer)
		}
		for _, entry := range list {
			run, ok := emco.RunOf(entry.Metadata.UserData1)
			if !ok || only != "" && run != only {
				continue
			}
			names, ok := emco.NamesOf(entry.Metadata.Name, entry.Metadata.UserData1)
			switch {
			case !ok:
				strays.add(collection+"/"+document.Shown(entry.Metadata.Name), "it carries a run's mark, but no name that a run gives")
			case !slices.Contains(attempts, names):
				attempts = append(attempts, names)
			}
		}
	}
	return attempts, strays, nil
}

var leftoversKind = Kind{
	Activity: question("leftovers", "lists what runs have left in EMCO, by their mark, and what of it is wedged; it changes nothing"),
	run: func(ctx context.Context, t task) Result {
		attempts, strays, err := t.marked(ctx, "")
		if err != nil {
			return errored(err)
		}
		evidence := map[string]string{}
		for _, stray := range strays {
			evidence[stray.Anchor] = stray.Reason
		}
		// What refuses its status for long is wedged: no call is made to see whether that is refused too.
		var wedges []*wedge
		for _, t.Names = range attempts {
			evidence[fmt.Sprintf("run %s, attempt %d", t.Names.Run(), t.Names.Attempt())] = t.Names.Anchor("{project}, {provider}")
			for _, l := range lifecycles {
				if t.get(ctx, l.anchor(t.Names)).Outcome.Kind != emco.Accepted {
					continue
				}
				w := t.watchStatus(l.instantiate)
				for sample := range w.samples(ctx, pace{patience: 2 * t.wedgeTime()}) {
					wedged := w.stuck(ctx, t.wedgeTime())
					if wedged != nil {
						wedges = append(wedges, wedged)
					}
					if wedged != nil || !refuses(sample) {
						break
					}
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
