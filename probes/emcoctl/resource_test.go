package emcoctl_test

import (
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
)

func TestNamed(t *testing.T) {
	text := strings.NewReplacer("HOST", "h", "PORT", "1").Replace(cloud) + "---\n" + cluster + "---\n" + instantiateDIG
	got, err := emcoctl.Named(parse(t, text))
	want := emco.Chosen{
		Project: "p", ClusterProvider: "cp", Cluster: "c", LogicalCloud: "lc", ClusterReference: "ref",
		CompositeApp: "c", CompositeAppVersion: "v1", DIG: "d",
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = emcoctl.Named(parse(t, instantiateDIG+"---\n"+strings.ReplaceAll(instantiateDIG, "groups/d/", "groups/e/")))
	if want := "r.yaml: document 2: there is a second dig, e beside d; name files with one"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
