package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

var (
	//go:embed *.gohtml
	pageFiles embed.FS
	//go:embed page.css
	pageStyle string

	pages = template.Must(template.New("").Funcs(template.FuncMap{
		"clean": clean, "lines": document.Lines, "seconds": plainSeconds, "class": class, "policy": policy,
		"style": func() template.CSS { return template.CSS(pageStyle) },
		"add":   func(a, b int) int { return a + b },
	}).ParseFS(pageFiles, "*.gohtml"))
)

// policy has a browser hold the page to asking for nothing.
func policy() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// HTML writes the runs as one page that needs nothing else.
func HTML(out io.Writer, runs ...Run) error { return Page{}.Write(out, runs...) }

// Page is an HTML page of runs and crash maps. It has no script, and asks for nothing
// over the network: its policy has a browser hold it to that.
type Page struct{ Maps []CrashMap }

// Write writes the page with these runs.
func (p Page) Write(out io.Writer, runs ...Run) error {
	view := pageView{Maps: p.Maps, Tally: TallyOf(runs), Shown: map[string]int{}}
	names, files := shortNames(runs), map[string]string{}
	for _, one := range p.Maps {
		for _, bar := range one.Bars {
			for _, cell := range bar.Cells {
				files[cell.Run] = cell.File
			}
		}
	}
	for i, r := range runs {
		view.Shown[r.Name] = i + 1
		view.Runs = append(view.Runs, runView{
			Run: r, ID: i + 1, Open: len(runs) == 1, Case: names[Case(r.Plan)], Command: replay(r, files[r.Name]),
		})
	}
	view.Groups, view.Longest = groups(runs)
	return written(pages.ExecuteTemplate(out, "page.gohtml", view))
}

// pageView is what the page shows.
type pageView struct {
	Maps   []CrashMap
	Tally  Tally
	Groups []group
	// Longest is the longest recovery, in seconds.
	Longest float64
	Runs    []runView
	// Shown are the numbers of the runs on the page, from 1, by their names.
	Shown map[string]int
}

// runView is what the page shows of one run.
type runView struct {
	Run
	ID   int
	Open bool
	// Case names the test case, as the first table does.
	Case string
	// Command makes the run again.
	Command string
}

func (v runView) Drawing() drawing { return drawing{v.Chart(), v.ID, clean(v.Origin.Name)} }

// Sights are what the client saw: what each call and each probe came to.
func (v runView) Sights() []Finding {
	return slices.DeleteFunc(v.Findings(), func(f Finding) bool {
		step, _ := v.Plan.Find(f.Step)
		return step.Activity == nil || step.Name == plan.GivenStep || step.Name == plan.TeardownStep
	})
}

// replay is the command that makes the run again. The file of an experiment that came
// as one is in the journal; that of a run of a crash map is the given one, in the map's
// folder.
func replay(r Run, file string) string {
	if file == "" && r.Plan.Source != "" {
		file = r.Plan.Experiment + ".yaml"
	}
	words := []string{"emco-chaos", "run", quote(r.Plan.Experiment)}
	if file != "" {
		words = []string{"emco-chaos", "run", "-f", quote(file)}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Plan.Parameters)) {
		words = append(words, "--set", quote(name+"="+r.Plan.Parameters[name]))
	}
	if len(r.Plan.BlastRadius) > 0 {
		words = append(words, "--use-existing")
	}
	return strings.Join(append(words, "--target", "FILE"), " ")
}

// quote makes a text one word of a shell.
func quote(text string) string {
	text = clean(text)
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.,/"
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func plainSeconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// class is the class of what has a verdict, or a state, in the page's style.
func class(name any) string { return strings.ToLower(fmt.Sprint(name)) }
