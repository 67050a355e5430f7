package probes

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var ensureKind = Kind{
	Activity: action("ensure", "brings fresh resources of the run's own to a given state",
		activity.Argument{Name: "given", Type: activity.Mapping, Required: true,
			Description: "the states, such as {logicalCloud: Instantiated, dig: Approved}, or {for: CALL}"}),
	check: func(a arguments) error {
		_, err := a.given()
		return err
	},
	run: ensure,
}

// callPatience is how long one call may wait for a problem to go away by itself.
const callPatience = 15 * time.Second

// preparation is one run of an ensure.
type preparation struct {
	task
	given    emco.Given
	patience time.Duration
	made     int
	calls    []string
}

// ensure brings the attempt's own resources, of which none may exist yet, to a
// given state; with [Subject.Existing], resources that exist already.
func ensure(ctx context.Context, t task) Result {
	began := time.Now()
	given, err := t.arguments.given()
	p := &preparation{task: t, given: given, patience: cmp.Or(t.Setup.patience, callPatience)}
	if err == nil {
		err = p.run(ctx)
	}
	result := Result{Conclusion: Passed, Evidence: map[string]string{
		"given": given.String(), "made": strconv.Itoa(p.made), "project": t.Names.Anchor("{project}"),
	}}
	if t.Existing {
		calls := cmp.Or(strings.Join(p.calls, ", "), "none")
		result.Evidence["calls"] = calls
		result.Message = fmt.Sprintf("resources that exist already: %s; calls made: %s", existingStates(given), calls)
	} else {
		result.Evidence["cluster provider"] = t.Names.Anchor("{provider}")
		result.Message = fmt.Sprintf("%s; %d resources made in %s", given, p.made, rounded(time.Since(began)))
	}
	switch {
	case err == nil:
	case ctx.Err() != nil && !outOfTime(ctx):
		result.Conclusion, result.Message = Inconclusive, "ended before the given state was reached"
	default:
		result.Conclusion, result.Message = Errored, fmt.Sprintf("the given state could not be reached (%s): %v", given, err)
	}
	return result
}

func (p *preparation) run(ctx context.Context) error {
	if p.Existing {
		return p.existing(ctx)
	}
	if len(p.Setup.Apps) == 0 && p.given.Has(emco.App) {
		return document.Problem{Field: "apps", Message: "is empty", Remedy: "name the apps that the composite app is made of"}
	}
	material, err := p.material(p.given.Has(emco.Cluster))
	if err != nil {
		return err
	}
	if err := p.nothingThere(ctx); err != nil {
		return err
	}
	if err := p.registerRsync(ctx); err != nil {
		return err
	}
	for _, resource := range p.Names.Resources(material) {
		if !p.given.Has(resource.Kind) {
			continue
		}
		if err := p.create(ctx, resource); err != nil {
			return err
		}
		p.made++
		for _, l := range lifecycles {
			if state := l.state(p.given); resource.Kind == l.complete && state != emco.Created {
				if err := p.driveTo(ctx, l, state); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// find asks for a resource until EMCO answers that it exists, or does not.
func (p *preparation) find(ctx context.Context, anchor string) (emco.Answer, error) {
	return p.until(ctx, emco.Get(anchor), func(a emco.Answer) bool { return a.Outcome.Kind == emco.Accepted || a.Missing() })
}

// repeat sends a request again and again, as long as the patience lasts.
func (p *preparation) repeat(ctx context.Context, request emco.Request) iter.Seq[sample] {
	send := func(ctx context.Context) sample { return p.send(ctx, request) }
	return poll(ctx, p.Setup.pace(pace{patience: p.patience}), send)
}

// until sends a request until it has a wanted answer, and waits out problems
// that can go away by themselves.
func (p *preparation) until(ctx context.Context, request emco.Request, wanted func(emco.Answer) bool) (emco.Answer, error) {
	var failed error
	for got := range p.repeat(ctx, request) {
		if got.err != nil {
			return emco.Answer{}, got.err
		}
		if wanted(got.Answer) {
			return got.Answer, nil
		}
		failed = fmt.Errorf("%s %s: %s", request.Method, request.Anchor, got)
		if !transient(got.Answer) {
			return emco.Answer{}, failed
		}
	}
	if ctx.Err() != nil {
		failed = fmt.Errorf("%w: %w", failed, ctx.Err())
	}
	return emco.Answer{}, failed
}

// transient reports whether the problem can go away by itself.
func transient(answer emco.Answer) bool {
	switch answer.Outcome.Kind {
	case emco.Rejected:
		return answer.Code >= 500
	case emco.TLSFailure, emco.DNSFailure:
		return false
	}
	return true
}
