package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

const (
	cleanActivity = "clean"          // the plugin's activity that removes what runs made
	CleanLimit    = 10 * time.Minute // for removing what dead runs made
	removeLimit   = time.Minute      // for removing one fault of a dead run
	// Settle is how long after the end of a hold a call can take effect that a dead
	// run has sent: what it made must not be removed under it.
	Settle = 20 * time.Second
)

// ErrLeft: resources of dead runs are left; which ones, and why, has been told.
var ErrLeft = errors.New("some of what dead runs made is left")

// Swept counts what was removed. Remains is why resources, which harm no other
// run, may be left in the target; nil when none are.
type Swept struct {
	Faults, Resources int
	Remains           error
}

// Prepare removes the faults that runs before left on the target.
func (t *Target) Prepare(ctx context.Context) error {
	if dead, took := t.Took(); took {
		t.tell(fmt.Sprintf("%s died and may have left faults; removing them. `emco-chaos clean` removes its resources", dead))
	}
	_, err := t.RemoveFaults(ctx)
	return err
}

// Clean removes what dead runs left: their faults, even when there is no
// plugin to do the rest, then the resources that they made, some time after
// the last fault. An error means that faults may still be on the target.
func (t *Target) Clean(ctx context.Context, settle time.Duration, start func(context.Context) (*Plugin, error)) (Swept, error) {
	var swept Swept
	if err := t.Note(ctx, cleanActivity); err != nil {
		return swept, err
	}
	ctx, stop := t.Guard(ctx)
	defer stop()
	var err error
	if swept.Faults, err = t.RemoveFaults(ctx); err != nil {
		return swept, err
	}
	if swept.Faults > 0 && settle > 0 {
		t.tell(fmt.Sprintf("waiting %v: a call that a fault has held may still take effect", settle))
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return swept, context.Cause(ctx)
		}
	}
	swept.Resources, swept.Remains = t.cleanResources(ctx, start)
	return swept, nil
}

func (t *Target) cleanResources(ctx context.Context, start func(context.Context) (*Plugin, error)) (removed int, err error) {
	plugin, err := start(ctx)
	if err != nil {
		return 0, err
	}
	defer plugin.Close()
	task := sdk.Task{Run: cleanActivity, Activity: cleanActivity, Timeout: CleanLimit}
	seen := &observer{notes: func(string) {}, removals: t.tell}
	result, err := plugin.do(ctx, task, seen)
	// A single one that is left is told in the last line: a wedge is one line.
	single := err == nil && len(seen.left) == 1
	for _, resource := range seen.left {
		text := fmt.Sprintf("left %s: %s", resource.Anchor, resource.Reason)
		if !single {
			t.tell(text)
		} else if !strings.Contains(result.Message, resource.Anchor) {
			result.Message += "; " + text
		}
	}
	if err != nil {
		return seen.removed, fmt.Errorf("remove what dead runs made: %w", err)
	}
	t.tell(result.Message)
	if result.Conclusion != sdk.Passed {
		err = ErrLeft
	}
	return seen.removed, err
}

// RemoveFaults removes all faults of runs from the target, all at once: one that
// hangs delays no other.
func (t *Target) RemoveFaults(ctx context.Context) (removed int, err error) {
	ctx, stop := t.Guard(ctx)
	defer stop()
	// Those that are found go, although others may be on without an object.
	objects, err := t.Leftovers(ctx)
	if err != nil {
		err = fmt.Errorf("look for faults of dead runs: %w", err)
	}
	errs := make([]error, len(objects))
	var removing sync.WaitGroup
	for i, object := range objects {
		removing.Go(func() {
			limited, cancel := context.WithTimeout(ctx, removeLimit)
			defer cancel()
			errs[i] = t.Remove(limited, object)
		})
	}
	removing.Wait()
	for i, object := range objects {
		if errs[i] != nil {
			errs[i] = fmt.Errorf("remove the fault %s: %w", object.GetName(), errs[i])
			continue
		}
		removed++
		t.tell(fmt.Sprintf("removed the fault %s of run %s", object.GetName(), object.GetLabels()[fault.RunLabel]))
	}
	return removed, errors.Join(append(errs, err)...)
}
