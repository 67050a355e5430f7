package statistics

import (
	"math"

	"github.com/aclements/go-moremath/stats"
)

// Wilson is the interval, by Wilson's score, of a share that was seen n times of all.
func Wilson(n, all int) Interval {
	if all == 0 {
		return Interval{0, 1}
	}
	z := -stats.InvCDF(stats.StdNormal)(tail)
	share, size := float64(n)/float64(all), float64(all)
	middle := (share + z*z/(2*size)) / (1 + z*z/size)
	half := z / (1 + z*z/size) * math.Sqrt(share*(1-share)/size+z*z/(4*size*size))
	interval := Interval{middle - half, middle + half}
	// Rounding must not keep these from their exact ends.
	if n == 0 {
		interval.Low = 0
	}
	if n == all {
		interval.High = 1
	}
	return interval
}

// Fisher is how likely it is, by Fisher's exact test, that chance alone makes as
// many of the failures fall on the second of two sides, or more.
func Fisher(failed1, all1, failed2, all2 int) float64 {
	// Those of the first side are then as few, or fewer.
	return min(1, stats.HypergeometicDist{N: all1 + all2, K: failed1 + failed2, Draws: all1}.CDF(float64(failed1)))
}
