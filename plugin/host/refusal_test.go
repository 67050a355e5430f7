package host_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	goplugin "github.com/hashicorp/go-plugin"
)

// versions are plugins of other versions of the contract, and programs that
// are none.
func init() {
	serve := func(versions ...int) func() {
		return func() {
			sets := map[int]goplugin.PluginSet{}
			for _, version := range versions {
				sets[version] = sdk.Plugins(scripted{})[sdk.ProtocolVersion]
			}
			goplugin.Serve(&goplugin.ServeConfig{HandshakeConfig: sdk.Handshake, VersionedPlugins: sets, GRPCServer: goplugin.DefaultGRPCServer})
		}
	}
	programs["contract-1-and-2"] = serve(1, 2)
	programs["contract-0-and-1"] = serve(0, 1)
	programs["contract-2"] = serve(2)
	programs["contract-2-and-3"] = serve(2, 3)
	programs["contract-0"] = serve(0)
	programs["talks"] = func() { fmt.Println("usage: talks\x1b[31m [FLAG]"); fmt.Println("more") }
	programs["complains"] = func() { fmt.Fprintln(os.Stderr, "cannot open /etc/complains.conf"); os.Exit(3) }
	programs["silent"] = func() { select {} }
	programs["chats"] = func() { fmt.Println("ready to serve"); select {} }
	programs["endless-line"] = func() {
		for {
			if _, err := os.Stdout.WriteString(strings.Repeat("x", 4096)); err != nil {
				return
			}
		}
	}
	programs["garbled"] = func() { fmt.Println("1|one|unix|/nowhere|grpc|"); select {} }
	programs["other-core"] = func() { fmt.Println("7|1|unix|/nowhere|grpc|"); select {} }
	programs["netrpc"] = func() { fmt.Println("1|1|unix|/nowhere|netrpc|"); select {} }
	programs["lies"] = func() { fmt.Println("1|1|unix|/nowhere|grpc|"); select {} }
	programs["deaf"] = listenAndSay
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"contract-1-and-2", "contract-0-and-1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			process := started(t, name)
			if process.Contract() != 1 {
				t.Errorf("they speak version %d", process.Contract())
			}
			if description, err := process.Describe(t.Context()); err != nil || description.Version != "1.2.3" {
				t.Errorf("%+v, %v", description, err)
			}
		})
	}
	for name, want := range map[string]struct {
		version int
		remedy  string
	}{
		"contract-2":       {2, "take a newer emco-chaos, or an older release of the plugin"},
		"contract-2-and-3": {2, "take a newer emco-chaos"},
		"contract-0":       {0, "build the plugin again with this emco-chaos's plugin/sdk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := host.Start(t.Context(), host.Options{Path: binary(t, name)})
			if !errors.Is(err, host.ErrVersion) {
				t.Fatalf("error %v", err)
			}
			says(t, err, fmt.Sprintf("the plugin speaks version %d of the contract, and this emco-chaos version 1; ", want.version), want.remedy)
		})
	}
}

// says checks that an error has all the parts, in one line without control
// characters.
func says(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q:\n%v", part, err)
		}
	}
	if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
		t.Errorf("the error has control characters: %q", err)
	}
	if len(err.Error()) > 2000 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}

