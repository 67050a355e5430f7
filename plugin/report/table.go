package report

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/activity"
)

// Table writes a line for each run: its verdict, when its last fault that stopped
// something had done so, from the run's origin, and the recovery since then.
func Table(out io.Writer, runs ...Run) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "experiment\tverdict\tdown\tready\tanswers\tconverged")
	for _, r := range runs {
		var times map[string]string
		for _, recovery := range r.Recoveries() {
			times = map[string]string{plan.Down: fmt.Sprintf("%+.1f s", recovery.Down)}
			for _, phase := range recovery.Phases {
				times[phase.Name] = fmt.Sprintf("%.1f s", phase.Seconds)
				if !phase.Sure() {
					times[phase.Name] = fmt.Sprintf("%.1f to %.1f s", phase.AtLeast, phase.AtMost)
				}
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", clean(r.Plan.Experiment), r.Verdict,
			cmp.Or(times[plan.Down], "-"), cmp.Or(times[plan.Ready], "-"), cmp.Or(times[activity.Answers], "-"), cmp.Or(times[activity.Converged], "-"))
	}
	return written(table.Flush())
}
