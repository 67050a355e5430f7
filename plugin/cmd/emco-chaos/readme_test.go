package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReadme runs every command of the README, in order and in one shell, as
// a reader would who follows it from the top. `make demo` and `make test` are
// left to CI: this is a part of the one, and takes as long as the other.
func TestReadme(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := `make() { case "$1" in demo|test) ;; *) command make "$@" ;; esac; }` + "\n" + strings.Join(blocks(string(text)), "\n")
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "sh", "-eux")
	command.Stdin = strings.NewReader(script)
	command.Dir = root
	command.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir(), "TMPDIR="+t.TempDir())
	command.WaitDelay = 10 * time.Second
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

// blocks are the blocks of shell commands of a Markdown text.
func blocks(text string) []string {
	var found []string
	_, rest, more := strings.Cut(text, "```sh\n")
	for more {
		var block string
		block, rest, _ = strings.Cut(rest, "```")
		found = append(found, block)
		_, rest, more = strings.Cut(rest, "```sh\n")
	}
	return found
}
