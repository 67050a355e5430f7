package probes

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
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
	check: func(p Probe) error {
		_, err := p.given()
		return err
	},
	run: ensure,
}

// callPatience is how long one call may wait for a problem to go away by itself.
const callPatience = 15 * time.Second

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
	given, _ := t.given() // which New has checked
	p := &preparation{task: t, given: given, patience: cmp.Or(t.Setup.patience, callPatience)}
	err := p.run(ctx)
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
	for _, l := range lifecycles {
		for _, app := range p.Setup.Apps {
			if err := p.Names.Group(l.group).CheckApp(app); err != nil && p.given.State(l.field) != emco.Absent {
				return err
			}
		}
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
	for _, resource := range p.Names.All(material) {
		if !p.given.Includes(resource) {
			continue
		}
		if err := p.create(ctx, resource); err != nil {
			return err
		}
		p.made++
		for _, l := range lifecycles {
			if state := p.given.State(l.field); resource.Kind == l.complete && resource.Group == l.group && state != emco.Created {
				if err := p.driveTo(ctx, l, state); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *preparation) find(ctx context.Context, anchor string) (emco.Answer, error) {
	return p.until(ctx, emco.Get(anchor), func(a emco.Answer) bool { return a.Outcome.Kind == emco.Accepted || a.Missing() })
}

// until sends a request until it has a wanted answer, and waits out problems
// that can go away by themselves.
func (p *preparation) until(ctx context.Context, request emco.Request, wanted func(emco.Answer) bool) (emco.Answer, error) {
	var failed error
	send := func(ctx context.Context) sample { return p.send(ctx, request) }
	for got := range poll(ctx, p.Setup.pace(pace{patience: p.patience}), send) {
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

func transient(answer emco.Answer) bool {
	switch answer.Outcome.Kind {
	case emco.Rejected:
		return answer.Code >= 500
	case emco.TLSFailure, emco.DNSFailure:
		return false
	}
	return true
}

// nothingThere checks that neither the project nor the cluster provider exists.
func (p *preparation) nothingThere(ctx context.Context) error {
	for _, template := range []string{"{project}", "{provider}"} {
		anchor := p.Names.Anchor(template)
		answer, err := p.find(ctx, anchor)
		if err != nil {
			return err
		}
		if !answer.Missing() {
			return fmt.Errorf("%s is there already; nothing was made: remove it, or give the run another name", anchor)
		}
	}
	return nil
}

// registerRsync registers rsync if nobody has. The registration is shared: it is
// never changed nor removed, and no resource of the run.
func (p *preparation) registerRsync(ctx context.Context) error {
	host, port, err := p.Setup.rsync()
	if err != nil {
		return err
	}
	answer, err := p.find(ctx, "controllers/"+emco.RsyncName)
	if err != nil {
		return err
	}
	if !answer.Missing() {
		if there, ok := answer.Controller(); ok && there != p.Setup.Rsync {
			p.Note(answer.Ended, fmt.Sprintf("rsync is registered at %s, not at the target's %s; the registration is left as it is",
				document.Shown(there), p.Setup.Rsync))
		}
		return nil
	}
	_, err = p.until(ctx, p.Names.RsyncController(host, port), func(a emco.Answer) bool {
		p.Note(a.Ended, fmt.Sprintf("POST %s --> %s (rsync was not registered; the registration stays)", a.Request.Anchor, a))
		// Somebody else may be as quick.
		return a.Outcome.Kind == emco.Accepted || a.Code == http.StatusConflict
	})
	return err
}

// create makes one resource. If an answer is lost, a GET tells whether it was made.
func (p *preparation) create(ctx context.Context, resource emco.Resource) error {
	p.Resource(Resource{Anchor: resource.Anchor, State: Making})
	unsure := false // a POST of ours may have made it
	var unclear error
	_, err := p.until(ctx, resource.Create, func(posted emco.Answer) bool {
		switch {
		case posted.Outcome.Kind == emco.Accepted:
			return true
		case ctx.Err() != nil, posted.Outcome.Kind == emco.Refused,
			!transient(posted) && !(unsure && posted.Code == http.StatusConflict):
			return false
		}
		unsure = true
		p.Note(posted.Ended, fmt.Sprintf("POST %s (%s): %s; a GET will tell whether it was made", resource.Create.Anchor, resource.Kind, posted))
		var found emco.Answer
		found, unclear = p.find(ctx, resource.Anchor)
		if unclear == nil && !found.Missing() && !ours(p.Names, resource, found) {
			unclear = fmt.Errorf("%s is there and does not carry the run's mark", resource.Anchor)
		}
		return unclear != nil || !found.Missing()
	})
	if err = cmp.Or(err, unclear); err != nil {
		return fmt.Errorf("make the %s: %w", resource.Kind, err)
	}
	p.Resource(Resource{Anchor: resource.Anchor, State: Made})
	return nil
}

func ours(names emco.Names, resource emco.Resource, found emco.Answer) bool {
	mark := found.Mark()
	return mark == names.Mark() || resource.Unmarked() && mark == ""
}
