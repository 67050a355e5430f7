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
)

// Live shows a run while it goes on: a line for each record, and on a
// terminal a last line with the steps that are under way.
type Live struct {
	out      io.Writer
	terminal bool

	mu    sync.Mutex
	plan  *plan.Plan
	width int
	// last is the time of the last record, and shown when that was.
	last  time.Duration
	shown time.Time
	// running has the steps that have started: true for those under way.
	running map[string]bool
	// status: the last line is there.
	status bool

	stop    chan struct{}
	working sync.WaitGroup
}

// NewLive shows runs on out until Close.
func NewLive(out io.Writer, terminal bool) *Live {
	l := &Live{out: out, terminal: terminal, running: map[string]bool{}, stop: make(chan struct{})}
	if terminal {
		l.working.Go(l.tick)
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
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.mu.Lock()
			l.draw()
			l.mu.Unlock()
		case <-l.stop:
			return
		}
	}
}

func (l *Live) Follow(record journal.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch record.Kind {
	case journal.Attempt:
		l.running = map[string]bool{}
	case journal.Run:
		l.plan, l.width = record.Plan, len(plan.TeardownStep)
		for _, step := range record.Plan.Steps {
			l.width = max(l.width, len(step.Name))
		}
	}
	if l.plan == nil {
		return
	}
	l.last, l.shown = record.At, time.Now()
	l.track(record)
	if record.Kind == journal.Resource && record.State != "left" {
		return
	}
	l.wipe()
	colour := colours[string(record.Kind)]
	if record.Kind == journal.Verdict {
		colour = colours[record.Verdict]
	}
	fmt.Fprintf(l.out, "%s  %-*s  %s\n", l.paint(grey, seconds(record.At)), l.width, record.Step, l.paint(colour, Words(l.plan, record)))
	l.draw()
}

func (l *Live) track(record journal.Record) {
	step, known := l.plan.Find(record.Step)
	if !known {
		return
	}
	_, started := l.running[step.Name]
	switch event := record.Kind == journal.Event; {
	case record.Kind == journal.Result, record.Kind == journal.Skipped, event && slices.Contains(step.Ends(), record.Event):
		l.running[step.Name] = false
	case event && !started && step.Emits(record.Event):
		l.running[step.Name] = true
	}
}

func (l *Live) wipe() {
	if l.status {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
	l.status = false
}

func (l *Live) draw() {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(l.running)), func(name string) bool { return !l.running[name] })
	if !l.terminal || len(names) == 0 {
		return
	}
	l.wipe()
	fmt.Fprint(l.out, l.paint(grey, fmt.Sprintf("%s  under way: %s", seconds(l.last+time.Since(l.shown)), strings.Join(names, ", "))))
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
	if !l.terminal || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
