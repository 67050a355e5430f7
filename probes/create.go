package probes

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

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
	var failed error
	for got := range p.repeat(ctx, resource.Create) {
		if got.err != nil {
			return got.err
		}
		failed = fmt.Errorf("POST %s (%s): %s", resource.Create.Anchor, resource.Kind, got)
		switch {
		case got.Outcome.Kind == emco.Accepted:
			p.Resource(Resource{Anchor: resource.Anchor, State: Made})
			return nil
		case ctx.Err() != nil,
			got.Outcome.Kind == emco.Rejected && got.Code < 500 && !(unsure && got.Code == http.StatusConflict),
			!transient(got.Answer) && !unsure:
			return failed
		case got.Outcome.Kind == emco.Refused:
			continue
		}
		unsure = true
		p.Note(got.Ended, failed.Error()+"; a GET will tell whether it was made")
		found, err := p.find(ctx, resource.Anchor)
		switch {
		case err != nil:
			return errors.Join(failed, err)
		case found.Missing():
		case !ours(p.Names, resource, found):
			return errors.Join(failed, fmt.Errorf("%s is there and does not carry the run's mark", resource.Anchor))
		default:
			p.Resource(Resource{Anchor: resource.Anchor, State: Made})
			return nil
		}
	}
	return failed
}

// ours reports whether a resource that a GET found carries the run's mark.
func ours(names emco.Names, resource emco.Resource, found emco.Answer) bool {
	mark := found.Mark()
	return mark == names.Mark() || resource.Unmarked() && mark == ""
}
