package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/emco-chaos/emco-chaos/plugin/controller"
)

var description = regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([\w,]*)\}`)

// counted are the metrics of a controller, with their labels.
func counted(t *testing.T) map[string][]string {
	t.Helper()
	registry := prometheus.NewRegistry()
	if _, err := controller.New(controller.Parts{Registry: registry, Targets: []string{"emco"}}); err != nil {
		t.Fatal(err)
	}
	descriptions := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descriptions)
		close(descriptions)
	}()
	known := map[string][]string{}
	for one := range descriptions {
		found := description.FindStringSubmatch(one.String())
		if found == nil {
			t.Fatalf("no name is in %s", one)
		}
		known[found[1]] = strings.FieldsFunc(found[2], func(r rune) bool { return r == ',' })
	}
	return known
}

// checkQuery checks that a query is PromQL, and that each metric and each label in
// it is one of the controller's, or one that Prometheus gives. It returns the metrics.
func checkQuery(t *testing.T, where, query string) []string {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %s: %v", where, query, err)
		return nil
	}
	known := counted(t)
	var names []string
	given := []string{"namespace", "le"}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch one := node.(type) {
		case *parser.VectorSelector:
			name := strings.TrimSuffix(one.Name, "_bucket")
			own, is := known[name]
			if !is {
				t.Errorf("%s: %s: the controller has no metric %s", where, query, name)
			}
			names, given = append(names, name), append(given, own...)
			for _, matcher := range one.LabelMatchers {
				if matcher.Name != model.MetricNameLabel && matcher.Name != "namespace" && !slices.Contains(own, matcher.Name) {
					t.Errorf("%s: %s: %s has no label %s", where, query, name, matcher.Name)
				}
			}
		}
		return nil
	})
	if len(names) == 0 {
		t.Errorf("%s: %s has no metric", where, query)
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if one, is := node.(*parser.AggregateExpr); is {
			for _, label := range one.Grouping {
				if !slices.Contains(given, label) {
					t.Errorf("%s: %s: there is no label %s to group by", where, query, label)
				}
			}
		}
		return nil
	})
	return names
}

// TestMetricsPage: the page has each metric of the controller, with its labels, and
// no other.
func TestMetricsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (emco_chaos_[^|]*) \|`).FindAllStringSubmatch(string(page), -1) {
		for _, one := range regexp.MustCompile(`\w+(\{[^}]*\})?`).FindAllString(row[1], -1) {
			documented[one] = true
		}
	}
	for name, own := range counted(t) {
		if len(own) > 0 {
			name += "{" + strings.Join(own, ",") + "}"
		}
		if !documented[name] {
			t.Errorf("the page has no %s", name)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("the page has %s, and the controller does not", name)
	}
}
