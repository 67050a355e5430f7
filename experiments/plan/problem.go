package plan

import "github.com/emco-chaos/emco-chaos/experiments/document"

// Problem is one mistake in a plan, a target or an experiment: where it
// stands, what is wrong, and what to do about it.
type Problem = document.Problem

// Problems are all mistakes found at once. As an error they are one a line,
// file:line:column: field: message; remedy.
type Problems = document.Problems
