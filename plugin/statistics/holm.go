package statistics

import (
	"cmp"
	"slices"
)

// Holm corrects the results of several tests, by Holm's method, for there being
// several: that one of them is below a level by chance alone is as likely as the
// level says.
func Holm(results []float64) []float64 {
	order := make([]int, len(results))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(results[a], results[b]) })
	corrected, most := make([]float64, len(results)), 0.0
	for rank, at := range order {
		most = max(most, min(1, results[at]*float64(len(results)-rank)))
		corrected[at] = most
	}
	return corrected
}
