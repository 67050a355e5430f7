package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in a file or in arguments, and what to do about it.
type Problem struct {
	// File is its name as it was given. Line and Column count from 1.
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Part   string `json:"part,omitempty"`  // such as "document 2"
	Field  string `json:"field,omitempty"` // such as spec.steps.kill.after[0]

	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

// Error is file:line:column: field: message; remedy. What is not known is
// left out. It is one line, whatever the file has in it.
func (p Problem) Error() string {
	place := p.File
	for _, number := range []int{p.Line, p.Column} {
		if number > 0 {
			place += fmt.Sprintf(":%d", number)
		}
	}
	parts := slices.DeleteFunc([]string{place, p.Part, p.Field, p.Message}, func(part string) bool { return part == "" })
	text := strings.Join(parts, ": ")
	if p.Remedy != "" {
		text += "; " + p.Remedy
	}
	return OneLine(text, 0)
}

// Problems are all mistakes of one reading.
type Problems []Problem

// Error is one problem a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns the problems as an error, or nil when there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Sorted returns the problems in the order of the file, each once.
func (p Problems) Sorted() Problems {
	sorted := slices.Clone(p)
	slices.SortStableFunc(sorted, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(sorted)
}
