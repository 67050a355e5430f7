package probes

import (
	"context"
	"fmt"
	"regexp"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// exists asks whether a resource is there.
type exists struct {
	anchor string
}

var existsKind = Kind{
	Activity: question("exists", "tells whether a resource is there, by a GET of its anchor",
		activity.Argument{Name: "anchor", Type: activity.Text, Required: true,
			Description: "the resource's path below /v2/, such as projects/PROJECT, or one of the run's own, such as {dig} or {logicalCloud}"}),
	make: func(a arguments) (Probe, error) {
		anchor := a.text("anchor")
		sample, err := emco.NewNames("sample", 1)
		if err != nil {
			return nil, err
		}
		if word := unknownWord.FindString(sample.Anchor(anchor)); word != "" {
			return nil, a.wrong("anchor", fmt.Sprintf("%q stands for no resource of a run", document.Shown(word)),
				"use {project}, {provider}, {cluster}, {label}, {logicalCloud}, {reference}, {compositeApp}, {compositeProfile}, {dig}, {placement} or {intent}")
		}
		return exists{anchor: anchor}, emco.CheckAnchor(sample.Anchor(anchor))
	},
}

var unknownWord = regexp.MustCompile(`\{[^}]*\}`)

// Run asks until EMCO answers that it is there, or that it is not.
func (p exists) Run(ctx context.Context, on Subject, observer Observer) Result {
	anchor := on.Names.Anchor(p.anchor)
	w := &watch{
		observer: observer, noun: "answer",
		ask: func(ctx context.Context) sample {
			seen := on.get(ctx, anchor)
			seen.words = seen.String()
			seen.note = fmt.Sprintf("GET %s --> %s", anchor, seen.words)
			return seen
		},
		evidence: func(last sample) map[string]string {
			return map[string]string{"anchor": anchor, "answer": last.Outcome.String()}
		},
	}
	for sample := range w.samples(ctx, on.Setup.steady()) {
		switch {
		case sample.Outcome.Kind == emco.Accepted:
			return w.result(Passed, "%s is there", anchor)
		case sample.Missing():
			return w.result(Failed, "%s is not there: %s", anchor, sample.Text())
		case sample.Outcome.Kind == emco.Rejected && sample.Code < 500:
			return w.result(Errored, "GET %s: %s", anchor, sample.Answer)
		}
	}
	return w.unfinished(ctx, fmt.Sprintf("EMCO did not say whether %s is there", anchor))
}
