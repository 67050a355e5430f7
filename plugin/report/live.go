package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Style is how runs are shown while they go on.
type Style struct {
	// Brief shows one line for each step, and not one for each record.
	Brief bool
	// Redraw shows a last line with the steps that are under way, which is drawn
	// again; Colour has colours. Both need a terminal.
	Redraw, Colour bool
	// Total is how many runs there will be.
	Total int
}

// statusWidth and the time before it fit the narrowest terminals.
const statusWidth = 60

// Live shows runs while they go on.
type Live struct {
	out   io.Writer
	style Style

	mu    sync.Mutex
	plan  *plan.Plan
	count int
	width int
	// zero is the moment from which the journal counts.
	zero time.Time
	// running has the steps that have started, and the last event of those under
	// way; those that have ended have none.
	running map[string]string
	// status: the last line is there.
	status bool

	stop    chan struct{}
	working sync.WaitGroup
}

// NewLive shows runs on out until Close.
func NewLive(out io.Writer, style Style) *Live {
	l := &Live{out: out, style: style, running: map[string]string{}, stop: make(chan struct{})}
	if style.Redraw {
		l.working.Go(func() { wait.Until(l.tick, 200*time.Millisecond, l.stop) })
	}
	return l
}

func (l *Live) Close() {
	close(l.stop)
	l.working.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
}

func (l *Live) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draw()
}

func (l *Live) Follow(record journal.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch record.Kind {
	case journal.Attempt:
		l.running = map[string]string{}
	case journal.Run:
		l.plan, l.width = record.Plan, max(len(plan.TeardownStep), stepWidth(record.Plan))
		l.count++
	}
	if l.plan == nil {
		return
	}
	l.zero = time.Now().Add(-record.At)
	l.track(record)
	if record.Kind == journal.Resource && record.State != "left" || l.style.Brief && !l.tells(record) {
		l.draw()
		return
	}
	l.wipe()
	if record.Kind == journal.Run && l.style.Brief {
		fmt.Fprintf(l.out, "%d of %d  %s: %s\n", l.count, max(l.count, l.style.Total), clean(l.plan.Experiment), clean(l.plan.Title))
		return
	}
	colour := colours[string(record.Kind)]
	if record.Kind == journal.Verdict {
		colour = colours[record.Verdict]
	}
	fmt.Fprintf(l.out, "%s  %-*s  %s\n", l.paint(grey, seconds(record.At)), l.width, record.Step, l.paint(colour, Words(l.plan, record)))
	l.draw()
}

// tells reports whether a brief account has a record: what each step came to, and
// what went wrong.
func (l *Live) tells(record journal.Record) bool {
	step, _ := l.plan.Find(record.Step)
	switch record.Kind {
	case journal.Event:
		return step.Fault != nil && (record.Event == plan.Down || record.Event == plan.Injected && !step.Fault.Stops())
	case journal.Attempt:
		return record.Attempt > 1
	case journal.Recheck:
		return record.Conclusion != string(activity.Passed)
	}
	return !slices.Contains([]journal.Kind{journal.Note, journal.End, journal.Broken}, record.Kind)
}

func (l *Live) track(record journal.Record) {
	step, known := l.plan.Find(record.Step)
	if !known {
		return
	}
	last, started := l.running[step.Name]
	switch event := record.Kind == journal.Event; {
	case record.Kind == journal.Result, record.Kind == journal.Skipped, event && slices.Contains(step.Ends(), record.Event):
		l.running[step.Name] = ""
	case event && (!started || last != "") && step.Emits(record.Event):
		l.running[step.Name] = record.Event
	}
}

func (l *Live) wipe() {
	if l.status {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
	l.status = false
}

func (l *Live) draw() {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(l.running)) {
		if event := l.running[name]; event != "" {
			names = append(names, name+" ("+event+")")
		}
	}
	if !l.style.Redraw || len(names) == 0 {
		return
	}
	l.wipe()
	// One that a terminal breaks into two is not wiped as a whole.
	fmt.Fprint(l.out, l.paint(grey, seconds(time.Since(l.zero))+"  "+document.OneLine("under way: "+strings.Join(names, ", "), statusWidth)))
	l.status = true
}

const (
	grey   = "90"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// colours of the records, by kind, and for a verdict by that. Others have none.
var colours = map[string]string{
	string(verdict.Passed):       green,
	string(verdict.Failed):       red,
	string(verdict.Error):        red,
	string(verdict.Inconclusive): yellow,
	string(journal.Trouble):      red,
	string(journal.Left):         red,
	string(journal.Skipped):      yellow,
	string(journal.Disturbance):  yellow,
	string(journal.Recheck):      cyan,
	string(journal.Note):         grey,
	string(journal.End):          grey,
	string(journal.Result):       cyan,
}

func (l *Live) paint(colour, text string) string {
	if !l.style.Colour || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
