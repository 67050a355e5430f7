package lifecycle

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/appcontext"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// Keys that no EMCO has: the windows that calls are in, and what a kill in one has led to. The name of the bug and the
// key of what the call is about follow.
const (
	openKeys = "/emulator/open/"
	harmKeys = "/emulator/harm/"
)

// Windows are the crash windows of one service. They remember in etcd, so that they split no stretch of writes to it.
type Windows struct {
	on       map[bug.Bug]bug.Window
	etcd     *clientv3.Client
	contexts appcontext.Contexts
	rsync    *Rsync

	mu    sync.Mutex
	harms map[string]bug.Harm // by bug and key
}

// NewWindows returns those that are on, of a service that has the bugs.
func NewWindows(bugs bug.Set, etcd *clientv3.Client, contexts appcontext.Contexts, rsync *Rsync) *Windows {
	return &Windows{on: bugs.Windows(), etcd: etcd, contexts: contexts, rsync: rsync, harms: map[string]bug.Harm{}}
}

// start learns what is harmed already. Windows that are open do harm if the service was killed, and none otherwise.
func (w *Windows) start(ctx context.Context, killed bool) error {
	for name, window := range w.on {
		harmed, err := w.etcd.Get(ctx, harmKeys+string(name)+"/", clientv3.WithPrefix())
		if err != nil {
			return err
		}
		w.mu.Lock()
		for _, pair := range harmed.Kvs {
			w.harms[strings.TrimPrefix(string(pair.Key), harmKeys)] = bug.Harm(pair.Value)
		}
		w.mu.Unlock()
		open, err := w.etcd.Get(ctx, openKeys+string(name)+"/", clientv3.WithPrefix())
		if err != nil {
			return err
		}
		for _, pair := range open.Kvs {
			if killed && window.Harm == bug.TakenUp {
				err = w.send(ctx, window.Call, string(pair.Value))
			} else if killed {
				err = w.set(ctx, strings.TrimPrefix(string(pair.Key), openKeys), window.Harm)
			}
			if err == nil {
				_, err = w.etcd.Delete(ctx, string(pair.Key))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// set notes the harm of a bug to a key; "" is none any more.
func (w *Windows) set(ctx context.Context, at string, harm bug.Harm) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.harms[at] = harm
	if harm == "" {
		_, err := w.etcd.Delete(ctx, harmKeys+at)
		return err
	}
	_, err := w.etcd.Put(ctx, harmKeys+at, string(harm))
	return err
}

// harm returns one of the harms that was done to a key by a window of the call, or of any call if that is "", and
// where it is noted.
func (w *Windows) harm(key, call string, harms ...bug.Harm) (bug.Harm, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, window := range w.on {
		at := string(name) + "/" + key
		if slices.Contains(harms, w.harms[at]) && cmp.Or(call, window.Call) == window.Call {
			return w.harms[at], at
		}
	}
	return "", ""
}

func (w *Windows) send(ctx context.Context, call, contextID string) error {
	if call == "instantiate" {
		return w.rsync.Install(ctx, contextID)
	}
	return w.rsync.Uninstall(ctx, contextID)
}

// refuse answers a request to what is harmed. Below is the path below its key.
func (w *Windows) refuse(ctx context.Context, method, key, below string) error {
	if harm, _ := w.harm(key, "", bug.Refuses); harm != "" {
		return rest.Failure(rest.InternalError)
	}
	if harm, _ := w.harm(key, below, bug.RefusesIt); harm != "" && method == http.MethodPost {
		return rest.Failure("DeploymentIntentGroup has already been instantiated" + key[strings.LastIndex(key, "/")+1:])
	}
	if method != http.MethodDelete {
		return nil
	}
	harm, at := w.harm(key, "", bug.Keeps, bug.Destroys)
	switch {
	case harm == bug.Keeps && below == "":
		return &rest.Problem{Status: http.StatusNoContent}
	case harm == bug.Destroys:
		var info Info
		if err := w.rsync.Store.Find(ctx, key, rest.State, &info); err != nil {
			return err
		}
		if err := w.contexts.Delete(ctx, info.Last().Instance); err != nil {
			return err
		}
		if err := w.set(ctx, at, bug.Refuses); err != nil {
			return err
		}
		return rest.Failure(rest.InternalError)
	}
	return nil
}

// Passage is the way of one call through the windows.
type Passage struct {
	*Windows
	key, call string
	again     bool
	open      map[string]bool // keys in etcd
}

// Begin is called when a call is not refused any more.
func (w *Windows) Begin(key, call string, info Info) *Passage {
	again := slices.ContainsFunc(info.Actions, func(a Action) bool { return a.State == Terminated })
	return &Passage{w, key, call, again, map[string]bool{}}
}

// At opens and closes the windows of a place. What cannot be remembered opens none.
func (p *Passage) At(ctx context.Context, place bug.Place, contextID string) {
	for name, window := range p.on {
		at := openKeys + string(name) + "/" + p.key
		if window.Call != p.call || window.Again && !p.again {
			continue
		}
		if window.Opens == place {
			_, err := p.etcd.Put(ctx, at, contextID)
			p.open[at] = err == nil
		}
		if window.Closes == place && p.open[at] {
			p.close(ctx, at)
		}
	}
}

func (p *Passage) close(ctx context.Context, at string) {
	_, err := p.etcd.Delete(ctx, at)
	p.open[at] = err != nil
}

// End closes what is open when a call failed. When the service ends with the call, its return does that.
func (p *Passage) End(ctx context.Context) {
	for at, open := range p.open {
		if open && ctx.Err() == nil {
			p.close(ctx, at)
		}
	}
}

// Send hands the call to rsync.
func (p *Passage) Send(ctx context.Context, contextID string) error {
	p.At(ctx, bug.Ready, contextID)
	if err := p.harmed(ctx, contextID); err != nil {
		return err
	}
	p.At(ctx, bug.Heard, contextID)
	return nil
}

// harmed sends a call as an earlier one's harm wants it: the first that it can do something to.
func (p *Passage) harmed(ctx context.Context, contextID string) error {
	harm, at := p.harm(p.key, p.call, bug.Unheard, bug.Unattended)
	if harm == "" && p.call == "terminate" {
		harm, at = p.harm(p.key, "", bug.Forgets, bug.Twice)
	}
	var err error
	if harm != "" {
		err = p.set(ctx, at, "")
	}
	switch {
	case err != nil:
	case harm == bug.Unheard || harm == bug.Unattended:
		var work appcontext.Work
		kinds := map[string]appcontext.Kind{"instantiate": appcontext.Instantiate, "terminate": appcontext.Terminate}
		work, err = p.contexts.Enqueue(ctx, contextID, appcontext.Event{Kind: kinds[p.call]})
		if err == nil && harm == bug.Unattended {
			err = work.Release(ctx)
		}
		return err
	case harm == bug.Forgets:
		err = p.contexts.Forget(ctx, contextID)
	case harm == bug.Twice:
		err = p.send(ctx, p.call, contextID)
	}
	if err != nil {
		return err
	}
	return p.send(ctx, p.call, contextID)
}
