package image_test

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/e2e/image"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// small is an image with one of each kind of file.
func small(t *testing.T, source string) image.Spec {
	t.Helper()
	return image.Spec{
		Name:         "registry.example/small:v1",
		Architecture: "amd64",
		Files: []image.File{
			image.Program("/usr/bin/tool", source),
			{Path: "/etc/words", Data: []byte("words\n"), Mode: 0o600, Owner: 7},
			{Path: "/usr/bin/other", Link: "tool"},
			image.Folder("/tmp", 0o777|fs.ModeSticky, 0),
			image.Folder("/data", 0, 65532),
		},
		Entrypoint: []string{"/usr/bin/tool"},
		Command:    []string{"serve"},
		User:       "65532",
		Env:        []string{"A=b"},
		Labels:     map[string]string{"version": "v1"},
	}
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// made builds and writes an image, and returns its archive's path and digest.
func made(t *testing.T, spec image.Spec) (path, digest string) {
	t.Helper()
	built, err := image.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	if digest, err = built.Digest(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "image.tar")
	if err := built.Write(path); err != nil {
		t.Fatal(err)
	}
	return path, digest
}

// entries are the files of the image's one layer, each as a line.
func entries(t *testing.T, from v1.Image) []string {
	t.Helper()
	layers, err := from.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != 1 {
		t.Fatalf("%d layers, want 1", len(layers))
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	var lines []string
	for reader := tar.NewReader(content); ; {
		header, err := reader.Next()
		if err == io.EOF {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(time.Unix(0, 0)) {
			t.Errorf("%s has the time %s, which no other build has", header.Name, header.ModTime)
		}
		data, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%c %s %o %d:%d %s%s", header.Typeflag, header.Name, header.Mode, header.Uid, header.Gid, header.Linkname, data))
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	path, digest := made(t, small(t, write(t, filepath.Join(t.TempDir(), "built"), "binary")))
	read, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"5 data/ 755 65532:65532 ",
		"5 etc/ 755 0:0 ",
		"0 etc/words 600 7:7 words\n",
		"5 tmp/ 1777 0:0 ",
		"5 usr/ 755 0:0 ",
		"5 usr/bin/ 755 0:0 ",
		"2 usr/bin/other 777 0:0 tool",
		"0 usr/bin/tool 755 0:0 binary",
	}
	if got := entries(t, read); !slices.Equal(got, want) {
		t.Errorf("the layer has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	config, err := read.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != "amd64" || !config.Created.Equal(time.Unix(0, 0)) {
		t.Errorf("for %s/%s, made %s", config.OS, config.Architecture, config.Created)
	}
	wantConfig := v1.Config{
		Entrypoint: []string{"/usr/bin/tool"}, Cmd: []string{"serve"}, User: "65532", Env: []string{"A=b"}, Labels: map[string]string{"version": "v1"},
	}
	if !reflect.DeepEqual(config.Config, wantConfig) {
		t.Errorf("the configuration is %+v, want %+v", config.Config, wantConfig)
	}
	if tags := repositoryTags(t, path); !slices.Equal(tags, []string{"registry.example/small:v1"}) {
		t.Errorf("it is named %v", tags)
	}
	if index := member(t, path, "index.json"); !bytes.Contains(index, []byte(digest)) || !bytes.Contains(index, []byte(`"io.containerd.image.name":"registry.example/small:v1"`)) {
		t.Errorf("the index is %s; want the digest %s and the name in it", index, digest)
	}
	// What the index names is there under its digest.
	member(t, path, "blobs/sha256/"+strings.TrimPrefix(digest, "sha256:"))
}

func repositoryTags(t *testing.T, path string) []string {
	t.Helper()
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(path) })
	if err != nil {
		t.Fatal(err)
	}
	return manifest[0].RepoTags
}

func member(t *testing.T, path, name string) []byte {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for reader := tar.NewReader(file); ; {
		header, err := reader.Next()
		if err != nil {
			t.Fatalf("%s is not in the archive: %v", name, err)
		}
		if header.Name != name {
			continue
		}
		data, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
}

// TestFullName: a cluster's container runtime looks for a short name under
// docker.io.
func TestFullName(t *testing.T) {
	t.Parallel()
	for name, full := range map[string]string{
		"emco-chaos:v1":         "docker.io/library/emco-chaos:v1",
		"somebody/thing:v1":     "docker.io/somebody/thing:v1",
		"localhost:5000/a/b:v1": "localhost:5000/a/b:v1",
	} {
		path, _ := made(t, image.Spec{Name: name, Architecture: "amd64"})
		if index := member(t, path, "index.json"); !bytes.Contains(index, []byte(`"`+full+`"`)) {
			t.Errorf("%s: the index is %s, want the name %s", name, index, full)
		}
	}
}

// TestSameBytes: neither the order of the files, nor where and when their
// sources were made, nor the time of the build can be seen.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	first := small(t, write(t, filepath.Join(t.TempDir(), "here"), "binary"))
	there := write(t, filepath.Join(t.TempDir(), "there"), "binary")
	if err := os.Chtimes(there, time.Time{}, time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	second := small(t, there)
	slices.Reverse(second.Files)
	firstPath, firstDigest := made(t, first)
	secondPath, secondDigest := made(t, second)
	if firstDigest != secondDigest {
		t.Errorf("the same files gave %s and %s", firstDigest, secondDigest)
	}
	firstBytes, err := os.ReadFile(firstPath)
	if err != nil {
		t.Fatal(err)
	}
	secondBytes, err := os.ReadFile(secondPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(firstBytes, secondBytes) {
		t.Error("the same files gave two archives")
	}

	other := small(t, write(t, filepath.Join(t.TempDir(), "other"), "another binary"))
	if _, digest := made(t, other); digest == firstDigest {
		t.Error("other files gave the same image")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*image.Spec)
		want   string
	}{
		"no tag":          {func(s *image.Spec) { s.Name = "registry.example/small" }, "no tag"},
		"bad name":        {func(s *image.Spec) { s.Name = "Not A Name:v1" }, "NAME:TAG"},
		"no architecture": {func(s *image.Spec) { s.Architecture = "" }, "no architecture"},
		"relative path":   {func(s *image.Spec) { s.Files = []image.File{{Path: "etc/words"}} }, `"etc/words" is no path`},
		"way out":         {func(s *image.Spec) { s.Files = []image.File{{Path: "/etc/../../words"}} }, "is no path"},
		"root":            {func(s *image.Spec) { s.Files = []image.File{{Path: "/"}} }, "is no path"},
		"twice":           {func(s *image.Spec) { s.Files = []image.File{{Path: "/a"}, {Path: "/a"}} }, "/a is there twice"},
		"in a file":       {func(s *image.Spec) { s.Files = []image.File{{Path: "/a"}, {Path: "/a/b"}} }, "/a/b stands in /a, which is not a folder"},
		"no source":       {func(s *image.Spec) { s.Files = []image.File{image.Program("/a", "nowhere")} }, "put in /a: open nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := image.Spec{Name: "small:v1", Architecture: "amd64"}
			test.change(&spec)
			if _, err := image.Build(spec); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q in it", err, test.want)
			}
		})
	}
}

// TestWriteLeavesNothing: what cannot be written leaves what was there.
func TestWriteLeavesNothing(t *testing.T) {
	t.Parallel()
	built, err := image.Build(image.Spec{Name: "small:v1", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	// A folder that is not empty cannot be replaced by a file.
	taken := filepath.Join(folder, "image.tar")
	if err := os.Mkdir(taken, 0o750); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(taken, "kept"), "kept")
	if err := built.Write(taken); err == nil || !strings.Contains(err.Error(), "write the image small:v1 to "+taken) {
		t.Errorf("the error is %v", err)
	}
	left, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 {
		t.Errorf("%d files are left, want the one that was there", len(left))
	}
}

// product is the product's image with stand-ins for its programs.
func product(t *testing.T) v1.Image {
	t.Helper()
	folder := t.TempDir()
	for _, source := range image.Programs() {
		write(t, filepath.Join(folder, source.Program), source.Program)
	}
	path, _ := made(t, image.Product("emco-chaos:v7", "v7", "arm64", folder))
	read, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestProduct(t *testing.T) {
	t.Parallel()
	read := product(t)
	got := entries(t, read)
	for i, line := range got {
		got[i], _, _ = strings.Cut(line, "-----BEGIN")
	}
	want := []string{
		"5 etc/ 755 0:0 ",
		"5 etc/ssl/ 755 0:0 ",
		"5 etc/ssl/certs/ 755 0:0 ",
		"0 etc/ssl/certs/ca-certificates.crt 644 0:0 ",
		"5 plugins/ 755 65532:65532 ",
		"5 tmp/ 1777 0:0 ",
		"5 usr/ 755 0:0 ",
		"5 usr/local/ 755 0:0 ",
		"5 usr/local/bin/ 755 0:0 ",
		"0 usr/local/bin/emco-chaos 755 0:0 emco-chaos",
		"0 usr/local/bin/emco-chaos-plugin-emco 755 0:0 emco-chaos-plugin-emco",
		"0 usr/local/bin/emco-probe 755 0:0 emco-probe",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the image has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	config, err := read.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != "arm64" {
		t.Errorf("it is for %s", config.Architecture)
	}
	if config.Config.User != "65532:65532" {
		t.Errorf("its user is %q: a cluster cannot tell that this is not root", config.Config.User)
	}
	if !slices.Equal(config.Config.Entrypoint, []string{"/usr/local/bin/emco-chaos"}) || config.Config.Cmd != nil {
		t.Errorf("it runs %v %v", config.Config.Entrypoint, config.Config.Cmd)
	}
	if version := config.Config.Labels["org.opencontainers.image.version"]; version != "v7" {
		t.Errorf("its version is %q", version)
	}
}

func TestAuthorities(t *testing.T) {
	t.Parallel()
	rest, count := image.Authorities(), 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if !certificate.IsCA {
			t.Errorf("%s is no certificate authority", certificate.Subject)
		}
		count++
	}
	if count < 50 || len(rest) > 0 {
		t.Errorf("%d certificate authorities, and %d bytes that are none", count, len(rest))
	}
}

// TestDockerfile: the Dockerfile makes the same image.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, last, found := strings.Cut(string(text), "\nFROM scratch\n")
	if !found {
		t.Fatal("the Dockerfile does not begin its image from scratch")
	}
	config, err := product(t).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ARG VERSION=dev",
		"COPY --from=build /image/ /",
		"ENV " + strings.Join(config.Config.Env, " "),
		"USER " + config.Config.User,
		`ENTRYPOINT ["` + strings.Join(config.Config.Entrypoint, `", "`) + `"]`,
	}
	labels := "LABEL"
	for _, name := range []string{"title", "description", "version", "licenses"} {
		name = "org.opencontainers.image." + name
		value := config.Config.Labels[name]
		if value == "v7" {
			value = "${VERSION}"
		}
		labels += fmt.Sprintf(" %s=%q", name, value)
	}
	want = append(want, labels)
	if count := len(slices.Collect(maps.Keys(config.Config.Labels))); count != 4 {
		t.Errorf("the image has %d labels, of which this test compares 4", count)
	}
	if got := instructions(last); !slices.Equal(got, want) {
		t.Errorf("the Dockerfile's image is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	build := strings.Join(instructions(string(text)), "\n")
	module, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(module)) {
		if version, is := strings.CutPrefix(strings.TrimSpace(line), "go "); is && !strings.Contains(build, "FROM golang:"+version+" AS build") {
			t.Errorf("the Dockerfile does not build with Go %s, which go.mod demands", version)
		}
	}
	packages := ""
	for _, source := range image.Programs() {
		packages += " " + source.Package
	}
	for _, part := range []string{
		"/image" + image.Binaries + "/" + packages,
		"> /image" + image.Certificates,
		"chown " + image.User + " /image" + image.Plugins,
		"CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false",
		"-s -w -X main.version=${VERSION}",
	} {
		if !strings.Contains(build, part) {
			t.Errorf("the Dockerfile does not have %q", part)
		}
	}
}

// instructions are the lines of a Dockerfile, without comments, with each
// continued line in one piece and single spaces.
func instructions(text string) []string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if fields := strings.Fields(line); len(fields) > 0 && !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.Join(fields, " "))
		}
	}
	return lines
}
