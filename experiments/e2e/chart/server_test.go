//go:build e2e

package chart

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/e2e/cluster"
)

// requiredVariable says that a test that cannot run has failed.
const requiredVariable = "EMCO_CHAOS_E2E_REQUIRED"

// server is the API server of a cluster that has Chaos Mesh and EMCO, with a
// namespace for one test.
type server struct {
	client    client.Client
	namespace string
	helm      *action.Configuration
}

func newServer(t *testing.T) *server {
	t.Helper()
	file := os.Getenv(clientcmd.RecommendedConfigPathEnvVar)
	if file == "" {
		unavailable(t, clientcmd.RecommendedConfigPathEnvVar+" is not set; name the kubeconfig of a cluster that has Chaos Mesh and EMCO")
	}
	up, err := cluster.FromKubeconfig(file)
	if err != nil {
		t.Fatal(err)
	}
	config, err := up.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, apiextensions.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	made, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	room := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "chart-"}}
	if err := made.Create(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := made.Delete(context.WithoutCancel(t.Context()), room); err != nil {
			t.Error(err)
		}
	})
	getter := genericclioptions.NewConfigFlags(true).WithWrapConfigFn(func(wrapped *rest.Config) *rest.Config {
		wrapped.Dial, wrapped.QPS, wrapped.Burst = config.Dial, config.QPS, config.Burst
		return wrapped
	})
	getter.KubeConfig, getter.Namespace = &file, &room.Name
	helm := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	if err := helm.Init(getter, room.Name, "secret"); err != nil {
		t.Fatal(err)
	}
	return &server{client: made, namespace: room.Name, helm: helm}
}

// unavailable ends a test that cannot run here.
func unavailable(t *testing.T, why string) {
	t.Helper()
	if os.Getenv(requiredVariable) != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func (s *server) install(t *testing.T, given map[string]any, dry action.DryRunStrategy) (*releasev1.Release, error) {
	t.Helper()
	return s.installChart(t, load(t), given, dry)
}

func (s *server) installChart(t *testing.T, which *chart.Chart, given map[string]any, dry action.DryRunStrategy) (*releasev1.Release, error) {
	t.Helper()
	install := action.NewInstall(s.helm)
	install.ReleaseName, install.Namespace, install.DryRunStrategy = "emco-chaos", s.namespace, dry
	install.ServerSideApply, install.WaitStrategy, install.Timeout = true, kube.HookOnlyStrategy, time.Minute
	made, err := install.RunWithContext(t.Context(), which, given)
	if err != nil {
		return nil, err
	}
	return made.(*releasev1.Release), nil
}

// TestDryRun: the API server and Chaos Mesh's own checks take every object, and
// drop no field of it.
func TestDryRun(t *testing.T) {
	everything := values(t, "everything")
	// The namespaces that the test cluster has.
	everything["chaosMesh"] = map[string]any{"namespace": "chaos-mesh"}
	emco := everything["emco"].(map[string]any)
	emco["namespace"] = "emco"
	services := emco["services"].(map[string]any)
	delete(services, "mongodb")
	services["clm"] = map[string]any{"port": 9061}
	// It has no operator of Prometheus, whose kinds these are.
	metrics := everything["metrics"].(map[string]any)
	delete(metrics, "podMonitor")
	delete(metrics, "rules")
	everything["priorityClassName"] = "system-cluster-critical"
	for name, given := range map[string]map[string]any{"minimal": values(t, "minimal"), "everything": everything} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			release, err := s.install(t, given, action.DryRunServer)
			if err != nil {
				t.Fatal(err)
			}
			manifests := release.Manifest
			for _, hook := range release.Hooks {
				manifests += "\n---\n" + hook.Manifest
			}
			all, err := decode(map[string]string{"release.yaml": manifests})
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range all {
				sent := object.DeepCopyObject().(client.Object)
				strict := client.WithFieldValidation(s.client, metav1.FieldValidationStrict)
				options := []client.CreateOption{client.DryRunAll}
				if _, is := object.(*corev1.ServiceAccount); is {
					// No pod is taken whose service account is not there.
					options = nil
				}
				if err := strict.Create(t.Context(), object, options...); err != nil {
					t.Errorf("%T %s: %v", sent, sent.GetName(), err)
					continue
				}
				if schedule, is := object.(*v1alpha1.Schedule); is && !reflect.DeepEqual(schedule.Spec, sent.(*v1alpha1.Schedule).Spec) {
					t.Errorf("the API server has of the Schedule %s\n%+v\nof\n%+v", schedule.Name, schedule.Spec, sent.(*v1alpha1.Schedule).Spec)
				}
				if schedule, is := object.(*v1alpha1.Schedule); is && !schedule.Status.LastScheduleTime.Equal(&sent.(*v1alpha1.Schedule).Status.LastScheduleTime) {
					t.Errorf("the API server has of the Schedule %s the time %s", schedule.Name, schedule.Status.LastScheduleTime)
				}
			}
		})
	}
}

func (s *server) upgrade(t *testing.T, given map[string]any) {
	t.Helper()
	upgrade := action.NewUpgrade(s.helm)
	upgrade.Namespace, upgrade.ServerSideApply, upgrade.WaitStrategy = s.namespace, "auto", kube.HookOnlyStrategy
	upgrade.Timeout = time.Minute
	if _, err := upgrade.RunWithContext(t.Context(), "emco-chaos", load(t), given); err != nil {
		t.Fatal(err)
	}
}

