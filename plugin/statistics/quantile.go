// Package statistics tells what many runs say: pure functions over samples, which
// need not be sorted and are not changed. All intervals are for a confidence of
// 95 %.
package statistics

import (
	"math/rand/v2"
	"slices"

	"github.com/aclements/go-moremath/stats"
)

// tail is what an interval leaves out on each side.
const tail = 0.025

// Interval is where a number lies with a confidence of 95 %.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Median is the middle of a sample; NaN of an empty one.
func Median(sample []float64) float64 { return quantile(sample, 0.5) }

// P95 is what 95 % of a population do not exceed, estimated from a sample.
func P95(sample []float64) float64 { return quantile(sample, 0.95) }

func quantile(sample []float64, share float64) float64 {
	return stats.Sample{Xs: slices.Sorted(slices.Values(sample)), Sorted: true}.Quantile(share)
}

const (
	// resamples are enough for the third digit of an interval's ends.
	resamples = 2000
	// fewest is the size below which the ends would be the sample's own.
	fewest = 6
)

// Bootstrap is the interval of a sample's median by resampling, nil of a sample too
// small for one. Its source of random numbers is seeded: equal samples have equal intervals.
func Bootstrap(sample []float64) *Interval {
	if len(sample) < fewest {
		return nil
	}
	source := rand.New(rand.NewPCG(1, uint64(len(sample))))
	sorted := slices.Sorted(slices.Values(sample))
	drawn, medians := make([]float64, len(sample)), make([]float64, resamples)
	for i := range medians {
		for k := range drawn {
			drawn[k] = sorted[source.IntN(len(sorted))]
		}
		medians[i] = Median(drawn)
	}
	return &Interval{quantile(medians, tail), quantile(medians, 1-tail)}
}
