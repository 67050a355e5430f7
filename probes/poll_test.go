package probes

import (
	"context"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

func TestHedgedPollingDoesNotWaitForWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var asked, open atomic.Int64
		// The first two hang, as the first packets to a pod that has gone do.
		ask := func(ctx context.Context) int64 {
			open.Add(1)
			defer open.Add(-1)
			number := asked.Add(1)
			if number <= 2 {
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
			}
			return number
		}
		var got []int64
		for number := range poll(t.Context(), pace{interval: 20 * time.Millisecond, hedged: true}, ask) {
			got = append(got, number)
			if len(got) == 3 {
				break
			}
		}
		if took := time.Since(began); !slices.Equal(got, []int64{3, 4, 5}) || took != 2*hedgeDelay+40*time.Millisecond {
			t.Errorf("%v after %v", got, took)
		}
		if open.Load() != 0 {
			t.Errorf("%d questions are open", open.Load())
		}
	})
}

func TestHedgedPollingGivesTheLateAnswersToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		ask := func(context.Context) int64 {
			number := asked.Add(1)
			if number == 1 {
				time.Sleep(hedgeDelay + 30*time.Millisecond)
			}
			return number
		}
		var got []int64
		for number := range poll(t.Context(), pace{interval: 20 * time.Millisecond, hedged: true}, ask) {
			if got = append(got, number); slices.Contains(got, 1) {
				break
			}
		}
		if !slices.Contains(got, 2) {
			t.Errorf("%v", got)
		}
	})
}

func TestHedgedPollingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var open atomic.Int64
		for answer := range poll(ctx, pace{interval: time.Millisecond, hedged: true}, func(ctx context.Context) error {
			open.Add(1)
			defer open.Add(-1)
			<-ctx.Done()
			return ctx.Err()
		}) {
			t.Errorf("an answer from the end: %v", answer)
		}
		if open.Load() != 0 {
			t.Errorf("%d questions are open", open.Load())
		}
	})
}

// TestQuietIsSeenInTime: however seldom it asks by then, a watch asks as soon as what it saw has held for long enough.
func TestQuietIsSeenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		const moved = 1100 * time.Millisecond
		w := &watch{task: task{Observer: &record{}}, hold: 3 * time.Second, ask: func(context.Context) sample {
			now := time.Now()
			return sample{Answer: emco.Answer{Started: now, Ended: now}, reading: emco.Reading{Text: strconv.FormatBool(now.Sub(began) > moved)}}
		}}
		asked := 0
		for range w.samples(t.Context(), pace{interval: 100 * time.Millisecond, longest: time.Second}) {
			if asked++; w.held() >= w.hold {
				break
			}
		}
		if took := time.Since(w.same); took != w.hold || time.Since(began) < moved+w.hold {
			t.Errorf("seen %v after it moved", took)
		}
		if asked > 12 {
			t.Errorf("it asked %d times", asked)
		}
	})
}
