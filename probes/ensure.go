package probes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// ensure brings the attempt's own resources, of which nothing may be there
// yet, to a given state; or, if the subject says so, ones that exist already.
type ensure struct {
	given emco.Given
	// patience bounds how long one call waits out what can go away.
	patience time.Duration
}

var ensureKind = Kind{
	Activity: action("ensure", "brings fresh resources of the run's own to a given state",
		activity.Argument{Name: "given", Type: activity.Mapping, Required: true,
			Description: "the states, such as {logicalCloud: Instantiated, dig: Approved}, or {for: CALL}"}),
	make: func(a arguments) (Probe, error) {
		given, err := emco.ParseGiven(a.object("given"))
		return ensure{given: given, patience: 15 * time.Second}, err
	},
}

// making is one run of an ensure.
type making struct {
	ensure
	on       Subject
	observer Observer
	made     int
	calls    []string // made on what exists already
}

func (p ensure) Run(ctx context.Context, on Subject, observer Observer) Result {
	began := time.Now()
	m := &making{ensure: p, on: on, observer: observer}
	err := m.run(ctx)
	evidence := map[string]string{
		"given":            p.given.String(),
		"made":             strconv.Itoa(m.made),
		"project":          on.Names.Anchor("{project}"),
		"cluster provider": on.Names.Anchor("{provider}"),
	}
	if on.Existing {
		delete(evidence, "cluster provider")
		evidence["calls"] = or(strings.Join(m.calls, ", "), "none")
	}
	switch {
	case err == nil && on.Existing:
		return Result{Conclusion: Passed, Evidence: evidence,
			Message: fmt.Sprintf("resources that exist already: %s; calls made: %s", existingStates(p.given), evidence["calls"])}
	case err == nil:
		return Result{Conclusion: Passed, Evidence: evidence,
			Message: fmt.Sprintf("%s; %d resources made in %s", p.given, m.made, shown(time.Since(began)))}
	case ctx.Err() != nil && !outOfTime(ctx):
		return Result{Conclusion: Inconclusive, Evidence: evidence, Message: "ended before the given state was reached"}
	default:
		return Result{Conclusion: Errored, Evidence: evidence,
			Message: fmt.Sprintf("the given state could not be reached (%s): %v", p.given, err)}
	}
}

