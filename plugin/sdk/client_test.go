package sdk

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
)

func TestMomentsKeepTheirOrder(t *testing.T) {
	start := time.Now()
	var c clock
	moment := func(received, age time.Duration) time.Duration {
		c.now = start.Add(received)
		return c.moment(durationpb.New(age)).Sub(start)
	}
	for _, step := range []struct{ received, age, want time.Duration }{
		{10, 0, 10},
		// It happened 3 ns after the first, but its message was faster.
		{12, 4, 11},
		{50, 10, 40},
		// An age below zero is a moment that is told before it happens.
		{60, -5, 60},
	} {
		if got := moment(step.received, step.age); got != step.want {
			t.Errorf("received at %d, %d old: %d, want %d", step.received, step.age, got, step.want)
		}
	}
}

func TestDescriptionsAreCalm(t *testing.T) {
	d := calmed(Description{
		Name: "a\x1b[2Jb", Version: "1\r2",
		Experiments: []Experiment{{Title: "t\a", Description: "one\ntwo\x00", Parameters: []Parameter{{Default: "d\x7f"}}}},
	})
	e := d.Experiments[0]
	if got := []string{d.Name, d.Version, e.Title, e.Description, e.Parameters[0].Default}; !slices.Equal(got, []string{"a [2Jb", "1 2", "t ", "one\ntwo ", "d "}) {
		t.Errorf("%q", got)
	}
}
