package statistics

import (
	"cmp"
	"slices"
)

// Holm corrects the results of several tests in place, by Holm's method, for there
// being several: that one of them is below a level by chance alone is as likely as
// the level says.
func Holm(results []*float64) {
	ascending := slices.SortedStableFunc(slices.Values(results), func(a, b *float64) int { return cmp.Compare(*a, *b) })
	most := 0.0
	for rank, result := range ascending {
		most = max(most, min(1, *result*float64(len(results)-rank)))
		*result = most
	}
}
