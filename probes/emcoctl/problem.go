// Package emcoctl reads the files that users of EMCO's own command line
// already have, its configuration and its resource files, applies and
// deletes what they describe, and prints calls as that command line does.
package emcoctl

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Problem is one mistake in a file: where it stands, what is wrong, and what
// to do about it.
type Problem struct {
	File string
	// Line and Column count from 1; 0 where there is none.
	Line, Column int
	// Rendered says that the line is one of the text that the template gave,
	// not of the file.
	Rendered bool
	// Document counts the YAML documents of the file from 1; 0 for what
	// belongs to none.
	Document int
	// Field is the path to the value, such as resourceContext.anchor.
	Field   string
	Message string
	Remedy  string
}

// Error is one line, whatever the file has in it.
func (p Problem) Error() string {
	var text strings.Builder
	text.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&text, ":%d", p.Line)
	}
	if p.Column > 0 {
		fmt.Fprintf(&text, ":%d", p.Column)
	}
	text.WriteString(": ")
	switch {
	case p.Document > 0 && p.Rendered:
		fmt.Fprintf(&text, "document %d of the rendered text: ", p.Document)
	case p.Document > 0:
		fmt.Fprintf(&text, "document %d: ", p.Document)
	}
	if p.Field != "" {
		text.WriteString(p.Field + ": ")
	}
	text.WriteString(p.Message)
	if p.Remedy != "" {
		text.WriteString("; " + p.Remedy)
	}
	return strings.Map(func(char rune) rune {
		if unicode.IsControl(char) || unicode.Is(unicode.Cf, char) {
			return ' '
		}
		return char
	}, text.String())
}

// Problems are all mistakes of one reading. As an error they are one a line.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// err is nil when there is no problem.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// most bounds the problems of one file that are told.
const most = 50

// source is a text that is being read, and the problems in it so far.
type source struct {
	file     string
	rendered bool
	document int
	problems Problems
}

func (s *source) add(line, column int, field, message, remedy string) {
	if len(s.problems) < most {
		s.problems = append(s.problems, Problem{
			File: s.file, Line: line, Column: column, Rendered: s.rendered, Document: s.document,
			Field: field, Message: message, Remedy: remedy,
		})
	}
}

// fieldError adds what is wrong with a value.
func (s *source) fieldError(v value, err error) {
	if wrong, ok := errors.AsType[document.Problem](err); ok {
		v.problem(wrong.Message, wrong.Remedy)
		return
	}
	v.problem(err.Error(), "")
}
