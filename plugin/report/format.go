package report

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"text/template"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

// Format writes a report of runs.
type Format func(out io.Writer, runs ...Run) error

// Formats are the formats of a report, by the names that a user gives them.
var Formats = map[string]Format{
	"text":     Text,
	"json":     jsonLines[Run],
	"junit":    JUnit,
	"markdown": func(out io.Writer, runs ...Run) error { return fill(out, "markdown.gotmpl", runs) },
	"html":     HTML,
}

var (
	//go:embed *.gotmpl
	formFiles embed.FS

	forms = template.Must(template.New("").Funcs(template.FuncMap{
		"clean": clean, "escape": escape, "upper": strings.ToUpper, "trim": strings.TrimSuffix, "join": strings.Join,
		"seconds": seconds, "width": stepWidth, "percent": Share.percent, "tally": TallyOf, "held": held,
		"lanes": lanes, "told": Run.told,
	}).ParseFS(formFiles, "*.gotmpl"))
)

// fill writes what a template makes of the data.
func fill(out io.Writer, form string, data any) error {
	var b strings.Builder
	if err := forms.ExecuteTemplate(&b, form, data); err != nil {
		return written(err)
	}
	return write(out, b.String())
}

// fillColumns is [fill] with the cells that end in tabs below each other.
func fillColumns(out io.Writer, align uint, form string, data any) error {
	cells := tabwriter.NewWriter(out, 0, 0, 2, ' ', align)
	return cmp.Or(fill(cells, form, data), written(cells.Flush()))
}

// Text writes a report of each run for a reader.
func Text(out io.Writer, runs ...Run) error { return fill(out, "text.gotmpl", runs) }

func seconds(d time.Duration) string { return fmt.Sprintf("%+9.3f s", d.Seconds()) }

// stepWidth is the length of the longest name of a step.
func stepWidth(p *plan.Plan) int {
	width := 0
	for _, step := range p.Steps {
		width = max(width, len(step.Name))
	}
	return width
}

// jsonLines writes each value as one line of JSON.
func jsonLines[T any](out io.Writer, values ...T) error {
	var b strings.Builder
	for _, value := range values {
		// Nothing of a report can fail to be JSON.
		_ = json.NewEncoder(&b).Encode(value)
	}
	return write(out, b.String())
}

func write(out io.Writer, text string) error {
	_, err := io.WriteString(out, text)
	return written(err)
}

// written says what was being done when there was an error.
func written(err error) error {
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
