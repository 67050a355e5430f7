package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// objectFlags are those of Chaos Mesh's own Makefile.
const objectFlags = "-fPIE -O2"

// copyOfChaosMesh copies Chaos Mesh's module into the folder, and returns where
// it is and a go.mod that takes it from there.
func (b *builder) copyOfChaosMesh(ctx context.Context, folder string) (copied, modfile string, err error) {
	module, err := b.chaosMeshModule(ctx)
	if err != nil {
		return "", "", err
	}
	copied = filepath.Join(folder, "chaos-mesh")
	if err := os.CopyFS(copied, os.DirFS(module)); err != nil {
		return "", "", fmt.Errorf("copy Chaos Mesh's module: %w", err)
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(b.sources, chaosMeshModule, file))
		if err != nil {
			return "", "", err
		}
		if err := os.WriteFile(filepath.Join(folder, file), content, 0o644); err != nil {
			return "", "", err
		}
	}
	modfile = filepath.Join(folder, "go.mod")
	return copied, modfile, explain(exec.CommandContext(ctx, "go", "mod", "edit", "-replace", chaosMesh+"="+copied, modfile))
}

// addObjects compiles the object files that the published module lacks, beside
// their sources.
func addObjects(ctx context.Context, objects []string, module string) error {
	flags := strings.Fields(objectFlags)
	if runtime.GOARCH == "arm64" {
		flags = append(flags, "-mcmodel=tiny")
	}
	for _, source := range objects {
		object := strings.TrimSuffix(source, ".c") + ".o"
		compile := exec.CommandContext(ctx, "cc", append(flags, "-c", source, "-o", object)...)
		compile.Dir = module
		if err := explain(compile); err != nil {
			return err
		}
	}
	return nil
}

// chaosMeshModule is the folder of Chaos Mesh's module, which is downloaded if it
// is not there.
func (b *builder) chaosMeshModule(ctx context.Context) (string, error) {
	var module struct{ Dir string }
	text, err := ask(ctx, filepath.Join(b.sources, chaosMeshModule), "go", "mod", "download", "-json", chaosMesh)
	if err == nil {
		err = json.Unmarshal([]byte(text), &module)
	}
	if err != nil {
		return "", fmt.Errorf("download Chaos Mesh's module: %w", err)
	}
	return module.Dir, nil
}
