package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// CacheVariable names the folder for what was built.
const CacheVariable = "EMCO_CHAOS_CACHE"

// CacheFolder is where what was built is kept from one cluster to the next.
func CacheFolder() (string, error) {
	if named := os.Getenv(CacheVariable); named != "" {
		return filepath.Abs(named)
	}
	users, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for what is built (set %s to name one): %w", CacheVariable, err)
	}
	return filepath.Join(users, "emco-chaos-e2e"), nil
}

// recipe is how some programs are built, all with the same flags.
type recipe struct {
	// module is the folder of the Go module below that of these tests.
	module   string
	packages []string
	cgo      bool
	tags     string
	ldflags  string
	// objects are the C files of Chaos Mesh that a package embeds as object files.
	objects []string
	// page says that the dashboard is built with the page that people see, which
	// needs Node.js.
	page bool
}

const (
	kubernetesVersion = "v1.34.2"
	versionVariable   = "k8s.io/component-base/version."
	// static links programs that need the C library so that they run in an
	// image without one.
	static = "-s -w -linkmode external -extldflags -static"

	kubernetesModule = "kubernetes"
	chaosMeshModule  = "chaosmesh"
	dnsModule        = "coredns"
	ownModule        = "."
	productModule    = "../.."

	chaosMesh = "github.com/chaos-mesh/chaos-mesh"
)

// recipes are all that a cluster is made of, in the order in which they are
// built.
func recipes() []recipe {
	return []recipe{
		{
			module: kubernetesModule,
			packages: []string{
				"k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kube-controller-manager",
				"k8s.io/kubernetes/cmd/kube-scheduler", "k8s.io/kubernetes/cmd/kubelet", "k8s.io/kubernetes/cmd/kube-proxy",
				"k8s.io/kubernetes/cmd/kubectl",
			},
			ldflags: "-s -w -X " + versionVariable + "gitVersion=" + kubernetesVersion +
				" -X " + versionVariable + "gitMajor=1 -X " + versionVariable + "gitMinor=34",
		},
		{
			module:   chaosMeshModule,
			packages: []string{chaosMesh + "/cmd/chaos-controller-manager", chaosMesh + "/cmd/chaos-daemon"},
			cgo:      true, tags: "netgo osusergo", ldflags: static,
			objects: []string{"pkg/time/fakeclock/fake_clock_gettime.c", "pkg/time/fakeclock/fake_gettimeofday.c"},
		},
		{
			module: chaosMeshModule, packages: []string{chaosMesh + "/cmd/chaos-dashboard"},
			cgo: true, tags: "netgo osusergo", ldflags: static, page: true,
		},
		{module: dnsModule, packages: []string{"."}, ldflags: "-s -w"},
		{module: ownModule, packages: []string{"./cmd/memStress", "./cmd/nsexec", "./cmd/pause"}, ldflags: "-s -w"},
		{module: productModule, packages: []string{"./probes/cmd/emco-emulator"}, ldflags: "-s -w"},
	}
}

// program is the name of the file that a package is built into.
func (r recipe) program(of string) string {
	if of == "." {
		return filepath.Base(r.module)
	}
	return filepath.Base(of)
}

// pinned tells whether go.mod and go.sum say all about what is built. The
// programs of this repository change without them.
func (r recipe) pinned() bool { return r.module != ownModule && r.module != productModule }

