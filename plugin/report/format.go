package report

import (
	"fmt"
	"io"
	"strings"
)

// Format writes a report of runs.
type Format func(out io.Writer, runs ...Run) error

// Formats are the formats of a report, by the names that a user gives them.
var Formats = map[string]Format{
	"text":     Text,
	"json":     JSON,
	"junit":    JUnit,
	"markdown": Markdown,
	"html":     HTML,
}

// each writes what a format makes of the runs, one after another.
func each(out io.Writer, runs []Run, one func(*strings.Builder, Run)) error {
	var b strings.Builder
	for _, r := range runs {
		one(&b, r)
	}
	return write(out, b.String())
}

func write(out io.Writer, text string) error {
	if _, err := io.WriteString(out, text); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// list writes a line for each entry below a head, if there is any.
func list[T any](b *strings.Builder, head string, entries []T, line func(T) string) {
	for i, entry := range entries {
		if i == 0 {
			b.WriteString(head)
		}
		b.WriteString(line(entry) + "\n")
	}
}
