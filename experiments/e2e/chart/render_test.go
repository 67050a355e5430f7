// Package chart tests the Helm chart of emco-chaos: what it makes of which
// values, and what it refuses.
package chart

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const (
	folder    = "../../../charts/emco-chaos"
	namespace = "chaos-lab"
)

func load(t *testing.T) *chart.Chart {
	t.Helper()
	loaded, err := loader.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// values reads a file of testdata.
func values(t *testing.T, name string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(data))
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var parsed map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// given are the values that must be given, and others over them.
func given(t *testing.T, others string) map[string]any {
	t.Helper()
	return loader.MergeMaps(values(t, "minimal"), parse(t, others))
}

// withChaosMesh is what a cluster with Chaos Mesh can do.
func withChaosMesh() *common.Capabilities {
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.APIVersions = append(slices.Clone(capabilities.APIVersions), "chaos-mesh.org/v1alpha1", "chaos-mesh.org/v1alpha1/Schedule")
	return capabilities
}

// render is what helm install does up to the API server. The files are by
// their names in the chart.
func render(t *testing.T, given map[string]any, capabilities *common.Capabilities, existing engine.ClientProvider) (map[string]string, error) {
	t.Helper()
	release := common.ReleaseOptions{Name: "emco-chaos", Namespace: namespace, Revision: 1, IsInstall: true}
	loaded := load(t)
	all, err := chartutil.ToRenderValues(loaded, given, release, capabilities)
	if err != nil {
		return nil, err
	}
	if existing != nil {
		return engine.RenderWithClientProvider(loaded, all, existing)
	}
	return engine.Render(loaded, all)
}

// rendered is the text of all files.
func rendered(t *testing.T, given map[string]any) string {
	t.Helper()
	files, err := render(t, given, withChaosMesh(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if content := strings.TrimSpace(files[name]); content != "" {
			fmt.Fprintf(&text, "# %s\n%s\n", name, content)
		}
	}
	return text.String()
}

// objects decodes every manifest of the chart, strictly: a field that its
// type does not have is an error, and so is a key that is there twice.
func objects(t *testing.T, given map[string]any) []client.Object {
	t.Helper()
	files, err := render(t, given, withChaosMesh(), nil)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := decode(files)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

func decode(files map[string]string) ([]client.Object, error) {
	var all []client.Object
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for _, manifest := range documents.Split(files[name], -1) {
			if empty(manifest) {
				continue
			}
			object, err := decodeOne([]byte(manifest))
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", name, err, manifest)
			}
			all = append(all, object)
		}
	}
	return all, nil
}

var documents = regexp.MustCompile(`(?m)^---$`)

// empty says whether a manifest has nothing but comments.
func empty(manifest string) bool {
	for line := range strings.Lines(manifest) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}

func decodeOne(manifest []byte) (client.Object, error) {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(manifest, &kind); err != nil {
		return nil, err
	}
	object, known := map[string]client.Object{
		"v1 ConfigMap":                       &corev1.ConfigMap{},
		"v1 Pod":                             &corev1.Pod{},
		"v1 Secret":                          &corev1.Secret{},
		"v1 ResourceQuota":                   &corev1.ResourceQuota{},
		"v1 ServiceAccount":                  &corev1.ServiceAccount{},
		"apps/v1 Deployment":                 &appsv1.Deployment{},
		"networking.k8s.io/v1 NetworkPolicy": &networkingv1.NetworkPolicy{},
		"coordination.k8s.io/v1 Lease":       &coordinationv1.Lease{},
		"apiextensions.k8s.io/v1 CustomResourceDefinition": &apiextensions.CustomResourceDefinition{},
		"rbac.authorization.k8s.io/v1 Role":                &rbacv1.Role{},
		"rbac.authorization.k8s.io/v1 RoleBinding":         &rbacv1.RoleBinding{},
		"chaos-mesh.org/v1alpha1 Schedule":                 &v1alpha1.Schedule{},
		"monitoring.coreos.com/v1 PodMonitor":              &monitoring.PodMonitor{},
		"monitoring.coreos.com/v1 PrometheusRule":          &monitoring.PrometheusRule{},
	}[kind.APIVersion+" "+kind.Kind]
	if !known {
		return nil, fmt.Errorf("the chart makes a %s %s, which no test knows of", kind.APIVersion, kind.Kind)
	}
	if err := yaml.UnmarshalStrict(manifest, object); err != nil {
		return nil, err
	}
	return object, nil
}

// of are the objects of one type.
func of[T client.Object](all []client.Object) []T {
	var some []T
	for _, object := range all {
		if one, is := object.(T); is {
			some = append(some, one)
		}
	}
	return some
}

// named is the object of that type and name.
func named[T client.Object](t *testing.T, all []client.Object, name string) T {
	t.Helper()
	var names []string
	for _, object := range of[T](all) {
		if object.GetName() == name {
			return object
		}
		names = append(names, object.GetName())
	}
	t.Fatalf("there is no %T %s, but %v", *new(T), name, names)
	panic("unreachable")
}
