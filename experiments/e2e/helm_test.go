package e2e

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

const (
	// home is the namespace that the chart is installed into, and its
	// release's name.
	home = "emco-chaos"
	// chartFolder is the chart.
	chartFolder = "../../charts/emco-chaos"
	// edgeSecret has the edge's kubeconfig.
	edgeSecret = "edge"
	helmLimit  = 3 * time.Minute
)

// helm is what the helm command does its work with.
func (s *site) helm(t *testing.T) *action.Configuration {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(true)
	space := home
	flags.KubeConfig, flags.Namespace = &s.kubeconfig, &space
	configuration := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	if err := configuration.Init(flags, home, "secret"); err != nil {
		t.Fatal(err)
	}
	return configuration
}

// given are the values that a user must give.
func (s *site) given() map[string]any {
	return map[string]any{
		"image": map[string]any{"repository": s.repository, "tag": s.tag},
		"edge": map[string]any{
			"address":    s.edgeAddress,
			"kubeconfig": map[string]any{"secret": edgeSecret},
		},
	}
}

// prepare makes the namespace and the Secret that the chart needs. The test's
// end uninstalls it, unless that was done.
func (s *site) prepare(t *testing.T) {
	t.Helper()
	kubeconfig, err := os.ReadFile(s.edge)
	if err != nil {
		t.Fatal(err)
	}
	s.makeNamespace(t, home)
	s.makeSecret(t, home, edgeSecret, map[string][]byte{"kubeconfig": kubeconfig})
	t.Cleanup(func() {
		s.keepLogs(t)
		s.uninstall(t)
	})
}

// install installs the chart as `helm install --wait` does, after what it needs.
func (s *site) install(t *testing.T, values map[string]any) {
	t.Helper()
	s.prepare(t)
	s.helmInstall(t, chartFolder, kube.StatusWatcherStrategy, values)
	// The controller's first look for what dead runs left has the target.
	eventually(t, time.Minute, s.unheld)
}

func (s *site) helmInstall(t *testing.T, name string, wait kube.WaitStrategy, values map[string]any) {
	t.Helper()
	chart, err := loader.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(s.helm(t))
	install.ReleaseName, install.Namespace = home, home
	install.WaitStrategy, install.Timeout = wait, helmLimit
	if _, err := install.RunWithContext(during(t), chart, values); err != nil {
		t.Fatal(err)
	}
}

// uninstall takes all away that the chart made.
func (s *site) uninstall(t *testing.T) {
	t.Helper()
	s.helmUninstall(t)
	s.removeDefinition(t)
}

// removeDefinition removes the definition of Runs, and so all Runs.
func (s *site) removeDefinition(t *testing.T) {
	t.Helper()
	s.remove(t, &apiextensions.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "runs.emco-chaos.io"}})
}

// helmUninstall does what `helm uninstall --wait` does, if that was not done yet.
func (s *site) helmUninstall(t *testing.T) {
	t.Helper()
	uninstall := action.NewUninstall(s.helm(t))
	uninstall.WaitStrategy, uninstall.Timeout, uninstall.IgnoreNotFound = kube.StatusWatcherStrategy, helmLimit, true
	if _, err := uninstall.Run(home); err != nil {
		t.Errorf("helm uninstall: %v", err)
	}
}
