package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// pages are the documents that have commands. Each is followed from its top, in
// a shell of its own, from the root of the repository.
var pages = []string{"README.md", "plugin/README.md", "experiments/README.md", "experiments/MAP.md", "probes/README.md", "plugin/sdk/README.md"}

// TestReadme runs every command of the documents, in order, as a reader would.
// `make demo`, `make test` and `make image` are left to CI.
func TestReadme(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(root, page))
			if err != nil {
				t.Fatal(err)
			}
			commands := blocks(string(text))
			if len(commands) == 0 {
				t.Fatal("it has no command")
			}
			script := `make() { case "$1" in demo|test|image) ;; *) command make "$@" ;; esac; }` + "\n" + strings.Join(commands, "\n")
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
		})
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinks: what a document points to is there.
func TestLinks(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	for _, page := range append(pages, "charts/emco-chaos/README.md", ".github/CONTRIBUTING.md", ".github/CHANGELOG.md") {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), found[1])); err != nil {
				t.Errorf("%s points to %s: %v", page, found[1], err)
			}
		}
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
