package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// Chart is what is drawn of a run: lanes on one axis of time, which counts from the
// run's origin.
type Chart struct {
	From, To time.Duration
	Lanes    []Lane
	// Bands are when faults were in force: a hold while it was on, what a kill stopped
	// until it was Ready.
	Bands []Span
	// Arrows are the claims of the evidence, and Rows what happened, in the order of time.
	Arrows []Arrow
	Rows   []Row
	// More is how many rows, lanes and arrows were too many to be shown.
	More int
}

// Lane is what happened in one step, to one service, or of one kind.
type Lane struct {
	Name, About string
	Spans       []Span
	Marks       []Mark
}

// Span is a time in which something was so.
type Span struct {
	From, To time.Duration
	State    State
	Text     string
}

// State is what a span shows. Beside these it can be a verdict: that on the step.
type State string

// The states.
const (
	Running State = "running" // begun, with no result
	Fault   State = "fault"
	Up      State = "up"
	Down    State = "down"
	Status  State = "status" // what the system says of itself
)

// Mark is a moment in a lane. Row is that which tells of it, from 0, and NotBefore the
// earliest that the moment can have been.
type Mark struct {
	At, NotBefore time.Duration
	Row           int
}

// Row is one thing that happened: the event, STEP.EVENT, or the kind of another
// record, and what there is to say beside that.
type Row struct {
	At         time.Duration
	What, Text string
}

// Arrow is a claim of the evidence: events, and where on the axis those are that happened.
type Arrow struct {
	verdict.Claim
	Points []Point
}

// Point is an event of a claim. One that did not happen is at an end of the axis.
type Point struct {
	At    time.Duration
	Fired bool
}

// What a journal can hold is not bounded, and what is shown of it is.
const (
	maxRows  = 400
	maxLanes = 60
)

// statusNote begins the notes that tell what state the system gives.
const statusNote = "status: "

// Chart returns what is drawn of the run.
func (r Run) Chart() Chart {
	c := charting{Run: r, marks: map[string][]Mark{}}
	c.window()
	for _, record := range r.records {
		c.row(record)
	}
	for _, step := range r.Plan.Steps {
		c.step(step)
	}
	c.services()
	c.status()
	c.arrows()
	c.bound()
	return c.Chart
}

// charting is a chart that is being made.
type charting struct {
	Run
	Chart
	// marks are those of the lanes, by the names of their steps and services.
	marks map[string][]Mark
}

// own reports whether a step is one of the plan's own: those are what the axis spans,
// and not how the given state came about and was taken back.
func (r Run) own(name string) bool {
	return slices.ContainsFunc(r.Plan.Steps, func(step plan.Step) bool { return step.Name == name })
}

func (c *charting) window() {
	c.To = -farthest
	for _, record := range c.records {
		if at := c.since(record.At); c.own(record.Step) || record.Kind == journal.Disturbance {
			c.From, c.To = min(c.From, at), max(c.To, at)
		}
	}
	c.To = max(c.To, c.From+time.Millisecond)
}

// farthest is more than any run takes: that of a journal which says otherwise is
// drawn at the edge.
const farthest = 1000 * 24 * time.Hour

// since is a moment of the journal, from the origin.
func (c *charting) since(at time.Duration) time.Duration {
	return min(max(-farthest, at-c.Origin.At), farthest)
}

// row adds what is told of a record, and its mark. A result and the event with which
// its step ended are one row.
func (c *charting) row(record journal.Record) {
	step, known := c.Plan.Find(record.Step)
	row := Row{c.since(record.At), clean(string(record.Kind)), Words(c.Plan, record)}
	if row.Text == clean(record.Event) {
		row.Text = ""
	}
	own := c.own(record.Step)
	switch record.Kind {
	case journal.Event:
		row.What = clean(plan.Ref{Step: record.Step, Event: record.Event}.String())
		if result, ended := c.Result(record.Step); known && ended && step.Activity != nil && slices.Contains(step.Ends(), record.Event) {
			row.Text = Words(c.Plan, result)
		}
	case journal.Result, journal.Note, journal.Recheck, journal.Skipped:
		ended := func(end string) bool { return known && c.happened(step.Name, end) }
		if record.Kind == journal.Note && !own || record.Kind == journal.Result && slices.ContainsFunc(step.Ends(), ended) {
			return
		}
		row.What = clean(colon(record.Step, row.What))
	case journal.Disturbance, journal.Trouble, journal.Verdict:
	default:
		return
	}
	c.Rows = append(c.Rows, row)
	mark := Mark{At: row.At, NotBefore: row.At - min(slack(record), farthest), Row: len(c.Rows) - 1}
	switch {
	case record.Kind == journal.Disturbance:
		c.marks[record.Service] = append(c.marks[record.Service], mark)
	case own && record.Kind != journal.Note:
		c.marks[record.Step] = append(c.marks[record.Step], mark)
	}
}

func (c *charting) happened(step, event string) bool {
	_, fired := c.At(step, event)
	return fired
}

// at is when a step emitted an event; without it, the end of the axis.
func (c *charting) at(step, event string) time.Duration {
	if at, fired := c.At(step, event); fired {
		return c.since(at)
	}
	return c.To
}

