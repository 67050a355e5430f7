package emcoctl

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"text/template"
	"text/template/parse"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// The limits of a template's execution.
const (
	maxSteps   = 100_000 // each a round of a loop or a call of a template, for every stepBytes of its text
	stepBytes  = 32
	maxText    = 64 << 10 // of what one call of a printing function makes
	maxPrinted = 64 << 20 // of what all of them make
)

var errTooMuch = errors.New("the template does too much: it is meant to fill names in")

// render fills values into a text, as emcoctl does, but a value that is not
// there is a mistake, and not "<no value>".
func render(file string, text []byte, values map[string]any) ([]byte, *document.Problem) {
	wrong := func(err error) ([]byte, *document.Problem) {
		problem := templateProblem(file, err)
		return nil, &problem
	}
	// Its name stands in its errors, and must not be mistaken for a place.
	print := &printing{left: maxPrinted}
	filled := template.New("text").Option("missingkey=error").Funcs(template.FuncMap{
		"print":    print.bounded(func(args ...any) string { return fmt.Sprint(args...) }),
		"println":  print.bounded(func(args ...any) string { return fmt.Sprintln(args...) }),
		"html":     print.bounded(func(args ...any) string { return html.EscapeString(fmt.Sprint(args...)) }),
		"js":       print.bounded(func(args ...any) string { return template.JSEscapeString(fmt.Sprint(args...)) }),
		"urlquery": print.bounded(func(args ...any) string { return url.QueryEscape(fmt.Sprint(args...)) }),
		"printf":   print.format,
	})
	if _, err := filled.Parse(string(text)); err != nil {
		return wrong(err)
	}
	if err := count(filled); err != nil {
		return wrong(err)
	}
	out := &limited{left: document.StreamBytes}
	if err := filled.Execute(out, values); err != nil {
		return wrong(err)
	}
	return out.Bytes(), nil
}

// count makes every round of a loop and every call of a template count, by
// the length of its text: Go's templates have no other end for a loop that
// prints nothing.
func count(all *template.Template) error {
	steps := 0
	all.Funcs(template.FuncMap{counting: func(more int) (string, error) {
		if steps += more; steps > maxSteps {
			return "", errTooMuch
		}
		return "", nil
	}})
	for _, one := range all.Templates() {
		if one.Tree == nil || one.Root == nil {
			continue
		}
		size, err := countIn(one.Root)
		if err != nil {
			return err
		}
		if err := step(one.Root, size); err != nil {
			return err
		}
	}
	return nil
}

const counting = "count"

// step puts a step before a list of a size.
func step(list *parse.ListNode, size int) error {
	text := fmt.Sprintf("{{%s %d}}", counting, 1+size/stepBytes)
	made, err := template.New("").Funcs(template.FuncMap{counting: func(int) string { return "" }}).Parse(text)
	if err != nil {
		return err
	}
	list.Nodes = append([]parse.Node{made.Root.Nodes[0]}, list.Nodes...)
	return nil
}

// countIn puts a step into the loops in a list, and returns the size of what
// the list does besides.
func countIn(list *parse.ListNode) (size int, err error) {
	if list == nil {
		return 0, nil
	}
	for _, node := range list.Nodes {
		var branch *parse.BranchNode
		switch node := node.(type) {
		case *parse.IfNode:
			branch = &node.BranchNode
		case *parse.WithNode:
			branch = &node.BranchNode
		case *parse.RangeNode:
			branch = &node.BranchNode
		default:
			size += len(node.String())
			continue
		}
		inside, err := countIn(branch.List)
		if err != nil {
			return 0, err
		}
		otherwise, err := countIn(branch.ElseList)
		if err != nil {
			return 0, err
		}
		size += len(branch.Pipe.String()) + otherwise
		if branch.NodeType != parse.NodeRange {
			size += inside
			continue
		}
		if branch.List == nil {
			branch.List = &parse.ListNode{NodeType: parse.NodeList}
		}
		if err := step(branch.List, inside); err != nil {
			return 0, err
		}
	}
	return size, nil
}

// printing keeps what the printing functions make within its limits.
type printing struct{ left int }

func (p *printing) bounded(print func(...any) string) func(...any) (string, error) {
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
		if p.left -= size + len(text); len(text) > maxText || p.left < 0 {
			return "", errTooMuch
		}
		return text, nil
	}
}

// wide finds a width that makes a long text out of nothing.
var wide = regexp.MustCompile(`%[^a-zA-Z%]*([0-9]{4,}|\*)`)

func (p *printing) format(format string, args ...any) (string, error) {
	if len(format) > 4<<10 || wide.MatchString(format) {
		return "", errTooMuch
	}
	return p.bounded(func(args ...any) string { return fmt.Sprintf(format, args...) })(args...)
}

// limited is a buffer that takes no more than it may.
type limited struct {
	bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errTooMuch
	}
	return l.Buffer.Write(p)
}

var (
	// templatePlace is where text/template says that a mistake is.
	templatePlace = regexp.MustCompile(`^template: [^:]*:(\d+)(?::(\d+))?: (?:executing "[^"]*" at )?`)
	templateBegin = regexp.MustCompile(` started at text:(\d+)$`)
	missingKey    = regexp.MustCompile(`^<([^>]*)>: .*map has no entry for key "([^"]*)"`)
	missingNil    = regexp.MustCompile(`^<([^>]*)>: nil data; no entry for key "([^"]*)"`)
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
	for _, pattern := range []*regexp.Regexp{missingKey, missingNil} {
		if found := pattern.FindStringSubmatch(words); found != nil {
			problem.Field = found[1]
			problem.Message = "the values have no " + document.Shown(found[2])
			problem.Remedy = "write " + document.Shown(found[2]) + ": VALUE into the values file"
		}
	}
	return problem
}
