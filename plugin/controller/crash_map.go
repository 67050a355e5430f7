package controller

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// crashMap is the experiment of a Run that makes a crash map.
const crashMap = "crash-map"

// Mapping makes a crash map, and returns what it says of the target. An error
// says that it was not made to its end.
type Mapping func(ctx context.Context, with MapParts) (verdict.Judgement, error)

// MapParts are what a crash map is made with.
type MapParts struct {
	// Abandon ends a clean-up.
	Abandon <-chan struct{}
	Journal io.Writer
	// Tell gets each thing that is found, with all that was found so far.
	Tell func(text string, found v1alpha1.MapStatus)
	// Keep keeps a file of the map.
	Keep func(name string, data []byte) error
}

// makeMap makes the crash map of a Run that has the target.
func (q *queue) makeMap(ctx, running context.Context, abandon <-chan struct{}, run *v1alpha1.Run, known *entry) {
	told, status, stored := known.teller, &run.Status, run.DeepCopy()
	told.onAll(true, "Begun", "begins a crash map")
	var happened bytes.Buffer
	files := map[string]string{}
	judged, err := known.mapping(running, MapParts{
		Abandon: abandon, Journal: &happened,
		Keep: func(name string, data []byte) error { files[name] = string(data); return nil },
		Tell: func(text string, found v1alpha1.MapStatus) {
			text = document.OneLine(text, longestMessage)
			told.onRun(status.Map == nil || len(found.Findings) == len(status.Map.Findings), "Mapped", text)
			status.Map = &found
			addMoment(status, v1alpha1.Moment{At: metav1.Duration{Duration: time.Since(status.StartTime.Time).Round(time.Millisecond)}, Text: text})
			stored = q.progressed(ctx, run, stored)
		},
	})
	// A finding may have left something, and so may a map that was ended.
	q.lock.runDied()
	if err != nil {
		judged = verdict.Judgement{Verdict: verdict.Error, Reason: err.Error()}
	}
	if status.Map != nil && len(files) > 0 {
		name := run.Name + "-map"
		if err := q.keepFiles(ctx, run, name, files, nil); err != nil {
			q.lost(run, told, "the crash map", err)
		} else {
			status.Map.ConfigMap = name
		}
	}
	records, err := journal.Read(&happened)
	if err == nil {
		status.Journal, err = q.keep(ctx, run, records)
	}
	if err != nil {
		q.lost(run, told, "the journal", err)
	}
	outcome := ""
	if judged.Verdict == verdict.Passed {
		outcome = fmt.Sprintf("EMCO recovers at each of %d points", status.Map.Points)
	}
	q.conclude(ctx, run, stored, told, ending{Judgement: judged, outcome: outcome})
}
