package emcoctl

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"text/template"
	"text/template/parse"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// The limits of a template's execution.
const (
	maxWork    = 3 << 20  // of template text that is executed, in bytes
	roundWork  = 32       // of a round of a loop or a call of a template, besides its text
	maxText    = 64 << 10 // of what one call of a printing function makes
	maxFormat  = 4 << 10
	maxPrinted = 64 << 20 // of what all calls of printing functions make
)

var errTooMuch = errors.New("the template does too much: it is meant to fill names in")

// render fills values into a text, as emcoctl does, but a value that is not
// there is a mistake, and not "<no value>".
func render(file string, text []byte, values map[string]any) ([]byte, document.Problems) {
	b := &budget{work: maxWork, printed: maxPrinted, out: document.StreamBytes}
	// Its name stands in its errors, and must not be mistaken for a place.
	filled, err := template.New("text").Option("missingkey=error").Funcs(b.functions()).Parse(string(text))
	if err == nil {
		// After the parsing: the text cannot call it.
		filled.Funcs(b.spending())
		for _, each := range filled.Templates() {
			if each.Tree != nil {
				meter(each.Root, roundWork)
			}
		}
		err = filled.Execute(b, values)
	}
	if err != nil {
		return nil, document.Problems{templateProblem(file, err)}
	}
	return b.Bytes(), nil
}

// meter makes a list of nodes, and the lists in it, report the length of
// their text when they are executed: Go's templates have no other end for a
// loop that prints nothing. Besides its text, a list costs base.
func meter(list *parse.ListNode, base int) {
	if list == nil {
		return
	}
	work := base
	branch := func(node *parse.BranchNode, base int) {
		work += len(node.Pipe.String())
		meter(node.List, base)
		meter(node.ElseList, 0)
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.IfNode:
			branch(&node.BranchNode, 0)
		case *parse.WithNode:
			branch(&node.BranchNode, 0)
		case *parse.RangeNode:
			branch(&node.BranchNode, roundWork)
		default:
			work += len(node.String())
		}
	}
	report := template.Must(template.New("").Funcs(new(budget).spending()).Parse(fmt.Sprintf("{{spend %d}}", work)))
	list.Nodes = slices.Insert(list.Nodes, 0, report.Root.Nodes[0])
}

// budget is the text that a template makes, and what it may still do: an amount
// of work, and of bytes that its printing functions make, and that it writes.
type budget struct {
	bytes.Buffer
	work, printed, out int
}

// spend takes a cost from what is left.
func spend(left *int, cost int) error {
	if *left -= cost; *left < 0 {
		return errTooMuch
	}
	return nil
}

// Write takes no more than it may.
func (b *budget) Write(p []byte) (int, error) {
	if err := spend(&b.out, len(p)); err != nil {
		return 0, err
	}
	return b.Buffer.Write(p)
}

// functions are the printing functions of text/template, bounded.
func (b *budget) functions() template.FuncMap {
	return template.FuncMap{
		"print":    b.bounded(fmt.Sprint),
		"println":  b.bounded(fmt.Sprintln),
		"html":     b.bounded(template.HTMLEscaper),
		"js":       b.bounded(template.JSEscaper),
		"urlquery": b.bounded(template.URLQueryEscaper),
		"printf": func(format string, args ...any) (string, error) {
			if len(format) > maxFormat || wide.MatchString(format) {
				return "", errTooMuch
			}
			return b.bounded(func(args ...any) string { return fmt.Sprintf(format, args...) })(args...)
		},
	}
}

// spending is the function by which an executed template reports its work.
func (b *budget) spending() template.FuncMap {
	return template.FuncMap{"spend": func(work int) (string, error) { return "", spend(&b.work, work) }}
}

func (b *budget) bounded(print func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		size := 0
		for _, arg := range args {
			if text, ok := arg.(string); ok {
				size += len(text)
			}
		}
		if size > maxText {
			return "", errTooMuch
		}
		text := print(args...)
		if len(text) > maxText {
			return "", errTooMuch
		}
		return text, spend(&b.printed, size+len(text))
	}
}

// wide finds a width that makes a long text out of nothing.
var wide = regexp.MustCompile(`%[^a-zA-Z%]*([0-9]{4,}|\*)`)

var (
	// templatePlace is where text/template says that a mistake is.
	templatePlace = regexp.MustCompile(`^template: [^:]*:(\d+)(?::(\d+))?: (?:executing "[^"]*" at )?`)
	templateBegin = regexp.MustCompile(` started at text:(\d+)$`)
	missingKey    = regexp.MustCompile(`^<([^>]*)>: .*no entry for key "([^"]*)"`)
)

func templateProblem(file string, err error) document.Problem {
	problem := document.Problem{File: file, Message: "the template: " + err.Error(), Remedy: "mend the template; it is one of Go's package text/template"}
	if errors.Is(err, errTooMuch) {
		problem.Remedy = "write the text out"
	}
	words := err.Error()
	if found := templatePlace.FindStringSubmatch(words); found != nil {
		problem.Line, _ = strconv.Atoi(found[1])
		if column, err := strconv.Atoi(found[2]); err == nil {
			problem.Column = column + 1 // text/template counts from 0
		}
		words = words[len(found[0]):]
		if begun := templateBegin.FindStringSubmatch(words); begun != nil {
			problem.Line, _ = strconv.Atoi(begun[1])
			words = words[:len(words)-len(begun[0])]
		}
		problem.Message = "the template: " + document.Shown(words)
	}
	if found := missingKey.FindStringSubmatch(words); found != nil {
		problem.Field = found[1]
		problem.Message = "the values have no " + document.Shown(found[2])
		problem.Remedy = "write " + document.Shown(found[2]) + ": VALUE into the values file"
	}
	return problem
}
