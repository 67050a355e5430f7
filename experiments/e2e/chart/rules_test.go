package chart

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"sigs.k8s.io/yaml"
)

// alerts are the chart's alerts, as Prometheus reads them.
func alerts(t *testing.T) []rulefmt.Rule {
	t.Helper()
	all := objects(t, given(t, `metrics: {rules: {enabled: true, labels: {release: prometheus}}}`))
	rule := named[*monitoring.PrometheusRule](t, all, "emco-chaos")
	if rule.Labels["release"] != "prometheus" {
		t.Errorf("the labels are %v", rule.Labels)
	}
	text, err := yaml.Marshal(rule.Spec)
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatalf("Prometheus refuses the rules: %v", errs)
	}
	var found []rulefmt.Rule
	for _, group := range groups.Groups {
		found = append(found, group.Rules...)
	}
	return found
}

// TestRules: each alert is over metrics that the controller has, of its own
// installation alone, and says what it is about.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, alert := range alerts(t) {
		checkQuery(t, alert.Alert, alert.Expr)
		if alert.Labels["severity"] == "" || alert.Annotations["summary"] == "" || alert.Annotations["description"] == "" {
			t.Errorf("%s has labels %v and says %v", alert.Alert, alert.Labels, alert.Annotations)
		}
		if !strings.Contains(alert.Expr, fmt.Sprintf("namespace=%q", namespace)) {
			t.Errorf("%s is over all installations: %s", alert.Alert, alert.Expr)
		}
	}
}

// TestAlerts: which alerts fire, of which experiment, when the metrics are so.
func TestAlerts(t *testing.T) {
	t.Parallel()
	const here, there = `namespace="` + namespace + `"`, `namespace="elsewhere"`
	lines := func(series ...string) string { return "load 30s\n  " + strings.Join(series, "\n  ") + "\n" }
	found := "emco_chaos_leftovers_found_timestamp_seconds{" + here + "}"
	is := func(pod, where, values string) string {
		return fmt.Sprintf("emco_chaos_run_in_progress{pod=%q,%s} %s", pod, where, values)
	}
	ended := func(where, experiment, verdict, values string) string {
		return fmt.Sprintf(`emco_chaos_last_run_end_timestamp_seconds{pod="a",%s,experiment=%q,verdict=%q} %s`, where, experiment, verdict, values)
	}
	alive := is("a", here, "0x1000")
	const leftovers = "EmcoChaosLeftovers  chaos-lab"
	const away = "EmcoChaosControllerAway  chaos-lab"
	for name, test := range map[string]struct {
		series string
		at     time.Duration
		want   []string
	}{
		"all is well": {lines(alive, found+" 0x1000", ended(here, "a", "Passed", "100x1000")), 2 * time.Hour, nil},
		"one failed": {
			lines(alive, ended(here, "a", "Failed", "100x1000"), ended(here, "b", "Error", "100x1000"), ended(here, "c", "Inconclusive", "100x1000")), 2 * time.Hour,
			[]string{"EmcoChaosExperimentFailed a chaos-lab"},
		},
		"it passed since": {
			lines(alive, ended(here, "a", "Failed", "100x100 stale"), ended(here, "a", "Passed", "_x100 3000x1000")), 2 * time.Hour, nil,
		},
		"two failed": {
			lines(alive, ended(here, "a", "Failed", "100x1000"), ended(here, "b", "Failed", "100x1000")), time.Hour,
			[]string{"EmcoChaosExperimentFailed a chaos-lab", "EmcoChaosExperimentFailed b chaos-lab"},
		},
		"elsewhere": {
			lines(alive, ended(there, "a", "Failed", "100x1000"), "emco_chaos_leftovers_found_timestamp_seconds{"+there+"} 7000x1000"), 2 * time.Hour, nil,
		},
		"leftovers just now": {lines(alive, found+" 0x200 7000x500"), 2 * time.Hour, []string{leftovers}},
		"leftovers long ago": {lines(alive, found+" 5000x1000"), 2 * time.Hour, nil},
		"another leader has found some": {
			lines(alive, found+" 0x1000", strings.Replace(found, "{", `{pod="b",`, 1)+" 7100x1000"), 2 * time.Hour, []string{leftovers},
		},
		"the controller has gone": {lines(is("a", here, "0x200 stale")), 2 * time.Hour, []string{away}},
		"it has just gone":        {lines(is("a", here, "0x236 stale")), 2 * time.Hour, nil},
		"another one is there":    {lines(is("a", here, "0x200 stale"), is("b", here, "0x1000")), 2 * time.Hour, nil},
		"that of another is":      {lines(is("b", there, "0x1000")), 2 * time.Hour, []string{away}},
	} {
		t.Run(name, func(t *testing.T) {
			storage := promqltest.LoadedStorage(t, test.series)
			ask := rules.EngineQueryFunc(promqltest.NewTestEngine(t, false, 5*time.Minute, 10000), storage)
			var firing []string
			for _, alert := range alerts(t) {
				expr, err := parser.NewParser(parser.Options{}).ParseExpr(alert.Expr)
				if err != nil {
					t.Fatal(err)
				}
				rule := rules.NewAlertingRule(alert.Alert, expr, time.Duration(alert.For), 0,
					labels.FromMap(alert.Labels), labels.FromMap(alert.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
				// As a Prometheus does that has looked all the time.
				for at := time.Duration(0); at <= test.at; at += time.Minute {
					if _, err := rule.Eval(t.Context(), 0, time.Unix(0, 0).Add(at), ask, nil, 0); err != nil {
						t.Fatal(err)
					}
				}
				for _, active := range rule.ActiveAlerts() {
					if active.State == rules.StateFiring {
						experiment, where := active.Labels.Get("experiment"), active.Labels.Get("namespace")
						firing = append(firing, fmt.Sprintf("%s %s %s", alert.Alert, experiment, where))
						if !strings.HasSuffix(active.Annotations.Get("summary"), experiment) || !strings.Contains(active.Annotations.Get("description"), where) {
							t.Errorf("%s says %v", alert.Alert, active.Annotations)
						}
						for _, text := range active.Annotations.Map() {
							if strings.Contains(text, "{{") || strings.Contains(text, "<error") || strings.Contains(text, "no value") {
								t.Errorf("%s says %q", alert.Alert, text)
							}
						}
					}
				}
			}
			slices.Sort(firing)
			if !slices.Equal(firing, test.want) {
				t.Errorf("firing are %q, want %q", firing, test.want)
			}
		})
	}
}
