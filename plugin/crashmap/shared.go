package crashmap

import (
	"context"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/crashpoint"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// shared lets the service die at a point of several calls at once, and enters the
// point of each when EMCO recovers in all of them. It reports whether it does: what
// else the run comes to is no finding, since the calls may have disturbed each other,
// and each is tried alone.
func (m *Mapper) shared(ctx context.Context, at crashpoint.Point, options crashpoint.Options) (bool, error) {
	starts, err := m.sharing(ctx, at)
	if len(starts) == 0 || err != nil {
		return false, err
	}
	members := crashpoint.Members(starts)
	for _, start := range starts {
		options.Reach = max(options.Reach, m.reach(start))
	}
	options.Settle, options.First = max(options.Settle, options.Reach), max(options.First, options.Reach)
	text, err := at.Experiment(options, members...)
	seen, err := m.run(ctx, text, err)
	if err != nil {
		return false, err
	}
	points := []crashpoint.Point{at}
	histories := []history{seen}
	for i, member := range members {
		point := at
		point.Start = starts[i]
		points, histories = append(points, point), append(histories, seen.member(member.Suffix))
	}
	judged := seen.Judge().Verdict
	recovered := judged == verdict.Passed && len(seen.left()) == 0 && !slices.ContainsFunc(seen.records, wedge)
	var entries []Point
	for i, point := range points {
		known := m.Map.start(point.Start)
		beyond := histories[i].beyond()
		if i > 0 && beyond {
			known.Beyond = append(known.Beyond, point.Name())
		}
		entry := Point{Name: point.Name(), Where: point.Where(), Path: point.Path, Run: seen.first.Run}
		before, _ := histories[i].view(crashpoint.Before)
		entry.Consequence, entry.Words = histories[i].looked(*known.End)
		recovered = recovered && !beyond && before.is(*known.Begin) && !entry.Consequence.Finding() && (!m.Resent || histories[i].movedOn(len(at.Path)))
		entries = append(entries, entry)
	}
	if !recovered {
		if judged == verdict.Passed || judged == verdict.Failed {
			m.alone = append(m.alone, at.Where())
		}
		return false, m.save()
	}
	for i, entry := range entries {
		known := m.Map.start(points[i].Start)
		known.Points = append(known.Points, entry)
		m.Tell(points[i].Start.String() + ": " + line(entry))
	}
	return true, m.save()
}

// sharing are the starts whose calls can be stopped at the point too, so far as is
// known, and are still to be tried there.
func (m *Mapper) sharing(ctx context.Context, at crashpoint.Point) ([]crashpoint.Start, error) {
	if !m.Share || len(at.Path) == 0 || slices.Contains(m.alone, at.Where()) {
		return nil, nil
	}
	var starts []crashpoint.Start
	for _, start := range m.Starts {
		point := at
		point.Start = start
		if !at.Start.Shares(start) || m.ends(point) || !m.open(point) {
			continue
		}
		if err := m.reference(ctx, start); err != nil {
			return nil, err
		}
		starts = append(starts, start)
	}
	return starts, nil
}

// ends reports whether the call is known to be answered before it comes to the point.
func (m *Mapper) ends(point crashpoint.Point) bool {
	for n := range point.Path {
		before := crashpoint.Point{Start: point.Start, Path: point.Path[:n+1]}
		if slices.Contains(m.Map.start(point.Start).Beyond, before.Name()) {
			return true
		}
	}
	return false
}

// member is what the run tells of a call that shared the kill, whose steps have the
// suffix.
func (h history) member(suffix string) history {
	var records []journal.Record
	for _, record := range h.records {
		step, own := strings.CutSuffix(record.Step, suffix)
		if !own && slices.ContainsFunc(h.records, func(r journal.Record) bool { return r.Step == step+suffix }) {
			continue // that of another call
		}
		record.Step = step
		records = append(records, record)
	}
	return historyOf(h.first, records)
}
