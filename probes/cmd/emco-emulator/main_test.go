package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/emco-chaos/emco-chaos/probes/emcotest"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
)

// mainVariable makes the test binary be the command.
const mainVariable = "EMCO_EMULATOR_MAIN"

// noWait keeps the race detector from sleeping at the end of a process.
const noWait = "GORACE=atexit_sleep_ms=0"

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// run runs the command to its end.
func run(t *testing.T, arguments ...string) (output string, err error) {
	t.Helper()
	command := exec.Command(os.Args[0], arguments...)
	command.Env = append(os.Environ(), mainVariable+"=1", noWait)
	content, err := command.CombinedOutput()
	return string(content), err
}

var anyPort = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

// golden compares with a file in testdata. Ports are numbered by their first appearance in any of the files.
func golden(t *testing.T, name, directory string, ports map[string]string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(directory, name))
	if err != nil {
		t.Fatal(err)
	}
	if !isSealed(content) {
		t.Errorf("%s does not begin with what it is", name)
	}
	_, content, _ = bytes.Cut(content, []byte("\n"))
	text := strings.NewReplacer(directory, "DIR", os.Args[0], "PROGRAM").Replace(string(content))
	text = anyPort.ReplaceAllStringFunc(text, func(address string) string {
		if ports[address] == "" {
			ports[address] = fmt.Sprintf("127.0.0.1:PORT%d", len(ports)+1)
		}
		return ports[address]
	})
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s is\n%s\nwant\n%s", name, text, want)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	output, err := run(t, "cluster", "--dir", directory, "--token", "secret", "--bug", "lose-state", "--bug", "never-terminates", "--apps", "3")
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if want := "wrote " + directory + "/cluster.yaml and " + directory + "/target.yaml\n"; output != want {
		t.Errorf("output %q, want %q", output, want)
	}
	ports := map[string]string{}
	for _, name := range []string{"cluster.yaml", "target.yaml", "edge.kubeconfig"} {
		golden(t, name, directory, ports)
	}
	if token, err := readToken(filepath.Join(directory, "token.txt")); err != nil || token != "secret" {
		t.Errorf("token %q, %v", token, err)
	}
}

// What a user has changed is not overwritten, and nothing else is changed then.
func TestClusterAgain(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for range 2 {
		if output, err := run(t, "cluster", "--dir", directory); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	file := filepath.Join(directory, "target.yaml")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edited := append(content, "# mine\n"...)
	if err := os.WriteFile(file, edited, 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(directory, "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	output, err := run(t, "cluster", "--dir", directory, "--apps", "3")
	if want := file + " is not as emco-emulator wrote it: remove it, or name another --dir"; err == nil || !strings.Contains(err.Error()+output, want) {
		t.Errorf("%v: %s, want %s", err, output, want)
	}
	for name, want := range map[string][]byte{"target.yaml": edited, "cluster.yaml": before} {
		if got, err := os.ReadFile(filepath.Join(directory, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"cluster", "--dir", t.TempDir(), "--bug", "nope"}, `unknown bug "nope": use one of ` + strings.Join(bug.Names(), ", ")},
		{[]string{"cluster", "--dir", t.TempDir(), "--apps", "13"}, "--apps 13: use a number from 1 to 12"},
		{[]string{"cluster"}, `required flag(s) "dir" not set`},
		{[]string{"clm", "--listen", "127.0.0.1:0", "--store", "127.0.0.1:1", "--token-file", empty}, "is empty: write the token into it"},
		{[]string{"mongo", "--listen", "127.0.0.1:0"}, `required flag(s) "data" not set`},
		{[]string{"nope"}, `unknown command "nope"`},
	} {
		output, err := run(t, test.arguments...)
		if err == nil || !strings.Contains(output, test.want) {
			t.Errorf("%v: %v %q, want %q", test.arguments, err, output, test.want)
		}
	}
}

// started is a process of the command with a lifeline.
type started struct {
	*exec.Cmd
	lifeline *os.File
}

func start(t *testing.T, arguments ...string) started {
	t.Helper()
	ours, theirs, err := lifelinePipe()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Env = append(os.Environ(), mainVariable+"=1", noWait, lifelineVariable+"=3")
	command.ExtraFiles = []*os.File{theirs}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	t.Cleanup(func() {
		_ = ours.Close() // ends the process, if nothing did
		_ = command.Wait()
	})
	return started{command, ours}
}

// lifelinePipe returns the end that an owner holds and the end that a process inherits.
func lifelinePipe() (ours, theirs *os.File, err error) {
	theirs, ours, err = os.Pipe()
	return ours, theirs, err
}

// The commands in cluster.yaml run as they are, one after the other, and stop when they are asked to.
func TestServicesOfCluster(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	if output, err := run(t, "cluster", "--dir", directory); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	content, err := os.ReadFile(filepath.Join(directory, "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var described struct {
		Spec struct {
			Pods []struct {
				Name    string
				Command []string
				Ready   struct{ TCP, HTTP string }
			}
		}
	}
	if err := yaml.NewDecoder(bytes.NewReader(content)).Decode(&described); err != nil {
		t.Fatal(err)
	}
	if len(described.Spec.Pods) != 7 {
		t.Fatalf("%d pods, want 7", len(described.Spec.Pods))
	}
	for _, pod := range described.Spec.Pods {
		process := start(t, pod.Command...)
		ready(t, pod.Name, pod.Ready.TCP, pod.Ready.HTTP)
		if err := process.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := process.Wait(); err != nil {
			t.Errorf("%s stopped with %v", pod.Name, err)
		}
	}
}

// ready waits until a port is open, or a GET is answered by 200.
func ready(t *testing.T, name, tcp, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if tcp != "" {
			connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", tcp)
			if err == nil {
				_ = connection.Close()
				return
			}
		} else if request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil); err != nil {
			t.Fatal(err)
		} else if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s is not ready", name)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// A process ends at once when its owner is gone.
func TestLifeline(t *testing.T) {
	t.Parallel()
	addresses, err := emcotest.OwnPorts.Claim(1)
	if err != nil {
		t.Fatal(err)
	}
	process := start(t, os.Args[0], "mongo", "--listen", addresses[0], "--data", t.TempDir())
	ready(t, "mongo", addresses[0], "")
	if err := process.lifeline.Close(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		_ = process.Process.Kill()
		t.Fatal("the process outlived its owner")
	}
}
