package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

// Live shows a run while it goes on: a line for each record, and on a
// terminal a last line that says what is under way.
type Live struct {
	out      io.Writer
	terminal bool

	mu    sync.Mutex
	plan  *plan.Plan
	width int
	// last is the time of the last record, and since when it was shown.
	last    time.Duration
	shown   time.Time
	running []string
	ended   map[string]bool
	status  bool

	stop chan struct{}
	done chan struct{}
}

// NewLive shows runs on out until Close.
func NewLive(out io.Writer, terminal bool) *Live {
	l := &Live{out: out, terminal: terminal, ended: map[string]bool{}, stop: make(chan struct{}), done: make(chan struct{})}
	go l.tick()
	return l
}

// Close ends the showing.
func (l *Live) Close() {
	close(l.stop)
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
}

// tick keeps the clock of the last line going.
func (l *Live) tick() {
	defer close(l.done)
	if !l.terminal {
		return
	}
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

// Follow shows one record.
func (l *Live) Follow(record journal.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch record.Kind {
	case journal.Attempt:
		l.running, l.ended = nil, map[string]bool{}
	case journal.Run:
		l.plan, l.width = record.Plan, 0
		for _, step := range record.Plan.Steps {
			l.width = max(l.width, len(step.Name))
		}
		l.width = max(l.width, len(plan.TeardownStep))
	}
	if l.plan == nil {
		return
	}
	l.last, l.shown = record.At, time.Now()
	l.follow(record)
	if record.Kind == journal.Resource && record.State != "left" {
		return
	}
	l.wipe()
	fmt.Fprintf(l.out, "%s  %-*s  %s\n", l.paint(grey, seconds(record.At)), l.width, record.Step, l.paint(colour(record), Words(l.plan, record)))
	l.draw()
}

// follow keeps the list of what is under way.
func (l *Live) follow(record journal.Record) {
	step, known := l.plan.Find(record.Step)
	if !known {
		return
	}
	ended := record.Kind == journal.Result || record.Kind == journal.Skipped ||
		record.Kind == journal.Event && slices.Contains(step.Ends(), record.Event)
	at := slices.Index(l.running, step.Name)
	switch {
	case ended:
		l.ended[step.Name] = true
		if at >= 0 {
			l.running = slices.Delete(l.running, at, at+1)
		}
	case at < 0 && !l.ended[step.Name] && record.Kind == journal.Event && step.Emits(record.Event):
		l.running = append(l.running, step.Name)
	}
}

func (l *Live) wipe() {
	if l.status {
		fmt.Fprint(l.out, "\r\x1b[K")
		l.status = false
	}
}

func (l *Live) draw() {
	if !l.terminal || len(l.running) == 0 {
		return
	}
	l.wipe()
	fmt.Fprint(l.out, l.paint(grey, fmt.Sprintf("%s  under way: %s", seconds(l.last+time.Since(l.shown)), strings.Join(l.running, ", "))))
	l.status = true
}

// Colours of a terminal.
const (
	plain  = ""
	grey   = "90"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func colour(record journal.Record) string {
	switch record.Kind {
	case journal.Verdict:
		switch record.Verdict {
		case "Passed":
			return green
		case "Failed", "Error":
			return red
		default:
			return yellow
		}
	case journal.Trouble, journal.Left:
		return red
	case journal.Skipped:
		return yellow
	case journal.Note, journal.End:
		return grey
	case journal.Result:
		return cyan
	}
	return plain
}

func (l *Live) paint(colour, text string) string {
	if !l.terminal || colour == plain {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
