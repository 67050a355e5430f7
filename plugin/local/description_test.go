package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

const sample = `apiVersion: emco-chaos/v1
kind: LocalCluster
metadata: {name: emulated-emco}
spec:
  namespace: emco
  pods:
    - name: etcd
      labels: {app.kubernetes.io/name: etcd}
      command: [/bin/emulator, etcd, --listen, "127.0.0.1:21001"]
      env: {COLOUR: "", RETRIES: 3, VERSION: 1.10, MODE: 0755, ON: True}
      ready: {tcp: "127.0.0.1:21001"}
    - name: orchestrator
      labels: {app: orchestrator}
      after: [etcd]
      command: [/bin/emulator, orchestrator]
      ready: {http: "http://127.0.0.1:21002/metrics"}
      restartAfter: 250ms
  links:
    - {from: orchestrator, to: etcd, listen: "127.0.0.1:21010", connect: "127.0.0.1:21001"}
    - {from: orchestrator, external: edge.emulated, listen: "127.0.0.1:21020", connect: "127.0.0.1:21006"}
`

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(file, []byte(sample), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := local.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want := &local.Description{
		File: file, Name: "emulated-emco", Namespace: "emco",
		Pods: []local.Pod{
			{
				Name: "etcd", Labels: map[string]string{"app.kubernetes.io/name": "etcd"},
				Command: []string{"/bin/emulator", "etcd", "--listen", "127.0.0.1:21001"},
				Env:     map[string]string{"COLOUR": "", "RETRIES": "3", "VERSION": "1.10", "MODE": "0755", "ON": "True"},
				Ready:   local.Ready{TCP: "127.0.0.1:21001"}, RestartAfter: plan.Duration(time.Second),
			},
			{
				Name: "orchestrator", Labels: map[string]string{"app": "orchestrator"}, After: []string{"etcd"},
				Command: []string{"/bin/emulator", "orchestrator"},
				Ready:   local.Ready{HTTP: "http://127.0.0.1:21002/metrics"}, RestartAfter: plan.Duration(250 * time.Millisecond),
			},
		},
		Links: []local.Link{
			{From: "orchestrator", To: "etcd", Listen: "127.0.0.1:21010", Connect: "127.0.0.1:21001"},
			{From: "orchestrator", External: "edge.emulated", Listen: "127.0.0.1:21020", Connect: "127.0.0.1:21006"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestLoadMistakes changes one thing of the sample, or several, and looks for
// the message.
func TestLoadMistakes(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"version", "emco-chaos/v1", "emco-chaos/v2", "1:13: apiVersion: "},
		{"kind", "LocalCluster", "Cluster", "2:7: kind: "},
		{"name", "{name: emulated-emco}", "{}", "3:11: metadata.name: is missing; name the cluster"},
		{"namespace", "  namespace: emco\n", "", "5:3: spec.namespace: is missing; write the namespace that the pods count as being in, such as emco"},
		{"unknown key", "restartAfter:", "restartafter:", "17:7: spec.pods[1].restartafter: "},
		{"no command", "      command: [/bin/emulator, orchestrator]\n", "", "12:7: spec.pods[1].command: is missing; write the program and its arguments as a list"},
		{"empty command", "[/bin/emulator, orchestrator]", "[]", "15:16: spec.pods[1].command: has no program; write the program and its arguments as a list"},
		{"command as text", "[/bin/emulator, orchestrator]", "/bin/emulator", "15:16: spec.pods[1].command: "},
		{"after a later pod", "ready: {tcp: \"127.0.0.1:21001\"}", "after: [orchestrator]", "11:15: spec.pods[0].after[0]: no pod orchestrator is further up; name a pod that stands before this one: there is none"},
		{"after an unknown pod", "after: [etcd]", "after: [mongo]", "14:15: spec.pods[1].after[0]: no pod mongo is further up; name a pod that stands before this one: etcd"},
		{"after itself", "after: [etcd]", "after: [orchestrator]", "14:15: spec.pods[1].after[0]: a pod cannot wait for itself; remove it"},
		{"same pod twice", "name: orchestrator", "name: etcd", "12:13: spec.pods[1].name: there is a pod etcd further up; give each pod a name of its own"},
		{"a name that is no file", "name: etcd\n", "name: ../etcd\n", `7:13: spec.pods[0].name: "../etcd" is not a pod's name; use lower-case letters, digits and dashes between them`},
		{"link from an unknown pod", "{from: orchestrator, to: etcd", "{from: rsync, to: etcd", "19:14: spec.links[0].from: there is no pod rsync; name one of the pods: etcd, orchestrator"},
		{"link to an unknown pod", "to: etcd", "to: mongo", "19:32: spec.links[0].to: there is no pod mongo; name one of the pods: etcd, orchestrator"},
		{"link to itself", "to: etcd", "to: orchestrator", "19:32: spec.links[0].to: a link leads from one pod to another; name another pod than orchestrator"},
		{"link to nowhere", "to: etcd, ", "", "19:7: spec.links[0]: does not say where the link leads; write one of to: POD and external: NAME"},
		{"link to both", "external: edge.emulated", "to: etcd, external: edge.emulated", "20:48: spec.links[1].external: stands beside to; write one of to: POD and external: NAME"},
		{"same address twice", "127.0.0.1:21020", "127.0.0.1:21010", "20:61: spec.links[1].listen: 127.0.0.1:21010 is the address of the link orchestrator to etcd too; give each link a port of its own"},
		{"link to its own address", `connect: "127.0.0.1:21001"`, `connect: "127.0.0.1:21010"`, "19:74: spec.links[0].connect: is the address that the link itself listens on; write where the other end listens"},
		{"no port", `listen: "127.0.0.1:21010"`, `listen: localhost`, `19:46: spec.links[0].listen: "localhost" is not a host:port; write an address such as 127.0.0.1:21001`},
		{"port of a name", `listen: "127.0.0.1:21010"`, `listen: "localhost:http"`, `19:46: spec.links[0].listen: "localhost:http" is not a host:port; write an address such as 127.0.0.1:21001`},
		{"ready in two ways", `{tcp: "127.0.0.1:21001"}`, `{tcp: "127.0.0.1:21001", http: "http://127.0.0.1:1/"}`, "11:45: spec.pods[0].ready.http: stands beside tcp; write one of tcp: HOST:PORT and http: URL, or leave ready out"},
		{"ready in no way", `{tcp: "127.0.0.1:21001"}`, `{}`, "11:14: spec.pods[0].ready: does not say how the pod shows that it is ready; write one of tcp: HOST:PORT and http: URL, or leave ready out"},
		{"ready URL", "http://127.0.0.1:21002/metrics", "127.0.0.1:21002", `16:21: spec.pods[1].ready.http: "127.0.0.1:21002" is not a URL that can be asked; write a URL such as http://127.0.0.1:21002/metrics`},
		{"duration", "250ms", "250", "17:21: spec.pods[1].restartAfter: "},
		{"empty variable", `COLOUR: ""`, `COLOUR: null`, `10:21: spec.pods[0].env.COLOUR: is empty, not a text; write a text; "" is one too`},
		{"no pods", sample[strings.Index(sample, "  pods:"):], "  pods: []\n", "6:9: spec.pods: has no pod; list at least one"},
		{"no YAML", "kind: LocalCluster", "kind: [", ":1: "},
		{"nothing", sample, "", "1:1: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.Count(sample, test.old) == 0 {
				t.Fatalf("the sample has no %q", test.old)
			}
			file := filepath.Join(t.TempDir(), "cluster.yaml")
			if err := os.WriteFile(file, []byte(strings.Replace(sample, test.old, test.new, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := local.Load(file)
			var problems document.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v", err)
			}
			for _, problem := range problems {
				if problem.Line < 1 || problem.Remedy == "" || problem.File != file {
					t.Errorf("%+v does not say where, or what to do", problem)
				}
			}
			text := strings.ReplaceAll(err.Error(), file+":", "")
			if !strings.Contains(text, test.want) {
				t.Errorf("got  %s\nwant %s", text, test.want)
			}
		})
	}
}

func TestLoadWithoutFile(t *testing.T) {
	_, err := local.Load(filepath.Join(t.TempDir(), "cluster.yaml"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestLoadTellsEverything(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	text := strings.NewReplacer("to: etcd", "to: mongo", "250ms", "soon", "LocalCluster", "Cluster").Replace(sample)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := local.Load(file)
	var problems document.Problems
	if !errors.As(err, &problems) || len(problems) != 3 {
		t.Errorf("got %v", err)
	}
}
