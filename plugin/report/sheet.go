package report

import (
	_ "embed" // of the page
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// sheet is a report that consists of tables.
type sheet struct {
	Title, Headline string
	Tables          []table
	Notes           []string
}

// table is a table of texts, which may come from a journal of unknown origin. In each row the first is the
// row's head. One without rows is left out.
type table struct {
	Title string
	Head  []string
	Rows  [][]string
}

func (s sheet) text(out io.Writer) error {
	var b strings.Builder
	s.each(clean, func(t table) {
		fmt.Fprintln(&b, t.Title)
		columns := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, row := range slices.Concat([][]string{t.Head}, t.Rows) {
			fmt.Fprintf(columns, "  %s\n", strings.Join(row, "\t"))
		}
		columns.Flush()
		b.WriteString("\n")
	})
	fmt.Fprintf(&b, "%s\n\n%s\n", strings.Join(s.Notes, "\n"), s.Headline)
	return write(out, b.String())
}

func (s sheet) markdown(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", s.Headline)
	s.each(escape, func(t table) {
		fmt.Fprintf(&b, "\n## %s\n\n| %s |\n|%s\n", t.Title, strings.Join(t.Head, " | "), strings.Repeat(" --- |", len(t.Head)))
		for _, row := range t.Rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	})
	fmt.Fprintf(&b, "\n%s\n", escape(strings.Join(s.Notes, " ")))
	return write(out, b.String())
}

//go:embed sheet.gohtml
var sheetText string

var sheetPage = template.Must(template.Must(page.Clone()).New("sheet").Parse(sheetText))

func (s sheet) html(out io.Writer) error {
	if err := sheetPage.Execute(out, s); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// each gives all tables with rows to a function, their texts made harmless.
func (s sheet) each(harmless func(string) string, do func(table)) {
	for _, t := range s.Tables {
		if len(t.Rows) == 0 {
			continue
		}
		rows := make([][]string, len(t.Rows))
		for i, row := range t.Rows {
			for _, text := range row {
				rows[i] = append(rows[i], harmless(text))
			}
		}
		do(table{t.Title, t.Head, rows})
	}
}