// key names what the recipe builds from this module: another pin, another
// compiler or other flags give another key.
func (r recipe) key(sources, compiler string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%t\n%s\n%s\n", compiler, r.cgo, r.tags, r.ldflags)
	if len(r.objects) > 0 {
		fmt.Fprintln(sum, r.objects, objectFlags)
	}
	if r.page {
		fmt.Fprintf(sum, "%s %s\n", packageManager, embeddedPage)
	}
	files := []string{"go.mod", "go.sum"}
	if r.module == dnsModule {
		files = append(files, "main.go")
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(sources, r.module, file))
		if err != nil {
			return "", fmt.Errorf("read what is pinned: %w", err)
		}
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

// builder builds programs into the cache.
type builder struct {
	sources  string // the folder of this module
	cache    string
	compiler string
	progress io.Writer
}

func newBuilder(ctx context.Context, progress io.Writer) (*builder, error) {
	cache, err := CacheFolder()
	if err != nil {
		return nil, err
	}
	const module = "github.com/emco-chaos/emco-chaos/experiments/e2e"
	sources, err := ask(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return nil, fmt.Errorf("find the sources (run this inside experiments/e2e): %w", err)
	}
	compiler, err := ask(ctx, sources, "go", "env", "GOVERSION", "GOARCH")
	if err != nil {
		return nil, err
	}
	return &builder{sources: sources, cache: cache, compiler: compiler, progress: progress}, nil
}

// programs are the paths of what was built, by their names.
type programs map[string]string

// all builds what is missing.
func (b *builder) all(ctx context.Context) (programs, error) {
	built := programs{}
	for _, recipe := range recipes() {
		err := b.one(ctx, recipe, built)
		if without, is := errors.AsType[*pageError](err); is && ctx.Err() == nil {
			fmt.Fprintf(b.progress, "the dashboard goes without its page: %v\n", without)
			recipe.page = false
			err = b.one(ctx, recipe, built)
		}
		if err != nil {
			return nil, err
		}
	}
	return built, nil
}

func (b *builder) one(ctx context.Context, recipe recipe, built programs) error {
	into := filepath.Join(b.cache, "own")
	if recipe.pinned() {
		key, err := recipe.key(b.sources, b.compiler)
		if err != nil {
			return err
		}
		into = filepath.Join(b.cache, recipe.module+"-"+key)
	}
	if err := os.MkdirAll(into, 0o755); err != nil {
		return fmt.Errorf("make the folder for what is built: %w", err)
	}
	for _, each := range recipe.packages {
		name := recipe.program(each)
		path := filepath.Join(into, name)
		built[name] = path
		if recipe.pinned() {
			if _, err := os.Stat(path); err == nil {
				continue
			}
			fmt.Fprintf(b.progress, "building %s …\n", name)
		}
		begun := time.Now()
		if err := b.build(ctx, recipe, each, path); err != nil {
			return fmt.Errorf("build %s: %w", name, err)
		}
		if recipe.pinned() {
			fmt.Fprintf(b.progress, "built %s in %s\n", name, time.Since(begun).Round(time.Second))
		}
	}
	return nil
}

func (b *builder) build(ctx context.Context, recipe recipe, of, path string) error {
	// Whoever is interrupted leaves no half of a program behind.
	unfinished := path + ".unfinished"
	arguments := []string{"build", "-trimpath", "-ldflags", recipe.ldflags, "-o", unfinished}
	if recipe.page {
		recipe.tags += " " + pageTag
	}
	if recipe.tags != "" {
		arguments = append(arguments, "-tags", recipe.tags)
	}
	if len(recipe.objects) > 0 || recipe.page {
		// Its path gets into the program: always the same one.
		folder := path + ".sources"
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		copied, modfile, err := b.copyOfChaosMesh(ctx, folder)
		if err == nil {
			err = addObjects(ctx, recipe.objects, copied)
		}
		if err == nil && recipe.page {
			err = addPage(ctx, copied)
		}
		if err != nil {
			return err
		}
		arguments = append(arguments, "-modfile", modfile)
	}
	command := exec.CommandContext(ctx, "go", append(arguments, of)...)
	command.Dir = filepath.Join(b.sources, recipe.module)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if recipe.cgo {
		command.Env = append(command.Env, "CGO_ENABLED=1")
	}
	if err := explain(command); err != nil {
		return errors.Join(err, os.RemoveAll(unfinished))
	}
	return os.Rename(unfinished, path)
}

// ask is what a program prints.
func ask(ctx context.Context, directory, program string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir = directory
	var output, problem bytes.Buffer
	command.Stdout, command.Stderr = &output, &problem
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, strings.TrimSpace(problem.String()))
	}
	return strings.TrimSpace(output.String()), nil
}
