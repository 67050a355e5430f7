package statistics_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/emco-chaos/emco-chaos/plugin/statistics"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func sequence(from, to int) []float64 {
	var sample []float64
	for i := from; i <= to; i++ {
		sample = append(sample, float64(i))
	}
	return sample
}

func TestQuantiles(t *testing.T) {
	for _, test := range []struct {
		sample      []float64
		median, p95 float64
	}{
		{[]float64{3, 1, 2}, 2, 3},
		{[]float64{4, 1, 2, 3}, 2.5, 4},
		{[]float64{7}, 7, 7},
		// By the eighth method of Hyndman and Fan, at (n+1/3)p+1/3.
		{sequence(1, 100), 50.5, 95.65},
	} {
		given := slices.Clone(test.sample)
		near(t, "the median", statistics.Median(test.sample), test.median, 1e-9)
		near(t, "the 95th percentile", statistics.P95(test.sample), test.p95, 1e-9)
		if !slices.Equal(given, test.sample) {
			t.Error("the sample was changed")
		}
	}
	if !math.IsNaN(statistics.Median(nil)) {
		t.Error("nothing has a median")
	}
}

// TestBootstrap counts how often the interval has the true median: in 95 of 100 samples.
func TestBootstrap(t *testing.T) {
	if got := statistics.Bootstrap(sequence(1, 5)); got != nil {
		t.Errorf("five values have the interval %v", got)
	}
	one, two := statistics.Bootstrap([]float64{1, 2, 3, 4, 5, 6, 7}), statistics.Bootstrap([]float64{7, 6, 5, 4, 3, 2, 1})
	if *one != *two || one.Low >= 4 || one.High <= 4 {
		t.Errorf("one sample has the intervals %v and %v", one, two)
	}
	source, hits := rand.New(rand.NewPCG(7, 7)), 0
	const samples = 400
	for range samples {
		sample := make([]float64, 30)
		for i := range sample {
			sample[i] = source.ExpFloat64()
		}
		if got := statistics.Bootstrap(sample); got.Low <= math.Ln2 && math.Ln2 <= got.High {
			hits++
		}
	}
	if share := statistics.Wilson(hits, samples); share.High < 0.95 || share.Low > 0.97 {
		t.Errorf("the true median is in %d of %d intervals", hits, samples)
	}
}

// TestWilson has the intervals of Newcombe (1998), table I.
func TestWilson(t *testing.T) {
	for _, test := range []struct {
		n, all    int
		low, high float64
	}{{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}, {10, 10, 0.7225, 1}, {0, 0, 0, 1}} {
		got := statistics.Wilson(test.n, test.all)
		near(t, "the low end", got.Low, test.low, 5e-5)
		near(t, "the high end", got.High, test.high, 5e-5)
	}
}

// TestFisher has the lady who tasted tea, of Fisher (1935): of her four guesses
// three were right, or all.
func TestFisher(t *testing.T) {
	for _, test := range []struct {
		failed1, all1, failed2, all2 int
		want                         float64
	}{
		{1, 4, 3, 4, 17. / 70}, {0, 4, 4, 4, 1. / 70}, {3, 4, 1, 4, 69. / 70},
		{0, 30, 1, 30, 0.5}, {0, 30, 5, 30, 0.026093}, {0, 30, 0, 30, 1}, {2, 2, 2, 2, 1}, {30, 30, 0, 30, 1},
	} {
		near(t, "the result", statistics.Fisher(test.failed1, test.all1, test.failed2, test.all2), test.want, 1e-6)
	}
}

// The permeability of the human chorioamnion at term and between 12 and 26 weeks
// (Hollander and Wolfe 1973, page 69).
var (
	atTerm = []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}
	early  = []float64{1.15, 0.88, 0.90, 0.74, 1.21}
)

func TestMannWhitney(t *testing.T) {
	for name, test := range map[string]struct {
		before, after []float64
		want          float64
	}{
		"chorioamnion": {atTerm, early, 0.2544},
		"all below":    {sequence(1, 4), sequence(5, 8), 2. / 70},
		// Of the ten ways to choose two of 1, 2, 2, 3, 4 two are as far below.
		"with ties":  {[]float64{1, 2}, []float64{2, 3, 4}, 0.4},
		"all equal":  {[]float64{5, 5, 5}, []float64{5, 5, 5}, 1},
		"none":       {nil, []float64{5}, 1},
		"the same":   {sequence(1, 9), sequence(1, 9), 1},
		"many below": {sequence(1, 60), sequence(61, 120), 0},
	} {
		t.Run(name, func(t *testing.T) {
			near(t, "the result", statistics.MannWhitney(test.before, test.after), test.want, 1e-4)
			near(t, "the result the other way", statistics.MannWhitney(test.after, test.before), test.want, 1e-4)
		})
	}
	near(t, "the surest of four and four", statistics.Surest(4, 4), 2./70, 1e-9)
	near(t, "the surest of none", statistics.Surest(0, 4), 1, 1e-9)
}

func TestShift(t *testing.T) {
	shift, interval := statistics.Shift(early, atTerm)
	near(t, "the shift", shift, 0.305, 1e-9)
	near(t, "the low end", interval.Low, -0.15, 1e-9)
	near(t, "the high end", interval.High, 0.76, 1e-9)
	if shift, interval := statistics.Shift([]float64{1, 2, 3}, []float64{4, 5, 6}); shift != 3 || interval != nil {
		t.Errorf("three and three have the shift %v with the interval %v", shift, interval)
	}
	// Large samples have an interval by another way, which must agree with the exact one.
	_, exact := statistics.Shift(sequence(1, 50), sequence(11, 60))
	_, large := statistics.Shift(sequence(1, 51), sequence(11, 60))
	near(t, "the low end of large samples", large.Low, exact.Low, 1)
	near(t, "the high end of large samples", large.High, exact.High, 1)
}

func TestHolm(t *testing.T) {
	for _, test := range []struct{ results, want []float64 }{
		{nil, []float64{}},
		{[]float64{0.04}, []float64{0.04}},
		{[]float64{0.01, 0.04, 0.03, 0.005}, []float64{0.03, 0.06, 0.06, 0.02}},
		{[]float64{0.6, 0.5}, []float64{1, 1}},
	} {
		got, results := slices.Clone(test.results), []*float64{}
		for i := range got {
			results = append(results, &got[i])
		}
		statistics.Holm(results)
		if !slices.EqualFunc(got, test.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("%v becomes %v, want %v", test.results, got, test.want)
		}
	}
}
