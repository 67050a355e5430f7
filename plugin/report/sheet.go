package report

import (
	"io"
	"slices"
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

func (s sheet) text(out io.Writer) error     { return fillColumns(out, 0, "sheet.gotmpl", s) }
func (s sheet) markdown(out io.Writer) error { return fill(out, "sheet.markdown.gotmpl", s) }
func (s sheet) html(out io.Writer) error {
	return written(pages.ExecuteTemplate(out, "sheet.gohtml", s))
}
