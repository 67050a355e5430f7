package crashmap

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/crashpoint"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

// Runner makes runs on a target.
type Runner interface {
	// Run makes one attempt of an experiment, and returns its records, that
	// of the run first. An error says that there was no run to speak of, or that it
	// was interrupted.
	Run(ctx context.Context, experiment []byte) ([]journal.Record, error)
	// Clean removes what runs left in the target. An error says that it stays.
	Clean(ctx context.Context) error
}

// Mapper makes a map.
type Mapper struct {
	Spec
	Runner
	Map *Map
	// Keep keeps a file: the map, and the experiment of a finding.
	Keep   func(name string, data []byte) error
	Starts []crashpoint.Start
	// Services are those that can be restarted, to find a way out, in this order.
	Services []string
	// Resent says that TCP has to send again what was held, before a call moves on.
	Resent bool
	// Wanted reports whether a point is to be tried; nil wants all.
	Wanted func(name string) bool
	// Until is when no more runs begin; zero sets no limit.
	Until time.Time
	// Tell gets a line for each thing that is found.
	Tell func(string)

	// alone are the places at which calls that shared a kill did not all recover.
	alone []string
}

const (
	references = 2 // runs without a fault, for each start
	tries      = 3 // runs of one point, while they say nothing
	replays    = 3 // runs of a finding's file
	converge   = 30 * time.Second
	// shortestReach is how long a call is given at least to come to a hold.
	shortestReach = 500 * time.Millisecond
	// resentFirst is more than TCP waits for at most with what the first hold has dropped:
	// 1.6 s, or 2 s for a connection, so long as that one lasts for less than 3 s.
	resentFirst = 2100 * time.Millisecond
)

// ErrBudget says that the time for runs is over. What was found stands.
var ErrBudget = errors.New("the time for runs is over; the same command goes on where this one ended")

// Make tries each crash point that the map does not know yet. The map is saved
// after each, so that an interrupted one goes on.
func (m *Mapper) Make(ctx context.Context) error {
	for _, start := range m.Starts {
		if err := m.reference(ctx, start); err != nil {
			return fmt.Errorf("%s, without a fault: %w", start, err)
		}
		err := m.walk(ctx, start)
		if err == nil {
			err = m.moments(ctx, start)
		}
		if err != nil {
			return err
		}
		m.Map.start(start).Complete = m.Wanted == nil
		if err := m.save(); err != nil {
			return err
		}
	}
	return nil
}

// save keeps the map.
func (m *Mapper) save() error {
	data, err := json.MarshalIndent(m.Map, "", "  ")
	if err != nil {
		return fmt.Errorf("write the crash map: %w", err)
	}
	return m.Keep(FileName, append(data, '\n'))
}

// run makes one run, unless the time is over.
func (m *Mapper) run(ctx context.Context, experiment []byte, err error) (history, error) {
	switch {
	case err != nil:
		return history{}, err
	case !m.Until.IsZero() && time.Now().After(m.Until):
		return history{}, ErrBudget
	}
	records, err := m.Run(ctx, experiment)
	m.Map.Runs++
	if err = cmp.Or(err, context.Cause(ctx)); err != nil {
		return history{}, err
	}
	if m.Map.Target = cmp.Or(m.Map.Target, records[0].Target); m.Map.Target != records[0].Target {
		return history{}, errors.New("the map is of another target; name another folder")
	}
	return historyOf(records[0], records), nil
}

// reference makes the call without a fault, to know what a good end looks like.
func (m *Mapper) reference(ctx context.Context, start crashpoint.Start) error {
	if known := m.Map.start(start); known.Begin != nil && known.End != nil {
		return nil
	}
	var begin, end *View
	var took time.Duration
	for range references {
		text, err := start.Reference(crashpoint.Options{Converge: converge})
		seen, err := m.run(ctx, text, err)
		if err != nil {
			return err
		}
		before, began := seen.view(crashpoint.Before)
		view, there := seen.view(crashpoint.Look)
		answered, was := seen.took(plan.Accepted)
		if !began || !there || !was {
			_, why := seen.consequence(View{}, View{})
			return fmt.Errorf("it says nothing: %s", why)
		}
		took = max(took, answered)
		if end != nil {
			before, view = before.masked(*begin), view.masked(*end)
		}
		begin, end = &before, &view
	}
	known := m.Map.start(start)
	known.Begin, known.End, known.Answered = begin, end, took
	m.Tell(known.title())
	return m.save()
}