func (m *making) run(ctx context.Context) error {
	if err := m.given.Check(); err != nil {
		return err
	}
	if m.on.Existing {
		return m.existing(ctx)
	}
	if len(m.on.Setup.Apps) == 0 && m.given.Has(emco.App) {
		return document.Problem{Field: "apps", Message: "is empty", Remedy: "name the apps that the composite app is made of"}
	}
	material, err := m.on.material(m.given.Has(emco.Cluster))
	if err != nil {
		return err
	}
	if err := m.nothingThere(ctx); err != nil {
		return err
	}
	if err := m.registerRsync(ctx); err != nil {
		return err
	}
	for _, resource := range m.on.Names.Resources(material) {
		if !m.given.Has(resource.Kind) {
			continue
		}
		if err := m.create(ctx, resource); err != nil {
			return err
		}
		m.made++
		switch resource.Kind {
		case emco.ClusterReference:
			err = m.drive(ctx, m.given.Full().LogicalCloud, map[emco.State][]string{
				emco.Instantiated: {"logical-cloud.instantiate"},
				emco.Terminated:   {"logical-cloud.instantiate", "logical-cloud.terminate"},
			})
		case emco.Intent: // the last piece of a deployment intent group
			err = m.drive(ctx, m.given.Full().DIG, map[emco.State][]string{
				emco.Approved:     {"dig.approve"},
				emco.Instantiated: {"dig.approve", "dig.instantiate"},
				emco.Terminated:   {"dig.approve", "dig.instantiate", "dig.terminate"},
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nothingThere makes sure that neither the project nor the cluster provider
// exists, below which all other names lie.
func (m *making) nothingThere(ctx context.Context) error {
	for _, template := range []string{"{project}", "{provider}"} {
		anchor := m.on.Names.Anchor(template)
		answer, err := m.get(ctx, anchor)
		if err != nil {
			return err
		}
		if !answer.Missing() {
			return fmt.Errorf("%s is there already; nothing was made: remove it, or give the run another name", anchor)
		}
	}
	return nil
}

// get asks for a resource until EMCO says that it is there or that it is
// not.
func (m *making) get(ctx context.Context, anchor string) (emco.Answer, error) {
	return m.send(ctx, emco.Get(anchor), func(a emco.Answer) bool { return a.Outcome.Kind == emco.Accepted || a.Missing() })
}

// send sends a request until its answer is one to be had, and waits out what
// can go away by itself.
func (m *making) send(ctx context.Context, request emco.Request, wanted func(emco.Answer) bool) (emco.Answer, error) {
	var failed error
	send := func(ctx context.Context) sample { return m.on.send(ctx, request) }
	for got := range poll(ctx, m.on.Setup.within(m.patience), send) {
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

// transient says whether what stood in the way can go away by itself.
func transient(answer emco.Answer) bool {
	switch answer.Outcome.Kind {
	case emco.Rejected:
		return answer.Code >= 500
	case emco.TLSFailure, emco.DNSFailure:
		return false
	}
	return true
}

// registerRsync registers rsync if nobody has. The registration is shared:
// it is never changed and never removed, and so no resource of the run.
func (m *making) registerRsync(ctx context.Context) error {
	host, port, err := m.on.Setup.rsync()
	if err != nil {
		return err
	}
	answer, err := m.get(ctx, "controllers/"+emco.RsyncName)
	if err != nil {
		return err
	}
	if !answer.Missing() {
		if there, ok := answer.Controller(); ok && there != m.on.Setup.Rsync {
			m.observer.Note(answer.Ended, fmt.Sprintf("rsync is registered at %s, not at the target's %s; the registration is left as it is", document.Shown(there), m.on.Setup.Rsync))
		}
		return nil
	}
	_, err = m.send(ctx, m.on.Names.RsyncController(host, port), func(a emco.Answer) bool {
		m.observer.Note(a.Ended, fmt.Sprintf("POST %s --> %s (rsync was not registered; the registration stays)", a.Request.Anchor, a))
		// Somebody else may be as quick.
		return a.Outcome.Kind == emco.Accepted || a.Code == http.StatusConflict
	})
	return err
}

// create makes one resource. Whether a POST whose answer was lost has made
// it, a GET tells.
func (m *making) create(ctx context.Context, resource emco.Resource) error {
	m.observer.Resource(Resource{Anchor: resource.Anchor, State: Making})
	unsure := false // a POST of ours may have made it
	var failed error
	post := func(ctx context.Context) sample { return m.on.send(ctx, resource.Create) }
	for got := range poll(ctx, m.on.Setup.within(m.patience), post) {
		if got.err != nil {
			return got.err
		}
		failed = fmt.Errorf("POST %s (%s): %s", resource.Create.Anchor, resource.Kind, got)
		switch {
		case got.Outcome.Kind == emco.Accepted:
			m.observer.Resource(Resource{Anchor: resource.Anchor, State: Made})
			return nil
		case ctx.Err() != nil,
			got.Outcome.Kind == emco.Rejected && got.Code < 500 && !(unsure && got.Code == http.StatusConflict),
			!transient(got.Answer) && !unsure:
			return failed
		case got.Outcome.Kind == emco.Refused:
			continue
		}
		unsure = true
		m.observer.Note(got.Ended, failed.Error()+"; a GET will tell whether it was made")
		found, err := m.get(ctx, resource.Anchor)
		switch {
		case err != nil:
			return errors.Join(failed, err)
		case found.Missing():
		case !ours(m.on.Names, resource, found):
			return errors.Join(failed, fmt.Errorf("%s is there and does not carry the run's mark", resource.Anchor))
		default:
			m.observer.Resource(Resource{Anchor: resource.Anchor, State: Made})
			return nil
		}
	}
	return failed
}

// drive makes the calls that lead to a state and waits for each one's end.
func (m *making) drive(ctx context.Context, state emco.State, ways map[emco.State][]string) error {
	for _, name := range ways[state] {
		call, ok := emco.CallNamed(name)
		if !ok {
			return fmt.Errorf("no call is named %s", name)
		}
		issue := &issuing{on: m.on, call: call, observer: m.observer, patience: m.patience}
		if err := issue.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		reading, err := m.on.await(ctx, call, m.observer, ended)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if reading.Progress != emco.Done {
			return fmt.Errorf("%s: %s was not reached: status says %s", name, call.End, describe(reading))
		}
	}
	return nil
}

// ours says whether a resource that a GET found carries the run's mark.
func ours(names emco.Names, resource emco.Resource, found emco.Answer) bool {
	mark := found.Mark()
	return mark == names.Mark() || resource.Unmarked && mark == ""
}
