package gms_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/gms"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// written writes the files for an emulated EMCO.
func written(t *testing.T, server *emcotest.EMCO, options gms.Options) (folder string, resources []emcoctl.Resource, client *emco.Client) {
	t.Helper()
	folder = t.TempDir()
	options.Endpoints = map[emco.Service]string{}
	for _, service := range []emco.Service{emco.Orchestrator, emco.DCM, emco.CLM} {
		options.Endpoints[service] = server.Address(string(service))
	}
	options.Rsync = server.Address(emcotest.RsyncName)
	if err := os.WriteFile(filepath.Join(folder, "edge.kubeconfig"), []byte("apiVersion: v1\nkind: Config\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := gms.Write(folder, options); err != nil {
		t.Fatal(err)
	}
	config, err := emcoctl.ReadConfig(filepath.Join(folder, gms.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	if client, err = emco.New(config.Config); err != nil {
		t.Fatal(err)
	}
	if config.Rsync != options.Rsync {
		t.Errorf("rsync is at %s, want %s", config.Rsync, options.Rsync)
	}
	resources, err = emcoctl.Read(emcoctl.Sources{
		Files:  []string{filepath.Join(folder, gms.PrerequisitesFile), filepath.Join(folder, gms.DeploymentFile)},
		Values: []string{filepath.Join(folder, gms.ValuesFile)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return folder, resources, client
}

func get(t *testing.T, url string) (int, []byte) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body.Bytes()
}

// edgeObjects counts the objects on the edge.
func edgeObjects(t *testing.T, server *emcotest.EMCO) int {
	t.Helper()
	_, body := get(t, server.URL(emcotest.EdgeName)+"/objects")
	var objects []any
	if err := json.Unmarshal(body, &objects); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return len(objects)
}

func TestApplyAndDelete(t *testing.T) {
	server := emcotest.Start(t, emcotest.Options{AppTime: 10 * time.Millisecond})
	_, resources, client := written(t, server, gms.Options{})
	var log bytes.Buffer
	options := emcoctl.Options{Interval: 20 * time.Millisecond, Patience: time.Minute}

	if err := emcoctl.Apply(t.Context(), client, resources, options, emcoctl.NewPrinter(&log, emcoctl.Plain, "Apply")); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	_, status := get(t, server.URL("orchestrator")+"/v2/projects/gmsproj1/composite-apps/gms-collection-composite-app/v1/"+
		"deployment-intent-groups/gms-collection-deployment-intent-group/status?status=deployed")
	read, err := emco.ParseStatus(status)
	if err != nil || read.Deployed != emco.Instantiated {
		t.Fatalf("%v: %s", err, status)
	}
	for _, app := range gms.Apps() {
		if !bytes.Contains(status, []byte(`{"name":"`+app+`","clusters":[`)) {
			t.Errorf("%s is not deployed", app)
		}
	}
	// Every app has a Deployment, and all but the load generator a Service.
	if count := edgeObjects(t, server); count != 12+11 {
		t.Errorf("%d objects on the edge, want 23", count)
	}

	// Once more changes nothing.
	log.Reset()
	again := emcoctl.NewPrinter(&log, emcoctl.Plain, "Apply")
	if err := emcoctl.Apply(t.Context(), client, resources, options, again); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	if err := again.End(); err != nil || !strings.HasSuffix(log.String(), "\n0 done, 51 already, 0 refused\n") {
		t.Errorf("%v:\n%s", err, &log)
	}

	log.Reset()
	options.Also = []string{"controllers"}
	if err := emcoctl.Delete(t.Context(), client, resources, options, emcoctl.NewPrinter(&log, emcoctl.Plain, "Delete")); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	for _, collection := range []string{"controllers", "projects"} {
		if code, body := get(t, server.URL("orchestrator")+"/v2/"+collection); code != http.StatusOK || strings.TrimSpace(string(body)) != "null" {
			t.Errorf("%s: %d %s, want none left", collection, code, body)
		}
	}
	if code, body := get(t, server.URL("clm")+"/v2/cluster-providers"); code != http.StatusOK || strings.Contains(string(body), "gms") {
		t.Errorf("cluster-providers: %d %s, want none left", code, body)
	}
	if count := edgeObjects(t, server); count != 0 {
		t.Errorf("%d objects are left on the edge", count)
	}
}

func TestWriteKeepsWhatIsThere(t *testing.T) {
	folder := t.TempDir()
	if err := gms.Write(folder, gms.Options{Apps: []string{"redis"}}); err != nil {
		t.Fatal(err)
	}
	err := gms.Write(folder, gms.Options{Apps: []string{"redis"}})
	if err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("written twice: %v", err)
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, options := range map[string]gms.Options{
		`no app "nothing"`: {Apps: []string{"nothing"}},
		"named twice":      {Apps: []string{"redis", "redis"}},
		"no address":       {Rsync: "nowhere"},
	} {
		folder := filepath.Join(t.TempDir(), "new")
		if err := gms.Write(folder, options); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: got %v", name, err)
		}
		if _, err := os.Stat(folder); err == nil {
			t.Errorf("%q: something was written", name)
		}
	}
}

func TestChart(t *testing.T) {
	with := gms.Images{Prefix: "registry.example/shop", Tag: "v1"}
	for _, app := range gms.Apps() {
		one, err := gms.Chart(app, with)
		if err != nil {
			t.Fatal(err)
		}
		two, err := gms.Chart(app, with)
		if err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s: the chart differs from one time to the next (%v)", app, err)
		}
		without, err := gms.Chart(app, gms.Images{})
		if err != nil || bytes.Equal(one, without) && app != "redis" {
			t.Errorf("%s: its image makes no difference (%v)", app, err)
		}
	}
}

// Apps have replicas only where there are images to run.
func TestProfile(t *testing.T) {
	with, without := gms.Profile(gms.Images{Prefix: "registry.example/shop"}), gms.Profile(gms.Images{})
	if bytes.Equal(with, without) {
		t.Error("images make no difference to the profile")
	}
	if again := gms.Profile(gms.Images{}); !bytes.Equal(without, again) {
		t.Error("the profile differs from one time to the next")
	}
}

// The files may be applied from another folder than they were written from.
func TestKubeconfigBecomesAbsolute(t *testing.T) {
	folder, working := t.TempDir(), t.TempDir()
	t.Chdir(working)
	if err := gms.Write(folder, gms.Options{Apps: []string{"redis"}, Kubeconfig: "edge"}); err != nil {
		t.Fatal(err)
	}
	values, err := os.ReadFile(filepath.Join(folder, gms.ValuesFile))
	if want := filepath.Join(working, "edge"); err != nil || !bytes.Contains(values, []byte(want)) {
		t.Errorf("%v: %s does not name %s", err, values, want)
	}
}
