package e2e

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestReadme runs the documents' commands for a cluster, in order and in one
// shell, as a reader would who follows them from the top, with the names of
// what that reader has in place of the examples': a run from the command line,
// helm install with only the values that must be given, helm test, a run from
// the dashboard, an upgrade, helm uninstall. Then nothing of ours is left, and Chaos
// Mesh's definitions are what they were.
func TestReadme(t *testing.T) {
	s := here(t)
	var commands []string
	for _, page := range []string{"plugin/README.md", chartPage} {
		commands = append(commands, blocks(t, page)...)
	}
	script := strings.NewReplacer(
		"registry.example/emco-chaos", s.repository, "image.tag=v1", "image.tag="+s.tag,
		"edge.example:6443", s.edgeAddress,
	).Replace(strings.Join(commands, "\n"))
	before := s.definitions(t)
	folder := t.TempDir()
	charts, err := filepath.Abs(filepath.Join("..", "..", "charts"))
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"charts": charts, "edge.kubeconfig": s.edge, "target.yaml": s.target} {
		if err := os.Symlink(file, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(during(t), 10*time.Minute)
	defer cancel()
	command := gently(exec.CommandContext(ctx, "sh", "-eux"))
	command.Stdin = strings.NewReader(script)
	command.Dir = folder
	command.Env = append(os.Environ(), "PATH="+s.programs+":"+os.Getenv("PATH"), "XDG_STATE_HOME="+t.TempDir(), "HOME="+t.TempDir())
	var printed bytes.Buffer
	command.Stdout, command.Stderr = &printed, &printed
	err = command.Run()
	t.Log(printed.String())
	if err != nil {
		t.Error(err)
		// The script ended before it took all of it away.
		s.keepLogs(t)
		s.uninstall(t)
		s.remove(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}})
		s.removePolicy(t)
	}
	// On the command line, the Run's report, and in the Task's log.
	if passed := strings.Count(printed.String(), "dig-instantiate-in-flight: PASSED"); passed != 3 {
		t.Errorf("%d runs passed, not 3", passed)
	}
	if told := strings.Count(printed.String(), "where we are system:serviceaccount:"+home+":"); told != 1 {
		t.Errorf("helm test prints its log %d times", told)
	}
	if after := s.definitions(t); !maps.Equal(before, after) {
		t.Errorf("Chaos Mesh's definitions were touched: %v before, %v after", before, after)
	}
	left, err := s.ours(t.Context())
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	s.clean(t)
}

const chartPage = "charts/emco-chaos/README.md"

// blocks are the blocks of shell commands of a page that need a cluster.
func blocks(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", page))
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "```sh cluster\n", "```"
	var found []string
	_, rest, more := strings.Cut(string(text), begin)
	for more {
		var block string
		block, rest, _ = strings.Cut(rest, end)
		found = append(found, block)
		_, rest, more = strings.Cut(rest, begin)
	}
	return found
}
