package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const (
	// packageManager is what the page is built with. Its lock file says the rest.
	packageManager = "pnpm@10.34.9"
	// pageTag has the dashboard serve its page.
	pageTag = "ui_server"
)

// embeddedPage stands in for the file that Chaos Mesh's own tool generates, with
// the page as Go literals.
const embeddedPage = `//go:build ` + pageTag + `

package uiserver

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed all:dist
var dist embed.FS

var assets = func() http.FileSystem {
	page, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err)
	}
	return http.FS(page)
}()
`

// pageError says why the page was not built. Everything but the page works
// without it.
type pageError struct{ why error }

func (e *pageError) Error() string { return e.why.Error() }

func (e *pageError) Unwrap() error { return e.why }

// addPage builds the dashboard's page in a copy of Chaos Mesh's module, and
// puts it where the dashboard embeds it.
func addPage(ctx context.Context, module string) error {
	sources := filepath.Join(module, "ui")
	for _, arguments := range [][]string{
		// What is installed runs no scripts of its own and stays in the copy, which
		// is removed.
		{"install", "--filter", "@ui/app", "--frozen-lockfile", "--ignore-scripts", "--store-dir", filepath.Join(sources, "store")},
		{"--filter", "@ui/app", "build"},
	} {
		command := exec.CommandContext(ctx, "npx", append([]string{"--yes", packageManager}, arguments...)...)
		command.Dir, command.Env = sources, append(os.Environ(), "CI=true")
		if err := explain(command); err != nil {
			return &pageError{fmt.Errorf("build it with Node.js, 20.19 or later, and npm: %w", err)}
		}
	}
	into := filepath.Join(module, "pkg", "dashboard", "uiserver")
	if err := os.Rename(filepath.Join(sources, "app", "dist"), filepath.Join(into, "dist")); err != nil {
		return fmt.Errorf("move the dashboard's page: %w", err)
	}
	return os.WriteFile(filepath.Join(into, "embedded_assets_handler.go"), []byte(embeddedPage), 0o644)
}
