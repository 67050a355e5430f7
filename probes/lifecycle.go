package probes

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// lifecycle has the calls that lead a logical cloud or a deployment intent group
// from state to state.
type lifecycle struct {
	kind  emco.Kind
	word  string // of the anchor's template
	field string // of the given state
	group int    // the number of the deployment intent group; 0 for the logical cloud
	// complete is the kind of resource that must exist before calls are made.
	complete                        emco.Kind
	approve, instantiate, terminate emco.Call // a logical cloud is not approved
	blocks                          string    // what cannot go before it, as a template
	// leads has the call to make in a state, whichever other than Created is wanted.
	leads map[emco.State]emco.Call
	// before has the call to make before what is in a state can be terminated.
	before map[emco.State]emco.Call
}

// lifecycles are in the order in which EMCO instantiates.
var lifecycles = []lifecycle{cloudLifecycle(), groupLifecycle("dig", 1), groupLifecycle("dig2", 2), groupLifecycle("dig3", 3)}

func cloudLifecycle() lifecycle {
	instantiate, terminate := callNamed("logical-cloud.instantiate"), callNamed("logical-cloud.terminate")
	return lifecycle{
		kind: emco.LogicalCloud, word: "{logicalCloud}", field: "logicalCloud",
		complete: emco.ClusterReference, instantiate: instantiate, terminate: terminate,
		blocks: "{project}, {provider}",
		leads: map[emco.State]emco.Call{
			emco.Created: instantiate, emco.Instantiated: terminate, emco.Terminated: instantiate, emco.InstantiateStopped: terminate,
		},
	}
}

func groupLifecycle(field string, number int) lifecycle {
	approve, instantiate, terminate := callNamed(field+".approve"), callNamed(field+".instantiate"), callNamed(field+".terminate")
	l := lifecycle{
		kind: emco.DeploymentIntentGroup, word: "{dig}", field: field, group: number,
		complete: emco.Intent, approve: approve, instantiate: instantiate, terminate: terminate,
		blocks: "{logicalCloud}, {compositeApp}, {project}, {provider}",
		leads: map[emco.State]emco.Call{
			emco.Created: approve, emco.Approved: instantiate, emco.Instantiated: terminate, emco.Terminated: instantiate,
			emco.InstantiateStopped: terminate, emco.TerminateStopped: instantiate,
		},
		// Neither is taken for instantiated by EMCO, and both may have objects on the edge.
		before: map[emco.State]emco.Call{emco.TerminateStopped: instantiate},
	}
	if number == 1 { // no call updates another one
		l.before[emco.Updated] = callNamed("dig.rollback")
	}
	return l
}

// next is the call to make in a state on the way to another; false if none leads there.
func (l lifecycle) next(state, want emco.State) (call emco.Call, leads bool) {
	if want == emco.Approved && state == emco.Terminated {
		return l.approve, true
	}
	call, leads = l.leads[state]
	return call, leads && want != emco.Created
}

// anchor is where what has this life cycle is.
func (l lifecycle) anchor(names emco.Names) string { return l.in(names, l.word) }

// in fills a template with the names of its group.
func (l lifecycle) in(names emco.Names, template string) string {
	return names.Group(l.group).Anchor(template)
}

// has reports whether a call works on what has this life cycle.
func (l lifecycle) has(call emco.Call) bool {
	return strings.HasPrefix(call.StatusPath, l.word) && max(call.Shown(), 1) == max(l.group, 1)
}

func callNamed(name string) emco.Call {
	call, _ := emco.CallNamed(name) // a test looks up all that stand above
	return call
}

func (p *preparation) driveTo(ctx context.Context, l lifecycle, want emco.State) error {
	anchor := l.anchor(p.Names)
	for range len(l.leads) + 1 {
		reading, err := p.await(ctx, l.instantiate, func(r emco.Reading) bool { return r.Status.Resting() != "" })
		if err != nil {
			return err
		}
		state := reading.Status.Resting()
		call, leads := l.next(state, want)
		switch {
		case state == "":
			return fmt.Errorf("%s has not come to rest: status says %s", anchor, describe(reading))
		case state == want:
			return nil
		case !leads && p.Existing:
			return fmt.Errorf("%s is %s, and no call leads from there to %s: name one that is, in the target's settings.existing, %s",
				anchor, document.Shown(string(state)), want, withoutExisting)
		case !leads:
			return fmt.Errorf("%s: %s was not reached: status says %s", anchor, want, describe(reading))
		}
		p.calls = append(p.calls, call.Name)
		if err := p.makeCall(ctx, call, state); err != nil {
			return fmt.Errorf("%s: %w", call.Name, err)
		}
	}
	return fmt.Errorf("%s did not come to be %s by %s", anchor, want, strings.Join(p.calls, ", "))
}

func (p *preparation) makeCall(ctx context.Context, call emco.Call, from emco.State) error {
	if call.Action != emco.Approved || from != emco.Terminated {
		issue := p.issue(call, p.patience)
		err := issue.run(ctx)
		if err == nil {
			// Until EMCO has begun, the status is that of before, and the call
			// must not be made again.
			_, err = p.await(ctx, call, ended)
			p.Slowest.see(time.Since(issue.answer.Ended))
		}
		return err
	}
	// The history has the approval from before the termination, so that only an
	// answer proves the new one. To approve twice does no harm.
	request, err := p.request(call)
	if err != nil {
		return err
	}
	_, err = p.until(ctx, request, func(a emco.Answer) bool {
		p.Note(a.Ended, fmt.Sprintf("POST %s --> %s", request.Anchor, a))
		return a.Outcome.Kind == emco.Accepted
	})
	return err
}
