package crashpoint

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"strings"
	"text/template"
	"time"
)

//go:embed *.yaml.tmpl
var files embed.FS

var templates = template.Must(template.New("").
	Funcs(template.FuncMap{"plus": func(a, b int) int { return a + b }}).
	ParseFS(files, "*.yaml.tmpl"))

// Options say how an experiment is written.
type Options struct {
	// Reach is how long a call is given to come to the first hold, and Settle to
	// move on after a hold was removed: what was held is sent again only by TCP's
	// timer.
	Reach, Settle time.Duration
	// First is Settle after the first hold, which lasts for less than the others; 0 is
	// Settle.
	First time.Duration
	// Judge has the experiment fail when EMCO and the edge do not agree once the
	// service is back. Without it that is only recorded, and the run goes on.
	Judge bool
	// Restart names a service that is killed too, after the call was made again.
	Restart string
	// Converge is how long EMCO may take for each thing that it must come to.
	Converge time.Duration
}

// The steps of a point's experiment that tell what came of it.
const (
	Before    = "before"     // the survey before the call
	Call      = "call"       // the call itself
	Kill      = "kill"       // the death of its service
	Look      = "look"       // the survey after the return, hands off
	Reissue   = "reissue"    // the call is made again
	Final     = "final"      // its end is reached
	Edge      = "edge"       // on the edge too
	EdgeBack  = "edge-back"  // the survey when the edge is back, where it was away
	Undo      = "undo"       // the call that leads back is made
	Undone    = "undone"     // its end is reached
	EdgeAfter = "edge-after" // on the edge too
)

// Hold is the step that holds the call at a back end of the path, from 1 on.
func Hold(number int) string { return fmt.Sprintf("hold-%d", number) }

// removal is how long a hold may take to be put on, and the one before to be taken
// off.
const removal = 5 * time.Second

// Quiet is for how long nothing may move where EMCO was found at rest before: in
// the given state, and at an end that has held.
func (Options) Quiet() time.Duration { return 500 * time.Millisecond }

// Afterwards is for how long nothing may move when the edge is back: rsync tries
// again only some seconds later.
func (Options) Afterwards() time.Duration { return 5 * time.Second }

// Experiment writes the experiment in which the service dies at the point, and in
// the calls of others, if any, which are stopped by the same holds.
func (p Point) Experiment(options Options, others ...Member) ([]byte, error) {
	type call struct {
		Member
		Options
	}
	options.First = cmp.Or(options.First, options.Settle)
	data := struct {
		Point
		Options
		Given   string
		Main    call
		Others  []call
		Last    int
		Timeout time.Duration
	}{
		Point: p, Options: options, Given: p.Start.Given, Main: call{Member{Start: p.Start}, options}, Last: len(p.Path) - 1,
		Timeout: options.Converge + time.Duration(len(p.Path))*(options.Settle+removal),
	}
	options.Judge, options.Restart = false, "" // what comes of the others is only recorded
	for _, other := range others {
		data.Given = strings.TrimSuffix(data.Given, "}") + fmt.Sprintf(", %s: %s}", other.group, other.State)
		data.Others = append(data.Others, call{other, options})
	}
	return render("point", data)
}

// Reference writes the experiment that makes the call without any fault.
func (s Start) Reference(options Options) ([]byte, error) {
	return render("reference", struct {
		Start
		Options
	}{s, options})
}

// RestartOf writes the experiment that restarts a service.
func RestartOf(service string) ([]byte, error) { return render("restart", service) }

func render(name string, data any) ([]byte, error) {
	var text bytes.Buffer
	if err := templates.ExecuteTemplate(&text, name+".yaml.tmpl", data); err != nil {
		return nil, fmt.Errorf("write the experiment: %w", err)
	}
	return text.Bytes(), nil
}
