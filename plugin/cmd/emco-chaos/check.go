package main

import (
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

// check looks at a plan before anything is done by it.
func check(compiled *plan.Plan) plan.Problems {
	problems := plan.Check(compiled)
	return append(problems, fault.CheckPlan(compiled)...)
}
