package cluster

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	in := folder("/state")
	described := settings{
		Name: "some-cluster", Folder: in, Socket: in.socket(), Plugins: "/plugins", Pause: pauseImage,
		Node: NodeAddress, Domain: dnsDomain, PodRange: podRange,
	}
	for name := range configFiles(in) {
		content, err := described.render(name)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, content)
		if filepath.Ext(name) == ".yaml" || filepath.Ext(name) == ".conflist" {
			var any map[string]any
			if err := yaml.UnmarshalStrict(content, &any); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Every program that is started is one that is built or one that the machine
// must have, and every file that its flags name is one that Up writes.
func TestComponents(t *testing.T) {
	t.Parallel()
	in := folder("/state")
	built := programs{}
	for _, recipe := range recipes() {
		for _, each := range recipe.packages {
			built[recipe.program(each)] = "/built/" + recipe.program(each)
		}
	}
	written := map[string]bool{in.pki("ca.crt"): true, in.pki("ca.key"): true}
	for _, identity := range identities() {
		written[in.pki(identity.file+".crt")], written[in.pki(identity.file+".key")] = true, true
	}
	for file := range clients(in) {
		written[file] = true
	}
	for _, file := range configFiles(in) {
		written[file] = true
	}
	components := append(others(in, built), etcd(in), containerd(in), apiserver(in, built), edgeCluster(in, built))
	for _, component := range components {
		if component.program == "" {
			t.Errorf("%s: no program", component.name)
		}
		for _, argument := range component.arguments {
			for _, part := range strings.FieldsFunc(argument, func(r rune) bool { return r == '=' || r == ',' }) {
				inConfig := strings.HasPrefix(part, in.path("config")) || strings.HasPrefix(part, in.path("pki"))
				if inConfig && !written[part] {
					t.Errorf("%s: %s is not written by anybody", component.name, part)
				}
			}
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"emco-chaos": true, "a": true, "trial2": true, strings.Repeat("a", 32): true,
		"": false, "-a": false, "a-": false, "2a": false, "A": false, "a/b": false, "..": false,
		strings.Repeat("a", 33): false,
	} {
		if err := valid(name); (err == nil) != want {
			t.Errorf("%q: %v, want valid %t", name, err, want)
		}
	}
}