// First are the points at which a call is stopped first: at each back end.
func (m *Mapper) First(start crashpoint.Start) []crashpoint.Point {
	var first []crashpoint.Point
	for _, name := range m.Map.BackEnds {
		point := crashpoint.Point{Start: start, Path: []string{name}}
		if m.Requests {
			point.Request = 1
		}
		first = append(first, point)
	}
	return first
}

// Next are those that may come after a point.
func (m *Mapper) Next(point crashpoint.Point) []crashpoint.Point {
	if max(len(point.Path), point.Request) >= m.Longest {
		return nil
	}
	return point.Next(m.Map.BackEnds)
}

// walk goes through the call from back end to back end, or from request to request.
func (m *Mapper) walk(ctx context.Context, start crashpoint.Start) error {
	m.Map.start(start).Further = 0
	var order []string
	for ahead := m.First(start); len(ahead) > 0; ahead = ahead[1:] {
		before := ahead[0]
		done := before
		done.After = true
		beyond := func() bool { return slices.Contains(m.Map.start(start).Beyond, before.Name()) }
		for _, point := range []crashpoint.Point{before, done} {
			if beyond() {
				break
			}
			if err := m.point(ctx, point); err != nil {
				return err
			}
			order = append(order, point.Name())
		}
		if beyond() {
			continue
		}
		ahead = append(ahead, m.Next(before)...)
		if m.Wanted == nil && max(len(before.Path), before.Request) == m.Longest && len(before.Next(m.Map.BackEnds)) > 0 {
			m.Map.start(start).Further = m.Longest
		}
	}
	if m.Share {
		// Some points were entered when another call was led there.
		slices.SortStableFunc(m.Map.start(start).Points, func(a, b Point) int {
			return cmp.Compare(uint(slices.Index(order, a.Name)), uint(slices.Index(order, b.Name)))
		})
	}
	return nil
}

// moments kills the service at random moments of the call.
func (m *Mapper) moments(ctx context.Context, start crashpoint.Start) error {
	name := fnv.New64a()
	name.Write([]byte(start.Name()))
	draw := rand.New(rand.NewPCG(m.Seed, name.Sum64()))
	for number := range m.Moments {
		moment := time.Duration(draw.Float64() * float64(m.Map.start(start).Answered)).Round(time.Millisecond)
		if err := m.point(ctx, crashpoint.Point{Start: start, Moment: moment, Number: number + 1}); err != nil {
			return err
		}
	}
	return nil
}

// open reports whether a point is wanted, and not known yet.
func (m *Mapper) open(at crashpoint.Point) bool {
	return m.Map.start(at.Start).Find(at.Name()) == nil && (m.Wanted == nil || m.Wanted(at.Name()))
}

// point lets the service die at a point that is open.
func (m *Mapper) point(ctx context.Context, at crashpoint.Point) error {
	if !m.open(at) {
		return nil
	}
	reach := m.reach(at.Start)
	options := crashpoint.Options{Reach: reach, Settle: max(m.Settle, reach), Converge: converge}
	if m.Resent {
		options.First = max(min(m.Settle, resentFirst), reach)
	}
	if at.Start.Cold && at.After && slices.Contains(at.Path, "rsync") {
		// A call of the same kind opens the connection that is to be held.
		text, err := at.Start.Reference(options)
		if _, err = m.run(ctx, text, err); err != nil {
			return err
		}
	}
	if entered, err := m.shared(ctx, at, options); entered || err != nil {
		return err
	}
	known := m.Map.start(at.Start)
	entry := Point{Name: at.Name(), Where: at.Where(), Path: at.Path}
	var seen history
	for range tries {
		text, err := at.Experiment(options)
		if seen, err = m.run(ctx, text, err); err != nil {
			return err
		}
		entry.Run = seen.first.Run
		if seen.beyond() && len(at.Path) > 0 {
			known.Beyond = append(known.Beyond, at.Name())
			return m.save()
		}
		entry.Consequence, entry.Words = seen.consequence(*known.Begin, *known.End)
		if m.Resent && entry.Consequence != "" && !seen.movedOn(len(at.Path)) {
			entry.Consequence, entry.Words = "", "a hold took so long that the call may not have moved on"
			if options.First == options.Settle { // putting holds on and off takes long here
				options.Settle *= 2
			}
			options.First = options.Settle
		}
		if entry.Consequence != "" || seen.beyond() {
			break
		}
	}
	if broke, did := seen.took(plan.Failed); did && len(at.Path) == 0 {
		entry.Moment = broke
	}
	if entry.Consequence.Finding() {
		if err := m.finding(ctx, at, &entry, seen, options); err != nil {
			return err
		}
	}
	known.Points = append(known.Points, entry)
	m.Tell(line(entry))
	return m.save()
}

