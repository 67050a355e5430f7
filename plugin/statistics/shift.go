package statistics

import (
	"math"
	"slices"
	"sort"

	"github.com/aclements/go-moremath/stats"
)

// MannWhitney is how likely it is, by the test of Mann and Whitney, that chance
// alone makes two samples differ as much, or more, in either direction. It is exact
// for small samples.
func MannWhitney(before, after []float64) float64 {
	return min(1, 2*below(before, after), 2*below(after, before))
}

// below is how likely it is that chance alone makes one sample lie as far below
// another. With ties the two directions differ, and the library's own test of both
// takes one for the other.
func below(one, other []float64) float64 {
	test, err := stats.MannWhitneyUTest(one, other, stats.LocationLess)
	if err != nil {
		return 1 // One is empty, or all values are equal.
	}
	return test.P
}

// Surest is the smallest result that [MannWhitney] can have for samples of these
// sizes, when all of one are above all of the other.
func Surest(before, after int) float64 {
	return min(1, 2*stats.UDist{N1: before, N2: after}.PMF(0))
}

// Shift is by how much a second sample lies above a first, by the estimate of Hodges
// and Lehmann, the median of all differences; its interval is that which the test
// of Mann and Whitney does not refuse. It is nil of samples too small for one.
func Shift(before, after []float64) (float64, *Interval) {
	differences := make([]float64, 0, len(before)*len(after))
	for _, b := range before {
		for _, a := range after {
			differences = append(differences, a-b)
		}
	}
	slices.Sort(differences)
	beyond := leftOut(len(before), len(after))
	if beyond == 0 {
		return Median(differences), nil
	}
	return Median(differences), &Interval{differences[beyond-1], differences[len(differences)-beyond]}
}

// leftOut is how many of the differences on each side the interval leaves out, and one.
func leftOut(n1, n2 int) int {
	if max(n1, n2) <= stats.MannWhitneyExactLimit {
		u := stats.UDist{N1: n1, N2: n2}
		return sort.Search(n1*n2/2, func(k int) bool { return u.CDF(float64(k)) > tail })
	}
	product := float64(n1 * n2)
	z := stats.InvCDF(stats.StdNormal)(tail)
	return max(0, int(math.Floor(product/2+z*math.Sqrt(product*float64(n1+n2+1)/12))))
}
