package probes

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// wedge is a resource that EMCO gives, and refuses everything else of for good: its status, its calls, its DELETE.
type wedge struct{ anchor, blocks, tried string }

func (w *wedge) Error() string { return w.anchor + " is wedged: " + w.tried }

// result is that of a probe which the wedge ends.
func (w *wedge) result(evidence map[string]string) Result {
	result := Result{Conclusion: Failed, Message: w.Error(), Evidence: wedgeEvidence(w)}
	maps.Copy(result.Evidence, evidence)
	return result
}

// wedgeEvidence is what is wedged, what it blocks and what was tried; nothing if there is none.
func wedgeEvidence(wedges ...*wedge) map[string]string {
	evidence := map[string]string{}
	for _, w := range wedges {
		for key, text := range map[string]string{"wedged": w.anchor, "blocks": w.blocks, "tried": w.tried} {
			evidence[key] = strings.TrimPrefix(evidence[key]+"; "+text, "; ")
		}
	}
	return evidence
}

// wedgeTime is how long EMCO itself must refuse a status without a break: a 500 while a back end comes back goes away.
func (s Subject) wedgeTime() time.Duration { return cmp.Or(s.Setup.quiet, 3*time.Second) }

// refuses reports whether EMCO itself does not give a state, and not for want of the resource.
func refuses(s sample) bool {
	return s.reading.Progress == emco.Unknown && s.Outcome.Kind == emco.Rejected && (s.Code >= 500 || s.Code == http.StatusBadRequest)
}

// stuck is what may be a wedge: a status that was refused for so long, of a resource that is there. A wedge refuses the
// calls too, which only who wants them made can ask.
func (w *watch) stuck(ctx context.Context, long time.Duration) *wedge {
	took := w.last.Ended.Sub(w.refused)
	for _, l := range lifecycles {
		anchor := l.anchor(w.Names)
		if w.refused.IsZero() || took < long || !l.has(w.call) || w.get(ctx, anchor).Outcome.Kind != emco.Accepted {
			continue
		}
		return &wedge{anchor, l.in(w.Names, l.blocks), fmt.Sprintf("GET: 200 OK; status for %s: %s", rounded(took), w.last.Answer)}
	}
	return nil
}
