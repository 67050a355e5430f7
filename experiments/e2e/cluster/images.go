package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/e2e/image"
)

const (
	// registry is in the names of the images: one that exists nowhere, so
	// that nothing is ever asked of one.
	registry = "emco-chaos.test"
	imageTag = "e2e"

	pauseImage    = registry + "/pause:" + imageTag
	emulatorImage = registry + "/emco-emulator:" + imageTag
)

// images are the tar files with the images that a cluster needs, made when
// they are missing.
func (b *builder) images(ctx context.Context, built programs) ([]string, error) {
	tools, err := daemonTools()
	if err != nil {
		return nil, fmt.Errorf("gather the programs that chaos-daemon runs: %w", err)
	}
	bin := image.Binaries + "/"
	writable := []image.File{image.Folder("/tmp", 0o777|fs.ModeSticky, 0), image.Folder("/data", 0o777, 0)}
	specs := []image.Spec{
		{Name: pauseImage, Files: []image.File{image.Program("/pause", built["pause"])}, Entrypoint: []string{"/pause"}},
		{
			Name:       emulatorImage,
			Files:      append(writable, image.Program("/opt/emco/emco-emulator", built["emco-emulator"])),
			Entrypoint: []string{"/opt/emco/emco-emulator"},
		},
		{
			Name:  registry + "/chaos-mesh/chaos-mesh:" + imageTag,
			Files: append(writable, image.Program(bin+"chaos-controller-manager", built["chaos-controller-manager"])),
		},
		{
			Name:  registry + "/chaos-mesh/chaos-dashboard:" + imageTag,
			Files: append(writable, image.Program(bin+"chaos-dashboard", built["chaos-dashboard"])),
		},
		{
			Name: registry + "/chaos-mesh/chaos-daemon:" + imageTag,
			Files: append(append(writable, tools...),
				image.Program(bin+"chaos-daemon", built["chaos-daemon"]),
				image.Program(bin+"memStress", built["memStress"]),
				image.Program(bin+"nsexec", built["nsexec"]),
				image.Program(bin+"pause", built["pause"]),
				image.Folder("/run", 0o755, 0)),
		},
	}
	var files []string
	for _, spec := range specs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		spec.Architecture = runtime.GOARCH
		spec.Env = []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
		file, err := b.image(spec)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// image makes the tar file of one image. Its name has the hash of all that it
// is made of.
func (b *builder) image(spec image.Spec) (string, error) {
	key, err := imageKey(spec)
	if err != nil {
		return "", fmt.Errorf("make the image %s: %w", spec.Name, err)
	}
	folder := filepath.Join(b.cache, "images")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("make the folder for images: %w", err)
	}
	name := strings.TrimSuffix(filepath.Base(spec.Name), ":"+imageTag)
	file := filepath.Join(folder, name+"-"+key+".tar")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	fmt.Fprintf(b.progress, "making the image %s\n", spec.Name)
	made, err := image.Build(spec)
	if err != nil {
		return "", err
	}
	earlier, err := filepath.Glob(filepath.Join(folder, name+"-????????????.tar"))
	if err != nil {
		return "", err
	}
	for _, each := range earlier {
		if err := os.Remove(each); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("remove an image's earlier version: %w", err)
		}
	}
	return file, made.Write(file)
}

func imageKey(spec image.Spec) (string, error) {
	described, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	sum.Write(described)
	for _, file := range spec.Files {
		if file.Source == "" {
			continue
		}
		if err := digest(sum, file.Source); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

func digest(into io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(into, file)
	return err
}

// daemonTools are the programs of this machine that chaos-daemon runs, with
// the shared libraries that they need, at the paths that they have here.
// iptables is the older kind, as in chaos-daemon's own image.
func daemonTools() ([]image.File, error) {
	found := map[string]image.File{}
	collect := func(at, source string) error { return libraries(at, source, found) }
	for _, tool := range []struct{ program, source string }{
		{"/usr/sbin/ipset", "ipset"}, {"/usr/sbin/iptables", "xtables-legacy-multi"},
		{"/usr/sbin/ip", "ip"}, {"/usr/sbin/tc", "tc"}, {"/usr/bin/stress-ng", "stress-ng"},
	} {
		source, err := locate(tool.source)
		if err != nil {
			return nil, err
		}
		if err := collect(tool.program, source); err != nil {
			return nil, err
		}
	}
	plugins, err := filepath.Glob("/usr/lib/*/xtables/lib*.so")
	if err != nil {
		return nil, err
	}
	if len(plugins) == 0 {
		return nil, errors.New("the plugins of iptables (/usr/lib/*/xtables) are not there: install iptables")
	}
	for _, plugin := range plugins {
		if strings.HasPrefix(filepath.Base(plugin), "libebt_") || strings.HasPrefix(filepath.Base(plugin), "libarpt_") {
			continue
		}
		if err := collect(plugin, plugin); err != nil {
			return nil, err
		}
	}
	files := make([]image.File, 0, len(found))
	for _, file := range found {
		files = append(files, file)
	}
	sortFiles(files)
	return files, nil
}

// administratorsPath is where an administrator finds programs.
const administratorsPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// locate finds a program in the folders of an administrator's PATH.
func locate(program string) (string, error) {
	for _, folder := range filepath.SplitList(administratorsPath) {
		path := filepath.Join(folder, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return filepath.EvalSymlinks(path)
		}
	}
	return "", fmt.Errorf("the program %s is not there: install iptables, ipset, iproute2 and stress-ng", program)
}

// libraries adds a program, its loader and the libraries that it asks for.
func libraries(at, source string, found map[string]image.File) error {
	if _, there := found[at]; there {
		return nil
	}
	real, err := filepath.EvalSymlinks(source)
	if err != nil {
		return err
	}
	found[at] = image.Program(at, real)
	binary, err := elf.Open(real)
	if err != nil {
		return fmt.Errorf("read %s: %w", real, err)
	}
	defer binary.Close()
	if section := binary.Section(".interp"); section != nil {
		content, err := section.Data()
		if err != nil {
			return fmt.Errorf("read %s: %w", real, err)
		}
		loader := string(bytes.TrimRight(content, "\x00"))
		if err := libraries(loader, loader, found); err != nil {
			return err
		}
	}
	needed, err := binary.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("read %s: %w", real, err)
	}
	for _, library := range needed {
		path, err := findLibrary(library)
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		if err := libraries(path, path, found); err != nil {
			return err
		}
	}
	return nil
}

// findLibrary finds a shared library where distributions keep them, at the
// path where the loader looks for it without a cache.
func findLibrary(name string) (string, error) {
	for _, pattern := range []string{"/lib/*-linux-gnu/", "/usr/lib/*-linux-gnu/", "/lib64/", "/usr/lib64/", "/lib/", "/usr/lib/"} {
		matches, err := filepath.Glob(pattern + name)
		if err != nil {
			return "", err
		}
		if len(matches) > 0 {
			return matches[0], nil
		}
	}
	return "", fmt.Errorf("the library %s is not there", name)
}

func sortFiles(files []image.File) {
	slices.SortFunc(files, func(a, b image.File) int { return strings.Compare(a.Path, b.Path) })
}