// step adds the lane of a step that began.
func (c *charting) step(step plan.Step) {
	lane := Lane{Name: clean(step.Name), Marks: c.marks[step.Name]}
	switch {
	case lane.Marks == nil:
		return
	case step.Fault != nil:
		lane.About = clean(step.Fault.Summary)
		c.fault(&lane, step)
	case step.Activity != nil:
		lane.About = clean(step.Activity.Summary)
		c.activity(&lane, step)
	}
	c.Lanes = append(c.Lanes, lane)
}

func (c *charting) activity(lane *Lane, step plan.Step) {
	if !c.happened(step.Name, plan.Started) {
		return
	}
	span := Span{From: c.at(step.Name, plan.Started), To: c.To, State: Running, Text: "did not end"}
	if result, ended := c.Result(step.Name); ended {
		meaning, _ := verdict.Meaning(step, result)
		span.To, span.State = c.since(result.At), State(meaning)
		span.Text = clean(cmp.Or(result.Outcome, result.Conclusion))
	}
	for _, end := range step.Ends() {
		span.To = min(span.To, c.at(step.Name, end))
	}
	lane.Spans = append(lane.Spans, span)
}

func (c *charting) fault(lane *Lane, step plan.Step) {
	at := func(event string) time.Duration { return c.at(step.Name, event) }
	if !c.happened(step.Name, plan.Created) {
		return
	}
	span := Span{at(plan.Created), at(plan.Removed), Fault, clean(step.Fault.Action)}
	on, off := plan.Injected, plan.Removed
	if step.Fault.Stops() {
		on, off = plan.Down, plan.Ready
		// What is left of the object after it has hit stops nothing more.
		span.To = min(span.To, at(plan.Down))
	}
	lane.Spans = append(lane.Spans, span)
	if c.happened(step.Name, on) {
		c.Bands = append(c.Bands, Span{at(on), max(at(on), at(off)), Fault, lane.About})
	}
}

// services adds a lane for each service that went down, or that something happened to.
func (c *charting) services() {
	down := map[string][]Span{}
	for _, step := range c.Plan.Steps {
		if step.Fault == nil || !step.Fault.Stops() || !c.happened(step.Name, plan.Down) {
			continue
		}
		_, service, _ := strings.Cut(step.Fault.Summary, " ")
		from := c.at(step.Name, plan.Down)
		down[service] = append(down[service], Span{from, max(from, c.at(step.Name, plan.Ready)), Down, "down"})
	}
	for _, record := range c.records {
		if _, has := down[record.Service]; record.Kind == journal.Disturbance && !has {
			down[record.Service] = nil
		}
	}
	for _, service := range slices.Sorted(maps.Keys(down)) {
		lane := Lane{Name: clean(service)}
		if !c.own(service) {
			lane.Marks = c.marks[service]
		}
		up := c.From
		slices.SortFunc(down[service], func(a, b Span) int { return cmp.Compare(a.From, b.From) })
		for _, span := range down[service] {
			if span.From > up {
				lane.Spans = append(lane.Spans, Span{up, span.From, Up, "up"})
			}
			lane.Spans, up = append(lane.Spans, span), max(up, span.To)
		}
		if len(down[service]) > 0 && up < c.To {
			lane.Spans = append(lane.Spans, Span{up, c.To, Up, "Ready"})
		}
		c.Lanes = append(c.Lanes, lane)
	}
}

// status adds the lane of what the system said of itself, each until it said something else.
func (c *charting) status() {
	lane := Lane{Name: "status"}
	for _, record := range c.records {
		words, is := strings.CutPrefix(record.Text, statusNote)
		if record.Kind != journal.Note || !is || !c.own(record.Step) {
			continue
		}
		at, last := c.since(record.At), len(lane.Spans)-1
		if words = clean(words); last >= 0 {
			if lane.Spans[last].Text == words {
				continue
			}
			lane.Spans[last].To = at
		}
		lane.Spans = append(lane.Spans, Span{at, c.To, Status, words})
	}
	if len(lane.Spans) > 0 {
		c.Lanes = append(c.Lanes, lane)
	}
}

func (c *charting) arrows() {
	claims := c.Claims()
	for i, claim := range c.Plan.Evidence {
		arrow := Arrow{Claim: claims[i]}
		arrow.Text, arrow.Missing = clean(arrow.Text), clean(arrow.Missing)
		for i, ref := range claim.Refs {
			point := Point{c.at(ref.Step, ref.Event), c.happened(ref.Step, ref.Event)}
			if i == 0 && !point.Fired {
				point.At = c.From
			}
			arrow.Points = append(arrow.Points, point)
		}
		c.Arrows = append(c.Arrows, arrow)
	}
}

// bound leaves out what is too much, with the marks that lead to it.
func (c *charting) bound() {
	cut := func(have, most int) int {
		c.More += max(0, have-most)
		return min(have, most)
	}
	c.Rows = c.Rows[:cut(len(c.Rows), maxRows)]
	c.Lanes = c.Lanes[:cut(len(c.Lanes), maxLanes)]
	c.Arrows = c.Arrows[:cut(len(c.Arrows), maxLanes)]
	for i := range c.Lanes {
		lane := &c.Lanes[i]
		lane.Marks = slices.DeleteFunc(lane.Marks, func(m Mark) bool { return m.Row >= len(c.Rows) })
		lane.Spans = lane.Spans[:cut(len(lane.Spans), maxRows)]
	}
	c.Bands = c.Bands[:min(len(c.Bands), maxLanes)]
}
