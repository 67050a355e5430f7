package main

import (
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// check looks at a plan before anything is done by it.
func check(compiled *plan.Plan) document.Problems {
	if problems := plan.Check(compiled); len(problems) > 0 {
		return problems
	}
	return fault.CheckPlan(compiled)
}
