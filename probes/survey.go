package probes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// surveyKind records, and agreementKind judges.
var (
	surveyKind    = surveying("survey", "waits until nothing moves, and lists what EMCO says of what a call works on and what of it is on the edge", false)
	agreementKind = surveying("agreement", "does as survey, and tells whether EMCO and the edge agree", true)
)

func surveying(name, summary string, judges bool) Kind {
	return Kind{
		Activity: question(name, summary, callArgument("the call"), quietArgument),
		check:    checkQuiet,
		run: func(ctx context.Context, t task) Result {
			result, agree := t.survey(ctx)
			if judges && result.Conclusion == Passed && !agree {
				result.Conclusion = Failed
			}
			return result
		},
	}
}

var quietArgument = activity.Argument{Name: "quiet", Type: activity.Duration,
	Description: "for how long nothing may move, such as 500ms where all was quiet before; the time of quiet if left out"}

func checkQuiet(p Probe) error {
	text := p.text(quietArgument.Name)
	if d, err := time.ParseDuration(text); text != "" && (err != nil || d <= 0) {
		return wrong(quietArgument.Name, fmt.Sprintf("cannot be %q", document.Shown(text)), "write a time, such as 500ms")
	}
	return nil
}

// restPatience is how long a status may go on moving. One that then has not come to rest is told as it is.
const restPatience = 20 * time.Second

// againstHistory is how many times as long a final deployment must hold that is not the one of the history: what wrote
// the history has died, or is late.
const againstHistory = 3

// survey waits until the status rests, or is refused for long, and looks at the edge. They agree if the edge has what
// EMCO says is there, and nothing that it says is not.
func (t task) survey(ctx context.Context) (result Result, agree bool) {
	edge, err := openEdge(t.Setup.Kubeconfig)
	if err != nil {
		return errored(err), false
	}
	defer edge.http.CloseIdleConnections()
	call := t.call
	w := t.watchStatus(call)
	if quiet, err := time.ParseDuration(t.text(quietArgument.Name)); err == nil {
		w.hold = quiet
	}
	during := callNamed(call.During).UnderWay // which a call that is made meanwhile finds, and does not wait for
	for sample := range w.samples(ctx, pace{longest: longestInterval, patience: restPatience}) {
		status := sample.reading.Status
		rests := status.Resting() != "" || refuses(sample) || during != "" && status.Deployed == during
		if rests && w.held() >= w.hold || status.Final() && w.held() >= againstHistory*w.hold {
			break
		}
	}
	if w.err != nil || over(ctx) {
		return w.unfinished(ctx, "the status did not come to rest"), false
	}
	var there, missing, replaced, replacedMissing []string
	if strings.HasPrefix(call.StatusPath, "{dig}") {
		there, missing, err = t.onEdge(ctx, edge, t.Names.Group(call.Shown()))
	}
	if call.Into > 0 && err == nil {
		replaced, replacedMissing, err = t.onEdge(ctx, edge, t.Names.Group(call.Group))
	}
	if err != nil {
		return w.result(Inconclusive, "the edge gives no answer: %v", err), false
	}
	list, words := strings.Join(there, ", "), describe(w.last.reading)
	if len(replaced) > 0 {
		list = strings.TrimPrefix(list+"; of what it replaces: "+strings.Join(replaced, ", "), "; ")
	}
	status := w.last.reading.Status
	state := cmp.Or(status.Deployed, status.LastAction())
	told := string(state)
	if last := status.LastAction(); slices.Contains([]emco.State{emco.Updated, emco.InstantiateStopped, emco.TerminateStopped}, last) {
		told += ", " + string(last)
	}
	if call.Replaces != "" && told != "" { // which EMCO tells by that alone
		at := fmt.Sprintf(" at revision %d", status.Revision)
		told, words = told+at, words+at
	}
	result = w.result(Passed, "EMCO says %s; on the edge: %s", words, cmp.Or(list, "nothing"))
	result.Evidence["state"], result.Evidence["edge"] = told, list
	switch state {
	case emco.Instantiated:
		return result, len(missing)+len(replaced) == 0
	case emco.Created, emco.Approved, emco.Terminated, emco.Absent:
		return result, len(there)+len(replacedMissing) == 0
	case emco.InstantiateFailed:
		// What was applied before a stop may stay, and nothing else.
		stopped := status.LastAction() == emco.InstantiateStopped
		return result, !stopped || len(there) <= status.Counts["Applied"]
	}
	return result, true
}

// onEdge sorts the objects of the apps of the groups with these names by whether they are on the edge, whatever EMCO says of them.
func (t task) onEdge(ctx context.Context, edge *edge, groups ...emco.Names) (there, missing []string, err error) {
	var objects []emco.Object
	for _, names := range groups {
		for _, app := range t.Setup.Apps {
			name := names.Object(app)
			objects = append(objects, emco.Object{App: app, Group: "apps", Version: "v1", Kind: "Deployment", Name: name},
				emco.Object{App: app, Version: "v1", Kind: "Service", Name: name})
		}
	}
	return edge.sort(ctx, objects, func(object emco.Object) string { return object.Kind + " " + object.App })
}
