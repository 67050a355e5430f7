package cluster

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/engine"
)

// render renders a release as an installation would.
func render(t *testing.T, what release) string {
	t.Helper()
	values, err := chartutil.ToRenderValues(what.chart, what.values,
		common.ReleaseOptions{Name: what.name, Namespace: what.namespace, IsInstall: true}, common.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := engine.Render(what.chart, values)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		out.WriteString("# " + name + "\n" + rendered[name])
	}
	return out.String()
}

func TestEmulatedEMCO(t *testing.T) {
	t.Parallel()
	quick, err := emco("/state", Quick)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "emco.yaml", []byte(render(t, quick)))
	official, err := emco("/state", Official)
	if err != nil {
		t.Fatal(err)
	}
	rendered := render(t, official)
	// Six readiness probes, and four liveness probes that are always so.
	for _, want := range []string{"initialDelaySeconds: 10", "periodSeconds: 30"} {
		if got := strings.Count(rendered, want); got != 10 {
			t.Errorf("%q is there %d times, want 10", want, got)
		}
	}
}

// The schemas that describe a NetworkChaos, and no others, gain the field.
func TestCompleteSchemas(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join("testdata", "crd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := &common.File{Name: "crds/networkchaos.yaml", Data: content}
	other := &common.File{Name: "templates/networkchaos.yaml", Data: content}
	if err := completeSchemas(&chart.Chart{Files: []*common.File{file, other}}); err != nil {
		t.Fatal(err)
	}
	golden(t, "crd-complete.yaml", file.Data)
	if string(other.Data) != string(content) {
		t.Error("a file that is no CRD was changed")
	}
	once := string(file.Data)
	if err := completeSchemas(&chart.Chart{Files: []*common.File{file}}); err != nil {
		t.Fatal(err)
	}
	if string(file.Data) != once {
		t.Error("what is complete was changed again")
	}
}
