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

// table is a table of texts. In each row the first is the row's head.
type table struct {
	Title string
	Head  []string
	Rows  [][]string
}

// row adds a row of texts, which may come from a journal of unknown origin.
func (t *table) row(texts ...string) {
	for i, text := range texts {
		texts[i] = clean(text)
	}
	t.Rows = append(t.Rows, texts)
}

// filled are the tables that have rows.
func filled(tables ...table) []table {
	return slices.DeleteFunc(tables, func(t table) bool { return len(t.Rows) == 0 })
}

func (s sheet) text(out io.Writer) error {
	var b strings.Builder
	for _, t := range s.Tables {
		fmt.Fprintln(&b, t.Title)
		columns := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, row := range slices.Concat([][]string{t.Head}, t.Rows) {
			fmt.Fprintf(columns, "  %s\n", strings.Join(row, "\t"))
		}
		columns.Flush()
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s\n\n%s\n", strings.Join(s.Notes, "\n"), s.Headline)
	return write(out, b.String())
}

func (s sheet) markdown(out io.Writer) error { return fill(out, "sheet.markdown.gotmpl", s) }

//go:embed sheet.gohtml
var sheetText string

var sheetPage = template.Must(template.Must(page.Clone()).New("sheet").Parse(sheetText))

func (s sheet) html(out io.Writer) error {
	return written(sheetPage.Execute(out, s))
}