// before is the last commit whose controller was asked over HTTP.
const before = "2cbd1111e876dcad0e065ed17daea761083eff50"

// TestUpgradeFromBefore: an installation of the chart as it was before Runs were
// objects becomes one of this chart, and nothing of it is left.
func TestUpgradeFromBefore(t *testing.T) {
	s := newServer(t)
	packed, err := exec.CommandContext(t.Context(), "git", "archive", "--format=tar.gz", "--prefix=emco-chaos/", before+":charts/emco-chaos").Output()
	if err != nil {
		t.Skipf("the chart of commit %s is not to be had from git here: %v", before, err)
	}
	old, err := loader.LoadArchive(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	const clean = "uninstall: {clean: false}"
	if _, err := s.installChart(t, old, given(t, clean), action.DryRunNone); err != nil {
		t.Fatal(err)
	}
	s.upgrade(t, given(t, clean+"\ncrds: {keep: false}"))
	for name, object := range map[string]client.Object{
		"emco-chaos": &corev1.Service{}, "emco-chaos-tls": &corev1.Secret{}, "service-refused": &v1alpha1.Schedule{},
	} {
		if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, object); !apierrors.IsNotFound(err) {
			t.Errorf("after the upgrade the %T %s is there: %v", object, name, err)
		}
	}
	if err := s.client.Get(t.Context(), client.ObjectKey{Name: s.namespace + "-emco-chaos-reviews"}, &rbacv1.ClusterRole{}); !apierrors.IsNotFound(err) {
		t.Errorf("after the upgrade the ClusterRole is there: %v", err)
	}
	for name, object := range map[string]client.Object{"03-service-refused": &v1alpha1.Schedule{}, "emco-chaos": &rbacv1.Role{}} {
		if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, object); err != nil {
			t.Error(err)
		}
	}
	if err := s.client.Get(t.Context(), client.ObjectKey{Name: "runs.emco-chaos.io"}, &apiextensions.CustomResourceDefinition{}); err != nil {
		t.Error(err)
	}
	uninstall := action.NewUninstall(s.helm)
	uninstall.WaitStrategy, uninstall.Timeout = kube.StatusWatcherStrategy, time.Minute
	if _, err := uninstall.Run("emco-chaos"); err != nil {
		t.Fatal(err)
	}
}

// TestUpgradeAndUninstall: an upgrade is not in the way of a start from the
// dashboard that is under way, and an uninstall leaves nothing.
func TestUpgradeAndUninstall(t *testing.T) {
	s := newServer(t)
	// Its image is nowhere, so that no pod of it can run.
	const clean = "uninstall: {clean: false}\ncrds: {keep: false}"
	if _, err := s.install(t, given(t, clean), action.DryRunNone); err != nil {
		t.Fatal(err)
	}
	// As the dashboard's Start does it, just after Chaos Mesh has seen it.
	started := &v1alpha1.Schedule{}
	key := client.ObjectKey{Namespace: s.namespace, Name: "03-service-refused"}
	// Chaos Mesh writes too.
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := s.client.Get(t.Context(), key, started); err != nil {
			return err
		}
		if !started.IsPaused() || started.Status.LastScheduleTime.Year() != 2000 {
			t.Errorf("as installed it is paused: %t, and last ran %s", started.IsPaused(), started.Status.LastScheduleTime)
		}
		started.Annotations[v1alpha1.PauseAnnotationKey] = "false"
		started.Status.LastScheduleTime = metav1.Now()
		return s.client.Update(t.Context(), started, client.FieldOwner("chaos-dashboard"))
	})
	if err != nil {
		t.Fatal(err)
	}

	s.upgrade(t, given(t, "schedules: {historyLimit: 9}\n"+clean))
	upgraded := &v1alpha1.Schedule{}
	if err := s.client.Get(t.Context(), key, upgraded); err != nil {
		t.Fatal(err)
	}
	if upgraded.IsPaused() || !upgraded.Status.LastScheduleTime.Equal(&started.Status.LastScheduleTime) || upgraded.Spec.HistoryLimit != 9 {
		t.Errorf("the upgrade made of the started Schedule: paused %t, last %s, %d kept", upgraded.IsPaused(), upgraded.Status.LastScheduleTime, upgraded.Spec.HistoryLimit)
	}

	uninstall := action.NewUninstall(s.helm)
	uninstall.WaitStrategy, uninstall.Timeout = kube.StatusWatcherStrategy, time.Minute
	if _, err := uninstall.Run("emco-chaos"); err != nil {
		t.Fatal(err)
	}
	for _, list := range []client.ObjectList{
		&corev1.SecretList{}, &corev1.ServiceAccountList{}, &corev1.ConfigMapList{}, &corev1.ResourceQuotaList{}, &rbacv1.RoleList{},
		&rbacv1.RoleBindingList{}, &v1alpha1.ScheduleList{}, &v1alpha1.WorkflowList{}, &apiextensions.CustomResourceDefinitionList{},
	} {
		if err := s.client.List(t.Context(), list, client.MatchingLabels{"app.kubernetes.io/instance": "emco-chaos"}); err != nil {
			t.Fatal(err)
		}
		items := reflect.ValueOf(list).Elem().FieldByName("Items")
		for i := range items.Len() {
			left := items.Index(i).Addr().Interface().(client.Object)
			if left.GetNamespace() == s.namespace || strings.HasPrefix(left.GetName(), s.namespace) || left.GetNamespace() == "" {
				t.Errorf("the uninstall leaves the %T %s/%s", left, left.GetNamespace(), left.GetName())
			}
		}
	}
}