func TestNotAPlugin(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name string, mode os.FileMode, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const remedy = "a plugin is a program that calls sdk.Serve of plugin/sdk and prints nothing before"
	for name, test := range map[string]struct {
		path  string
		limit time.Duration
		is    error
		says  []string
	}{
		"missing":        {path: filepath.Join(folder, "nothing"), is: host.ErrNotFound, says: []string{"there is no such file", "--plugin-dir"}},
		"directory":      {path: folder, is: host.ErrNotPlugin, says: []string{"directory", "name the plugin's binary"}},
		"not executable": {path: write("plain", 0o644, "#!/bin/sh\n"), is: host.ErrNotPlugin, says: []string{"not executable", "chmod +x"}},
		"no program":     {path: write("text", 0o755, "just some text\n"), is: host.ErrNotPlugin, says: []string{"exec format error", "for this machine"}},
		"no interpreter": {path: write("script", 0o755, "#!/no/such/interpreter\n"), is: host.ErrNotPlugin, says: []string{"no such file", "for this machine"}},
		"true":           {path: "/bin/true", is: host.ErrNotPlugin, says: []string{"it ended (exit status 0) and had not said that it is one", remedy}},
		"false":          {path: "/bin/false", is: host.ErrNotPlugin, says: []string{"exit status 1", remedy}},
		"talks":          {path: binary(t, "talks"), is: host.ErrNotPlugin, says: []string{`it printed "usage: talks\x1b[31m [FLAG]"`, remedy}},
		"complains":      {path: binary(t, "complains"), is: host.ErrNotPlugin, says: []string{"exit status 3", `its last words: "cannot open /etc/complains.conf"`, remedy}},
		"silent":         {path: binary(t, "silent"), limit: 2 * time.Second, is: host.ErrSilent, says: []string{"2s have passed", remedy}},
		"chats":          {path: binary(t, "chats"), is: host.ErrNotPlugin, says: []string{`it printed "ready to serve"`, remedy}},
		"endless line":   {path: binary(t, "endless-line"), is: host.ErrNotPlugin, says: []string{`it printed "…xxx`, remedy}},
		"garbled":        {path: binary(t, "garbled"), is: host.ErrNotPlugin, says: []string{remedy}},
		"other core":     {path: binary(t, "other-core"), is: host.ErrNotPlugin, says: []string{`it printed "7|1|`, remedy}},
		"net/rpc":        {path: binary(t, "netrpc"), is: host.ErrNotPlugin, says: []string{"it does not speak gRPC", remedy}},
		"lies":           {path: binary(t, "lies"), is: host.ErrNotPlugin, says: []string{"could not be talked to", remedy}},
		"deaf":           {path: binary(t, "deaf"), limit: 2 * time.Second, is: host.ErrSilent, says: []string{"2s have passed", remedy}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := host.Start(t.Context(), host.Options{Path: test.path, StartLimit: test.limit})
			if !errors.Is(err, test.is) {
				t.Errorf("the error is not %q", test.is)
			}
			says(t, err, append(test.says, "start the plugin "+test.path)...)
		})
	}
}

func TestStartIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := contextWithin(t, time.Second)
	defer cancel()
	if _, err := host.Start(ctx, host.Options{Path: binary(t, "silent")}); !errors.Is(err, ctx.Err()) {
		t.Errorf("error %v", err)
	}
}

func TestPin(t *testing.T) {
	t.Parallel()
	path := binary(t, "contract-1-and-2")
	sum, err := host.Checksum(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, pin := range []string{sum, strings.ToUpper(sum), " " + sum + "\n"} {
		process, err := host.Start(t.Context(), host.Options{Path: path, SHA256: pin})
		if err != nil {
			t.Fatal(err)
		}
		process.Close()
	}
	wrong := strings.Repeat("0", 64)
	_, err = host.Start(t.Context(), host.Options{Path: path, SHA256: wrong})
	if !errors.Is(err, host.ErrChecksum) {
		t.Fatalf("error %v", err)
	}
	says(t, err, path+": this is not the file that was pinned", "its SHA-256 is "+sum, "the pin is "+wrong, "sha256sum "+path)
	for _, pin := range []string{"abc", sum[:62], sum + "00", strings.Repeat("z", 64), "sha256:" + sum} {
		_, err := host.Start(t.Context(), host.Options{Path: path, SHA256: pin})
		says(t, err, "is no SHA-256; write 64 hex digits, as `sha256sum "+path+"` prints them")
	}
	// A wrong pin keeps the program from being started at all.
	if _, err := host.Start(t.Context(), host.Options{Path: "/bin/true", SHA256: wrong}); !errors.Is(err, host.ErrChecksum) {
		t.Errorf("error %v", err)
	}
}

func TestFind(t *testing.T) {
	folder, onPath := t.TempDir(), t.TempDir()
	t.Setenv("PATH", onPath)
	if _, err := host.Find("counter", folder); !errors.Is(err, host.ErrNotFound) {
		t.Errorf("error %v", err)
	} else {
		says(t, err, host.Prefix+"counter", folder, "--plugin-dir")
	}
	if _, err := host.Find("counter", ""); !errors.Is(err, host.ErrNotFound) {
		t.Errorf("error %v", err)
	} else {
		says(t, err, "PATH", "--plugin-dir")
	}
	path := filepath.Join(folder, host.Prefix+"counter")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Find("counter", folder); !errors.Is(err, host.ErrNotPlugin) {
		t.Errorf("error %v", err)
	} else {
		says(t, err, path+" is not executable", "chmod +x")
	}
	found := filepath.Join(onPath, host.Prefix+"counter")
	if err := os.WriteFile(found, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if path, err := host.Find("counter", ""); err != nil || path != found {
		t.Errorf("%s, %v", path, err)
	}
	// A name is no path.
	for _, name := range []string{"", "../counter", "a/b"} {
		if _, err := host.Find(name, folder); err == nil {
			t.Errorf("found %q", name)
		} else {
			says(t, err, "is no plugin's name")
		}
	}
}
