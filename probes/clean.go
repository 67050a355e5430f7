package probes

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// clean removes what runs have left, found by their mark.
type clean struct {
	run string // empty: any
}

var cleanKind = Kind{
	Activity: action("clean", "finds what runs have left in EMCO, by their mark, and removes it",
		activity.Argument{Name: "run", Type: activity.Text, Description: "the name of the only run to clean up after; any if left out"}),
	make: func(a arguments) (Probe, error) { return clean{run: a.text("run")}, nil },
}

func (p clean) Run(ctx context.Context, on Subject, observer Observer) Result {
	began := time.Now()
	attempts, strays, err := p.find(ctx, on)
	if err != nil {
		return errored(err)
	}
	removed, left := 0, 0
	var problems []string
	for _, anchor := range strays {
		left++
		observer.Resource(Resource{Anchor: anchor, State: Left, Reason: "it carries a run's mark, but no name that a run gives"})
	}
	for _, names := range attempts {
		observer.Note(time.Now(), fmt.Sprintf("found run %s, attempt %d", names.Run(), names.Attempt()))
		on.Names = names
		r := newRemoval(on, observer)
		if err := r.run(ctx); err != nil {
			problems = append(problems, err.Error())
		}
		removed += r.removed
		left += len(r.kept) + len(r.pending)
	}
	result := Result{
		Conclusion: Passed,
		Message:    fmt.Sprintf("%d resources of %d attempts removed in %s", removed, len(attempts), shown(time.Since(began))),
		Evidence:   map[string]string{"removed": strconv.Itoa(removed), "left": strconv.Itoa(left), "attempts": strconv.Itoa(len(attempts))},
	}
	if left > 0 || len(problems) > 0 {
		result.Conclusion = Errored
		result.Message += fmt.Sprintf(", %d left", left)
		if len(problems) > 0 {
			result.Message += ": " + strings.Join(problems, "; ")
		}
	}
	return result
}

// find lists the attempts that have left something, and the anchors of what
// carries a mark but has no name of an attempt.
func (p clean) find(ctx context.Context, on Subject) (attempts []emco.Names, strays []string, err error) {
	for _, collection := range []string{"projects", "cluster-providers"} {
		answer := on.get(ctx, collection)
		if answer.err != nil {
			return nil, nil, answer.err
		}
		list, ok := answer.List()
		if !ok {
			return nil, nil, fmt.Errorf("GET %s: %s", collection, answer)
		}
		for _, entry := range list {
			run, ok := emco.RunOf(entry.UserData1)
			if !ok || p.run != "" && run != p.run {
				continue
			}
			names, ok := emco.NamesOf(entry.Name, entry.UserData1)
			switch {
			case !ok:
				strays = append(strays, collection+"/"+document.Shown(entry.Name))
			case !slices.Contains(attempts, names):
				attempts = append(attempts, names)
			}
		}
	}
	return attempts, strays, nil
}
