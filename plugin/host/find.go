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
	if name == "" || strings.ContainsAny(name, "/\\\x00") {
		return "", fmt.Errorf("%w: %q is no plugin's name; write NAME for a file %sNAME", ErrNotFound, name, Prefix)
	}
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
			return "", fmt.Errorf("look for the plugin %s: %w: %s is not executable; chmod +x it", name, ErrNotPlugin, path)
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

// Found is a file that has the name of a plugin.
type Found struct {
	Name string
	Path string
	// Shadowed says that another one of this name is found first.
	Shadowed bool
}

// List lists the plugins in the places where Find looks, in their order.
func List(directory string) ([]Found, error) {
	places := []string{directory}
	if directory == "" {
		places = nil
		if self, err := os.Executable(); err == nil {
			places = append(places, filepath.Dir(self))
		}
		places = append(places, filepath.SplitList(os.Getenv("PATH"))...)
	}
	var list []Found
	looked, names := map[string]bool{}, map[string]bool{}
	for _, place := range places {
		// An empty part of PATH is the current folder, and nothing is started
		// from there.
		if place == "" {
			continue
		}
		place, err := filepath.Abs(place)
		if err != nil {
			return nil, fmt.Errorf("look for plugins: %w", err)
		}
		if looked[place] {
			continue
		}
		looked[place] = true
		entries, err := os.ReadDir(place)
		if err != nil {
			if directory != "" {
				return nil, fmt.Errorf("look for plugins: %w", err)
			}
			continue
		}
		for _, entry := range entries {
			name, is := strings.CutPrefix(entry.Name(), Prefix)
			if !is || name == "" || entry.IsDir() {
				continue
			}
			list = append(list, Found{Name: name, Path: filepath.Join(place, entry.Name()), Shadowed: names[name]})
			names[name] = true
		}
	}
	return list, nil
}
