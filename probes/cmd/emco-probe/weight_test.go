package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestWeight: the command is small, and stands by itself.
func TestWeight(t *testing.T) {
	list, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/emco-chaos/emco-chaos/"
	for _, dependency := range strings.Fields(string(list)) {
		for _, heavy := range []string{module + "experiments", module + "plugin", module + "probes/emcotest", "k8s.io/", "sigs.k8s.io/", "github.com/chaos-mesh/", "go.etcd.io/", "google.golang.org/grpc"} {
			if strings.HasPrefix(dependency, heavy) {
				t.Errorf("it imports %s", dependency)
			}
		}
	}
}
