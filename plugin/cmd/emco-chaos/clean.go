package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/spf13/cobra"
)

const (
	// cleanActivity is the plugin's activity that removes what runs made.
	cleanActivity = "clean"
	// cleanLimit is how long the leftovers of dead runs may take to go.
	cleanLimit = 10 * time.Minute
	// sweepLimit is how long one fault of a dead run may take to go.
	sweepLimit = time.Minute
)

func newClean(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "clean",
		Short: "Remove what dead runs left on a target: faults first, then resources",
		Long: `Remove what dead runs left on a target: faults first, then the resources that
they made in it. While a run is under way it is refused, and says which.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.clean(cmd.Context()) },
	}
}

func (s *session) clean(ctx context.Context) error {
	target, err := s.needTarget()
	if err != nil {
		return err
	}
	data, err := wire(target)
	if err != nil {
		return err
	}
	ctx, _, stop := interrupts(ctx, s.errs)
	defer stop()
	say := linesTo(s.out)
	driver, err := drive(ctx, target, say)
	if err != nil {
		return err
	}
	defer driver.end(s.errs)
	if err := driver.note(ctx, cleanActivity); err != nil {
		return failure(err)
	}
	guarded, release := driver.guard(ctx)
	defer release()
	// Faults go even when there is no plugin to remove the rest.
	if _, err := sweepFaults(guarded, driver, say); err != nil {
		return failure(err)
	}
	plugin, err := s.start(guarded, target)
	if err != nil {
		return err
	}
	defer plugin.Close()
	_, err = sweepResources(guarded, plugin, data, say)
	return err
}

// linesTo prints lines, which may come from several goroutines.
func linesTo(out io.Writer) func(string) {
	var mu sync.Mutex
	return func(text string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, text)
	}
}

// sweepFaults removes all faults of runs from a target that is ours alone, all
// at once: one that hangs keeps no other. It comes before sweepResources: a
// system under a fault does not clean up. It returns how many it removed.
func sweepFaults(ctx context.Context, driver engine.Driver, tell func(string)) (int, error) {
	// Those that are found go, although others may be on that have no object
	// any more.
	objects, err := driver.Leftovers(ctx)
	if err != nil {
		err = fmt.Errorf("look for faults of dead runs: %w", err)
	}
	errs := make([]error, len(objects))
	var removing sync.WaitGroup
	for i, object := range objects {
		removing.Go(func() {
			limited, cancel := context.WithTimeout(ctx, sweepLimit)
			defer cancel()
			errs[i] = driver.Remove(limited, object)
		})
	}
	removing.Wait()
	removed := 0
	for i, object := range objects {
		if errs[i] != nil {
			errs[i] = fmt.Errorf("remove the fault %s: %w", object.GetName(), errs[i])
			continue
		}
		removed++
		tell(fmt.Sprintf("removed the fault %s of run %s", object.GetName(), object.GetLabels()[fault.RunLabel]))
	}
	return removed, errors.Join(append(errs, err)...)
}

// sweepResources has the plugin remove what runs made in the system, and
// returns how many resources that were.
func sweepResources(ctx context.Context, plugin engine.Plugin, target []byte, tell func(string)) (int, error) {
	seen := &sweepings{tell: tell}
	result, err := plugin.Run(ctx, sdk.Task{Run: cleanActivity, Attempt: 1, Target: target, Activity: cleanActivity, Timeout: cleanLimit}, seen)
	if err != nil {
		return seen.removed, failure(fmt.Errorf("remove what dead runs made: %w", err))
	}
	tell(result.Message)
	if result.Conclusion != sdk.Passed {
		return seen.removed, &exitError{code: report.ExitError}
	}
	return seen.removed, nil
}

// sweepings tells on the way what the plugin removes and what it cannot.
type sweepings struct {
	tell    func(string)
	removed int
}

// Event is of no interest: a sweep has no steps that wait for one.
func (*sweepings) Event(string, time.Time, map[string]string) {}

// Note tells what the plugin says.
func (s *sweepings) Note(_ time.Time, text string) { s.tell(text) }

// Resource tells what is removed, and what is left.
func (s *sweepings) Resource(resource sdk.Resource) {
	switch resource.State {
	case sdk.Removed:
		s.removed++
		s.tell("removed " + resource.Anchor)
	case sdk.Left:
		s.tell(fmt.Sprintf("left %s: %s", resource.Anchor, resource.Reason))
	}
}
