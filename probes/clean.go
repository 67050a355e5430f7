package probes

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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
	r := newRemoval(on, observer)
	attempts, strays, err := p.find(ctx, on)
	if err != nil {
		return errored(err)
	}
	for _, anchor := range strays {
		r.leave(anchor, "it carries a run's mark, but no name that a run gives")
	}
	var errs []error
	for _, names := range attempts {
		observer.Note(time.Now(), fmt.Sprintf("found run %s, attempt %d", names.Run(), names.Attempt()))
		errs = append(errs, r.attempt(ctx, names))
	}
	result := r.result(fmt.Sprintf(" of %d attempts", len(attempts)), errs...)
	result.Evidence["attempts"] = strconv.Itoa(len(attempts))
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
			run, ok := emco.RunOf(entry.Metadata.UserData1)
			if !ok || p.run != "" && run != p.run {
				continue
			}
			names, ok := emco.NamesOf(entry.Metadata.Name, entry.Metadata.UserData1)
			switch {
			case !ok:
				strays = append(strays, collection+"/"+document.Shown(entry.Metadata.Name))
			case !slices.Contains(attempts, names):
				attempts = append(attempts, names)
			}
		}
	}
	return attempts, strays, nil
}
