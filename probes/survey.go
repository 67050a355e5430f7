package probes

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// surveyKind records, and agreementKind judges.
var (
	surveyKind = Kind{
		Activity: question("survey", "waits until nothing moves, and lists what EMCO says of what a call works on and what of it is on the edge",
			callArgument("the call")),
		run: func(ctx context.Context, t task) Result {
			seen, result := t.survey(ctx)
			if result.Conclusion == Passed {
				result.Message = seen.String()
			}
			return result
		},
	}
	agreementKind = Kind{
		Activity: question("agreement", "does as survey, and tells whether EMCO and the edge agree", callArgument("the call")),
		run: func(ctx context.Context, t task) Result {
			seen, result := t.survey(ctx)
			if result.Conclusion == Passed {
				result.Message = seen.String()
				if !seen.agrees() {
					result.Conclusion = Failed
				}
			}
			return result
		},
	}
)

// survey is what EMCO says, and what is on the edge.
type survey struct {
	state          emco.State
	words          string
	there, missing []string
}

func (s survey) String() string {
	return fmt.Sprintf("EMCO says %s; on the edge: %s", s.words, cmp.Or(strings.Join(s.there, ", "), "nothing"))
}

// agrees reports whether the edge has what EMCO says is there, and nothing that it says is not.
func (s survey) agrees() bool {
	switch s.state {
	case emco.Instantiated:
		return len(s.missing) == 0
	case emco.Created, emco.Approved, emco.Terminated, emco.Absent:
		return len(s.there) == 0
	}
	return true
}

// restPatience is how long a status may go on moving. One that then has not come to rest is told as it is.
const restPatience = 20 * time.Second

// survey waits until the status rests, or is refused for long, and looks at the edge.
func (t task) survey(ctx context.Context) (seen survey, result Result) {
	edge, err := openEdge(t.Setup.Kubeconfig)
	if err != nil {
		return seen, errored(err)
	}
	defer edge.http.CloseIdleConnections()
	call, _ := t.call()
	w := t.watchStatus(call)
	for sample := range w.samples(ctx, t.Setup.pace(pace{longest: longestInterval, patience: restPatience})) {
		if rests := sample.reading.Status.Resting() != "" || refuses(sample); rests && w.held() >= t.quiet() {
			break
		}
	}
	if w.err != nil || over(ctx) {
		return seen, w.unfinished(ctx, "the status did not come to rest")
	}
	seen.words = describe(w.last.reading)
	seen.state = cmp.Or(w.last.reading.Status.Deployed, w.last.reading.Status.LastAction())
	if strings.HasPrefix(call.StatusPath, "{dig}") {
		if seen.there, seen.missing, err = t.onEdge(ctx, edge); err != nil {
			return seen, w.result(Inconclusive, "the edge gives no answer: %v", err)
		}
	}
	result = w.result(Passed, "")
	result.Evidence["state"], result.Evidence["edge"] = string(seen.state), strings.Join(seen.there, ", ")
	return seen, result
}

// onEdge sorts the objects of the attempt's apps by whether they are on the edge, whatever EMCO says of them.
func (t task) onEdge(ctx context.Context, edge *edge) (there, missing []string, err error) {
	for _, app := range t.Setup.Apps {
		for _, object := range []emco.Object{{App: app, Group: "apps", Version: "v1", Kind: "Deployment"}, {App: app, Version: "v1", Kind: "Service"}} {
			object.Name = t.Names.Object(app)
			found, err := edge.has(ctx, object)
			if err != nil {
				return nil, nil, err
			}
			if name := object.Kind + " " + app; found {
				there = append(there, name)
			} else {
				missing = append(missing, name)
			}
		}
	}
	return there, missing, nil
}
