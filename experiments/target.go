package experiments

import (
	_ "embed"

	"github.com/emco-chaos/emco-chaos/probes/target"
)

//go:embed targets/emco-chart.yaml
var chartTarget []byte

// ChartTarget is an EMCO as its official Helm chart installs it: what
// experiments are compiled for when no target is named.
func ChartTarget() (*target.Target, error) {
	target, problems := target.Parse("emco-chart.yaml", chartTarget)
	return target, problems.Err()
}