// reach is how long the call is given to come to a hold.
func (m *Mapper) reach(start crashpoint.Start) time.Duration {
	return max(shortestReach, 2*m.Map.start(start).Answered).Round(time.Millisecond)
}

// finding looks for a way out, writes the experiment that replays a finding, and
// replays it.
func (m *Mapper) finding(ctx context.Context, at crashpoint.Point, entry *Point, seen history, options crashpoint.Options) error {
	known := m.Map.start(at.Start)
	begin, end := *known.Begin, *known.End
	// A call that does not end may only need another service to start anew. That
	// is asked first: what is left of one is not removed by asking EMCO again.
	if entry.Consequence == Stuck && strings.Contains(entry.Words, "within") {
		for _, service := range m.Services {
			if service == at.Start.Service {
				continue
			}
			late := options
			late.Restart = service
			text, err := at.Experiment(late)
			again, err := m.run(ctx, text, err)
			if err != nil {
				return err
			}
			if consequence, _ := again.consequence(begin, end); consequence != "" && consequence != Stuck {
				entry.Consequence, entry.WayOut, options.Restart = Late, "a restart of "+service, service
				break
			}
		}
	}
	if entry.WayOut == "" {
		if err := m.wayOut(ctx, entry, seen); err != nil {
			return err
		}
	}
	// The file is for targets too whose first holds last longer.
	options.Judge, options.First = entry.Consequence == Behind, options.Settle
	text, err := at.Experiment(options)
	if err != nil {
		return err
	}
	entry.File = at.Name() + ".yaml"
	if err := m.Keep(entry.File, text); err != nil {
		return err
	}
	// A moment does not come back, and a finding that was replayed elsewhere in
	// the call need not be again.
	replayed := func(p Point) bool { return p.like(*entry) && p.Replays > 0 }
	if len(at.Path) > 0 && !slices.ContainsFunc(m.Map.start(at.Start).Points, replayed) {
		entry.Replays = replays
	}
	for range entry.Replays {
		again, err := m.run(ctx, text, nil)
		if err != nil {
			return err
		}
		consequence, _ := again.consequence(begin, end)
		if consequence == entry.Consequence || entry.Consequence == Late && consequence != "" && consequence != Stuck {
			entry.Replayed++
		}
	}
	return nil
}

// cleanLimit is how long EMCO is asked again to remove what a finding left.
const cleanLimit = time.Minute

// wayOut finds what takes away what a finding has left: the teardown, the same
// later, or after a restart of a service.
func (m *Mapper) wayOut(ctx context.Context, entry *Point, seen history) error {
	cleans := func() bool {
		limited, cancel := context.WithTimeout(ctx, cleanLimit)
		defer cancel()
		return m.Clean(limited) == nil
	}
	left := seen.left()
	switch {
	case len(left) == 0:
		entry.WayOut = "the teardown (terminate, where EMCO takes it, and DELETE)"
		return nil
	case !slices.ContainsFunc(left, func(what string) bool { return !strings.HasPrefix(what, "edge ") }):
		entry.WayOut = "none in EMCO once it is torn down: delete it on the edge cluster"
		return nil
	case cleans():
		entry.WayOut = "the teardown, later"
		return nil
	}
	for _, service := range m.Services {
		text, err := crashpoint.RestartOf(service)
		if _, err = m.run(ctx, text, err); err != nil {
			return err
		}
		if cleans() {
			entry.WayOut = "a restart of " + service + ", then the teardown"
			return nil
		}
	}
	entry.WayOut = "none: not terminate, not DELETE, and no restart of " + strings.Join(m.Services, ", ")
	return ctx.Err()
}
