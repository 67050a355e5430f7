package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Margin is by how much a time may grow before that counts.
type Margin struct {
	// Share is of the median before, with Least at least; of a margin that is a
	// time it is zero.
	Share float64
	Least time.Duration
}

// notable is the least that a share counts as: what a probe asks for, it asks for
// some times a second.
const notable = 100 * time.Millisecond

// ParseMargin reads a share, such as 10%, or a time, such as 500ms.
func ParseMargin(text string) (Margin, error) {
	if share, is := strings.CutSuffix(text, "%"); is {
		percent, err := strconv.ParseFloat(share, 64)
		if err == nil && percent >= 0 && !math.IsInf(percent, 0) {
			return Margin{percent / 100, notable}, nil
		}
	} else if least, err := time.ParseDuration(text); err == nil && least >= 0 {
		return Margin{0, least}, nil
	}
	return Margin{}, fmt.Errorf("%q is no margin: write a share, such as 10%%, or a time, such as 500ms", text)
}

// of is the margin in seconds for a median.
func (m Margin) of(median float64) float64 { return max(m.Share*median, m.Least.Seconds()) }

func (m Margin) String() string {
	if m.Share == 0 {
		return m.Least.String()
	}
	return fmt.Sprintf("%g %%, and %v at least", 100*m.Share, m.Least)
}
