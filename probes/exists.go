package probes

import (
	"context"
	"fmt"
	"regexp"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var existsKind = Kind{
	Activity: question("exists", "tells whether a resource is there, by a GET of its anchor",
		activity.Argument{Name: "anchor", Type: activity.Text, Required: true,
			Description: "the resource's path below /v2/, such as projects/PROJECT, or one of the run's own, such as {dig} or {logicalCloud}"}),
	check: checkAnchor,
	run: func(ctx context.Context, t task) Result {
		anchor := t.Names.Anchor(t.text("anchor"))
		w := &watch{
			task: t, noun: "answer",
			ask: func(ctx context.Context) sample {
				seen := t.get(ctx, anchor)
				seen.words = seen.String()
				seen.note = fmt.Sprintf("GET %s --> %s", anchor, seen.words)
				return seen
			},
			evidence: func(last sample) map[string]string {
				return map[string]string{"anchor": anchor, "answer": last.Outcome.String()}
			},
		}
		for sample := range w.samples(ctx, pace{}) {
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
	},
}

var unknownWord = regexp.MustCompile(`\{[^}]*\}`)

// checkAnchor demands an anchor with no other words in braces than a run's.
func checkAnchor(p Probe) error {
	anchor := emco.Names{}.Anchor(p.text("anchor"))
	if word := unknownWord.FindString(anchor); word != "" {
		return wrong("anchor", fmt.Sprintf("%q stands for no resource of a run", document.Shown(word)),
			"use {project}, {provider}, {cluster}, {label}, {logicalCloud}, {reference}, {compositeApp}, {compositeProfile}, {dig}, {placement} or {intent}")
	}
	return emco.CheckAnchor(anchor)
}
