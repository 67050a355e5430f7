// Package host finds plugins, starts them as processes of their own, and
// talks to them by the contract of package sdk.
package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Prefix begins the file name of every plugin.
const Prefix = "emco-chaos-plugin-"

// ErrNotFound says that there is no plugin of that name.
var ErrNotFound = errors.New("no such plugin")

// Find returns the path of the plugin's binary: in the directory (unless
// empty), else beside this command, else on PATH.
func Find(name, directory string) (string, error) {
	file := Prefix + name
	var looked []string
	if directory != "" {
		looked = append(looked, directory)
	} else if self, err := os.Executable(); err == nil {
		looked = append(looked, filepath.Dir(self))
	}
	for _, place := range looked {
		path := filepath.Join(place, file)
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", fmt.Errorf("look for the plugin %s: %w", name, err)
		case info.IsDir() || info.Mode()&0o111 == 0:
			return "", fmt.Errorf("look for the plugin %s: %s is not executable; chmod +x it", name, path)
		}
		return filepath.Abs(path)
	}
	if directory == "" {
		if path, err := exec.LookPath(file); err == nil {
			return filepath.Abs(path)
		}
		looked = append(looked, "PATH")
	}
	return "", fmt.Errorf("%w: %s is not in %s; put it there, or name its directory with --plugin-dir", ErrNotFound, file, strings.Join(looked, " or on "))
}
