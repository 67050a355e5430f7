package chart

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// query is what a panel or an annotation asks.
type query struct {
	Expr       string
	RefID      string `json:"refId"`
	Datasource struct{ Type, UID string }
}

// dashboard is what the tests need of a dashboard of Grafana's.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Panels        []struct {
		query
		ID                 int
		Type, Title        string
		GridPos            struct{ X, Y, W, H int }
		Targets            []query
		FieldConfig        map[string]any
		Options            map[string]any
		Description, Error string
	}
	Annotations struct{ List []annotation }
	Templating  struct{ List []variable }
}

type annotation struct {
	query
	Name            string
	Enable          bool
	UseValueForTime bool
}

type variable struct {
	Name, Type, Definition string
	Query                  json.RawMessage
	Datasource             struct{ Type, UID string }
}

// filled is a query as Grafana sends it.
var filled = strings.NewReplacer("$__range", "1d", "$__rate_interval", "2m", "$namespace", ".*", "$experiment", ".*")

var labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)

// TestDashboard: each query of the dashboard is PromQL over metrics that the
// controller has, of the data source that is chosen; each metric is shown.
func TestDashboard(t *testing.T) {
	t.Parallel()
	all := objects(t, given(t, `metrics: {dashboard: {enabled: true, labels: {team: lab}}}`))
	config := named[*corev1.ConfigMap](t, all, "emco-chaos-dashboard")
	if config.Labels["grafana_dashboard"] != "1" || config.Labels["team"] != "lab" {
		t.Errorf("the labels are %v", config.Labels)
	}
	var d dashboard
	if err := json.Unmarshal([]byte(config.Data["emco-chaos.json"]), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 36 {
		t.Errorf("%q, %q and version %d do not name a dashboard", d.UID, d.Title, d.SchemaVersion)
	}
	var shown []string
	check := func(where string, one query) {
		if one.Datasource.Type != "prometheus" || one.Datasource.UID != "${datasource}" {
			t.Errorf("%s asks %v, and not the data source that is chosen", where, one.Datasource)
		}
		expr := filled.Replace(one.Expr)
		if strings.Contains(expr, "$") {
			t.Errorf("%s: %s has a variable that there is not", where, one.Expr)
		}
		shown = append(shown, checkQuery(t, where, expr)...)
	}
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, panel := range d.Panels {
		if panel.Title == "" || panel.Description == "" || ids[panel.ID] || len(panel.Targets) == 0 {
			t.Errorf("panel %d %q has no title, no description, no query, or an ID of another", panel.ID, panel.Title)
		}
		ids[panel.ID] = true
		if panel.Datasource.UID != "${datasource}" {
			t.Errorf("%s asks %v", panel.Title, panel.Datasource)
		}
		refs := map[string]bool{}
		for _, target := range panel.Targets {
			if refs[target.RefID] || target.RefID == "" {
				t.Errorf("%s has two queries %q", panel.Title, target.RefID)
			}
			refs[target.RefID] = true
			check(panel.Title, target)
		}
		at := panel.GridPos
		if at.W < 1 || at.H < 1 || at.X < 0 || at.X+at.W > 24 {
			t.Errorf("%s is at %+v, outside the 24 columns", panel.Title, at)
		}
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies over %s", panel.Title, other)
				}
				taken[[2]int{x, y}] = panel.Title
			}
		}
	}
	for _, one := range d.Annotations.List {
		check(one.Name, one.query)
		// Grafana takes milliseconds.
		if !one.Enable || !one.UseValueForTime || !strings.HasSuffix(one.Expr, "_timestamp_seconds{namespace=~\"$namespace\", experiment=~\"$experiment\"}) * 1000") {
			t.Errorf("the annotation %s is not at the time that its metric tells", one.Name)
		}
	}
	if len(d.Annotations.List) != 1 {
		t.Errorf("%d annotations tell of runs", len(d.Annotations.List))
	}
	var variables []string
	for _, one := range d.Templating.List {
		variables = append(variables, one.Name)
		if one.Type == "datasource" {
			continue
		}
		asked := labelValues.FindStringSubmatch(one.Definition)
		if asked == nil || asked[2] != one.Name || !strings.Contains(string(one.Query), `"label_values(`) || one.Datasource.UID != "${datasource}" {
			t.Fatalf("the values of %s are %q", one.Name, one.Definition)
		}
		checkQuery(t, "variable "+one.Name, filled.Replace(asked[1]))
	}
	if want := []string{"datasource", "namespace", "experiment"}; !slices.Equal(variables, want) {
		t.Errorf("the variables are %v, want %v", variables, want)
	}
	for name := range counted(t) {
		if !slices.Contains(shown, name) {
			t.Errorf("no panel shows %s", name)
		}
	}
}
