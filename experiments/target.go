package experiments

import (
	_ "embed"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

//go:embed targets/emco-chart.yaml
var chartTarget []byte

// ChartTarget is an EMCO as its official Helm chart installs it: what
// experiments are compiled for when no target is named.
func ChartTarget() (*plan.Target, error) {
	target, problems := plan.ParseTarget("emco-chart.yaml", chartTarget)
	return target, problems.Err()
}
