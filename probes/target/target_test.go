package target_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/target"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (write it with -update):\n%s", file, got)
	}
}

func TestReadTarget(t *testing.T) {
	read, problems := target.Read(filepath.Join("testdata", "target.yaml"))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	want := &target.Target{
		Name: "sample", File: filepath.Join("testdata", "target.yaml"), Places: read.Places,
		Driver: target.Driver{Local: &target.LocalDriver{Cluster: filepath.Join(folder, "cluster.yaml")}},
		Services: map[string]target.Service{
			"shop":    {URL: "http://127.0.0.1:8080", Namespace: "default", Labels: map[string]string{"app": "shop"}},
			"stock":   {Address: "127.0.0.1:8081", Namespace: "default", Labels: map[string]string{"app.kubernetes.io/name": "stock"}},
			"courier": {Address: "[2001:db8::1]:443"},
		},
		Ingress: &target.Ingress{URL: "https://shop.example"},
		Credentials: target.Credentials{
			Token: target.SecretRef{File: filepath.Join(filepath.Dir(folder), "secrets", "token")},
			CA:    target.SecretRef{Env: "SHOP_CA"},
		},
		Settings: map[string]any{
			"goods":    []any{"apples", map[string]any{"file": filepath.Join(folder, "list.txt")}},
			"depot":    map[string]any{"kubeconfig": map[string]any{"file": filepath.Join(folder, "depot.kubeconfig")}, "file": "kept", "name": "north"},
			"absolute": map[string]any{"file": "/etc/shop"},
			"size":     12.0,
			"share":    0.5,
			"open":     true,
		},
	}
	if !reflect.DeepEqual(read, want) {
		t.Errorf("got  %+v\nwant %+v", read, want)
	}
	if !read.Services["shop"].HasPods() || read.Services["courier"].HasPods() {
		t.Error("what has labels has pods, and nothing else")
	}

	data, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	var sent target.Target
	if err := json.Unmarshal(data, &sent); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&sent, want) {
		t.Errorf("over the wire: %+v", sent)
	}
}

func TestReadTargetOnKubernetes(t *testing.T) {
	folder, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, driver string
		want         target.KubernetesDriver
	}{
		{"nothing said", "{kubernetes: {}}", target.KubernetesDriver{}},
		{"a file beside the target", "{kubernetes: {kubeconfig: north.kubeconfig}}", target.KubernetesDriver{Kubeconfig: filepath.Join(folder, "north.kubeconfig")}},
		{"a file above it", "{kubernetes: {kubeconfig: ../north.kubeconfig}}", target.KubernetesDriver{Kubeconfig: filepath.Join(filepath.Dir(folder), "north.kubeconfig")}},
		{"a file and a context", "{kubernetes: {kubeconfig: /etc/north, context: admin@north}}", target.KubernetesDriver{Kubeconfig: "/etc/north", Context: "admin@north"}},
		{"a context", "{kubernetes: {context: north}}", target.KubernetesDriver{Context: "north"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := "apiVersion: emco-chaos/v1\nkind: Target\nmetadata: {name: sample}\nspec:\n  driver: " + test.driver + "\n  services: {shop: {url: \"http://shop\"}}\n"
			target, problems := target.Parse(filepath.Join("testdata", "target.yaml"), []byte(text))
			if err := problems.Err(); err != nil {
				t.Fatal(err)
			}
			if target.Driver.Kubernetes == nil || *target.Driver.Kubernetes != test.want {
				t.Errorf("got %+v, want %+v", target.Driver.Kubernetes, test.want)
			}
		})
	}
}

func TestReadTargetTellsOfAFileThatIsNotThere(t *testing.T) {
	_, problems := target.Read(filepath.Join("testdata", "none.yaml"))
	if len(problems) != 1 || !strings.Contains(problems.Error(), "none.yaml") {
		t.Errorf("got %v", problems)
	}
}

func TestBrokenTargets(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "broken", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no broken targets: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			target, problems := target.Parse(filepath.Base(file), data)
			if target != nil || len(problems) == 0 {
				t.Fatal("it was read")
			}
			if strings.Contains(problems.Error(), "canary-secret") {
				t.Errorf("a secret is shown: %v", problems)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", problems.Error()+"\n")
		})
	}
}

func TestHost(t *testing.T) {
	tests := []struct {
		service        target.Service
		host, hostPort string
	}{
		{target.Service{}, "", ""},
		{target.Service{Address: "edge"}, "edge", "edge"},
		{target.Service{Address: "10.0.0.1:6443"}, "10.0.0.1", "10.0.0.1:6443"},
		{target.Service{Address: "[2001:db8::1]:443"}, "2001:db8::1", "[2001:db8::1]:443"},
		{target.Service{Address: "2001:db8::2"}, "2001:db8::2", "2001:db8::2"},
		{target.Service{URL: "http://shop:9015"}, "shop", "shop:9015"},
		{target.Service{URL: "http://shop/v2"}, "shop", "shop:80"},
		{target.Service{URL: "https://shop"}, "shop", "shop:443"},
		{target.Service{URL: "https://shop", Address: "edge:1"}, "edge", "edge:1"},
	}
	for _, test := range tests {
		if got := test.service.Host(); got != test.host {
			t.Errorf("host of %+v: got %q, want %q", test.service, got, test.host)
		}
		if got := test.service.HostPort(); got != test.hostPort {
			t.Errorf("host and port of %+v: got %q, want %q", test.service, got, test.hostPort)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*", "*.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, filepath.Join("testdata", "target.yaml")) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		target, problems := target.Parse("target.yaml", data)
		if (target == nil) == (len(problems) == 0) {
			t.Errorf("a target or problems, got %v and %v", target, problems)
		}
		for _, problem := range problems {
			if problem.Line < 1 || problem.Column < 1 || problem.Remedy == "" {
				t.Errorf("a problem without a place or a remedy: %+v", problem)
			}
		}
		if target != nil {
			if _, err := json.Marshal(target); err != nil {
				t.Errorf("it cannot be sent: %v", err)
			}
		}
	})
}
