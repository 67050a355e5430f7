package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments"
	runs "github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
)

// httpChart is the chart of the controller that was asked over HTTP.
const httpChart = "testdata/emco-chaos-http.tgz"

// TestUpgrade brings an installation of the chart of before Runs were objects
// up to date, uninstalls it, installs it again on the definition of Runs that was
// kept, with a suite that runs by its cron, and uninstalls it with that. An installation
// whose definition is gone can be uninstalled too.
func TestUpgrade(t *testing.T) {
	s := here(t)
	s.prepare(t)
	given := s.given()
	maps.Copy(given, map[string]any{"queue": 20, "rbac": map[string]any{"reviews": true}})
	// Its controller cannot start with an image of today.
	s.helmInstall(t, httpChart, kube.HookOnlyStrategy, given)
	before := s.installed(t)
	olds := []string{
		"Service emco-chaos/emco-chaos", "Secret emco-chaos/emco-chaos-tls", "ClusterRole /emco-chaos-emco-chaos-reviews",
		"ClusterRoleBinding /emco-chaos-emco-chaos-reviews", "Schedule emco-chaos/dig-instantiate-in-flight",
	}
	for _, old := range olds {
		if !slices.Contains(before, old) {
			t.Errorf("the old chart has no %s", old)
		}
	}

	refused := func(change func(*action.Upgrade), values ...string) {
		t.Helper()
		err := s.helmUpgrade(t, change, map[string]any{})
		t.Log(err)
		for _, value := range values {
			if err == nil || !strings.Contains(err.Error(), "at '"+value+"': value must be 'left out, for it is gone: take it out of your values") {
				t.Errorf("the upgrade with %s: %v", value, err)
			}
		}
	}
	refused(func(upgrade *action.Upgrade) { upgrade.ReuseValues = true }, "/queue", "/leaseWait", "/journals", "/service", "/tls", "/rbac/reviews", "/networkPolicy/from")
	again := func(upgrade *action.Upgrade) { upgrade.ResetThenReuseValues = true }
	refused(again, "/queue", "/rbac/reviews")
	if err := s.helmUpgrade(t, again, map[string]any{"queue": nil, "rbac": map[string]any{"reviews": nil}}); err != nil {
		t.Fatal(err)
	}
	if err := s.helmUpgrade(t, again, map[string]any{}); err != nil {
		t.Errorf("the next upgrade has to be told again what is gone: %v", err)
	}
	s.apply(t, manifest("upgraded", "service-refused", ""))
	if status := s.finished(t, "upgraded", runLimit); status.Verdict != "Passed" {
		t.Errorf("it ended %+v", status)
	}
	after := s.installed(t)
	for _, old := range olds {
		if slices.Contains(after, old) {
			t.Errorf("%s of the old chart is there", old)
		}
	}
	var all v1alpha1.ScheduleList
	if err := s.client.List(t.Context(), &all, client.InNamespace(home)); err != nil {
		t.Fatal(err)
	}
	for _, schedule := range all.Items {
		if schedule.Name == schedule.Labels["emco-chaos.io/experiment"] {
			t.Errorf("the old Schedule %s is there", schedule.Name)
		}
	}
	if len(all.Items) != len(experiments.Names()) {
		t.Errorf("there are %d Schedules", len(all.Items))
	}
	t.Logf("came: %q", without(after, before))
	t.Logf("went: %q", without(before, after))

	const definition = "CustomResourceDefinition /runs.emco-chaos.io"
	s.helmUninstall(t)
	s.left(t, definition)
	values := s.given()
	values["crds"], values["schedules"] = map[string]any{"keep": false}, everyMinute()
	s.helmInstall(t, chartFolder, kube.StatusWatcherStrategy, values)
	s.night(t)
	s.helmUninstall(t)
	s.left(t)

	s.helmInstall(t, chartFolder, kube.StatusWatcherStrategy, s.given())
	s.removeDefinition(t)
	s.helmUninstall(t)
	s.left(t)
	s.clean(t)
}

// nightly are the experiments of a nightly suite.
var nightly = map[string]string{"nightly-1": "service-refused", "nightly-2": "logical-cloud-instantiate-status-lost"}

// everyMinute has the chart run the nightly suite every minute.
func everyMinute() map[string]any {
	var list []any
	for name, experiment := range nightly {
		list = append(list, map[string]any{"name": name, "experiment": experiment, "cron": "* * * * *", "paused": false})
	}
	return map[string]any{"list": list}
}

// night waits until each of the nightly suite has run and passed.
func (s *site) night(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute+runLimit, func(ctx context.Context) error {
		var all runs.RunList
		if err := s.client.List(ctx, &all, client.InNamespace(home)); err != nil {
			return err
		}
		passed := map[string]bool{}
		for _, run := range all.Items {
			if run.Status.Phase == runs.Finished && run.Status.Verdict != "Passed" {
				t.Fatalf("%s ended %+v", run.Name, run.Status)
			}
			passed[run.Spec.Experiment] = passed[run.Spec.Experiment] || run.Status.Verdict == "Passed" && run.Spec.Workflow != ""
		}
		for name, experiment := range nightly {
			if !passed[experiment] {
				return fmt.Errorf("%s has not passed", name)
			}
		}
		return nil
	})
}

// installed are the objects that are there of the chart, whichever.
func (s *site) installed(t *testing.T) []string {
	t.Helper()
	there, err := s.ours(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(there)
	return there
}

// without are those that are not in the others, and no pods and the like, whose
// names are made up.
func without(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(one string) bool {
		kind, _, _ := strings.Cut(one, " ")
		return slices.Contains(others, one) || slices.Contains([]string{"Pod", "PodMetrics", "ReplicaSet", "EndpointSlice"}, kind)
	})
}

// left waits until an uninstall has left no more than that.
func (s *site) left(t *testing.T, want ...string) {
	t.Helper()
	// Pods go last.
	eventually(t, time.Minute, func(ctx context.Context) error {
		there, err := s.ours(ctx)
		if err == nil && !slices.Equal(there, want) {
			err = fmt.Errorf("the uninstall left %q, want %q", there, want)
		}
		return err
	})
}

func (s *site) helmUpgrade(t *testing.T, change func(*action.Upgrade), values map[string]any) error {
	t.Helper()
	chart, err := loader.Load(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	upgrade := action.NewUpgrade(s.helm(t))
	upgrade.Namespace, upgrade.WaitStrategy, upgrade.Timeout = home, kube.StatusWatcherStrategy, helmLimit
	change(upgrade)
	_, err = upgrade.RunWithContext(during(t), home, chart, values)
	return err
}
