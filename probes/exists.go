package probes

import (
	"context"
	"fmt"
	"regexp"
	"time"

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
	began := time.Now()
	seen := changes{observer: observer}
	anchor := on.Names.Anchor(p.anchor)
	for {
		answer, err := on.get(ctx, anchor)
		if err != nil {
			return errored(err)
		}
		if !over(ctx) {
			seen.see(answer.Ended, "GET "+anchor+" --> "+answer.String())
		}
		evidence := map[string]string{"anchor": anchor, "answer": answer.Outcome.String()}
		switch {
		case answer.Outcome.Kind == emco.Accepted:
			return Result{Conclusion: Passed, Message: anchor + " is there", Evidence: evidence}
		case answer.Missing():
			return Result{Conclusion: Failed, Message: anchor + " is not there: " + answer.Text(), Evidence: evidence}
		case answer.Outcome.Kind == emco.Rejected && answer.Code < 500:
			return Result{Conclusion: Errored, Message: "GET " + anchor + ": " + answer.String(), Evidence: evidence}
		}
		if !pause(ctx, on.Setup.interval()) {
			result := unfinished(ctx, time.Since(began), fmt.Sprintf("EMCO did not say whether %s is there (%s)", anchor, or(seen.last, "no answer came")))
			result.Evidence = evidence
			return result
		}
	}
}
