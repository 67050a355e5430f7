// Package host finds plugins, starts them as processes of their own, and
// talks to them by the contract of package sdk.
package host

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Prefix begins the file name of every plugin.
const Prefix = "emco-chaos-plugin-"

// Find returns the path of the plugin's binary: in the directory (unless
// empty), else beside this command, else on PATH.
func Find(name, directory string) (string, error) {
	if name == "" || strings.ContainsAny(name, "/\\\x00") {
		return "", fmt.Errorf("%w: %q is no plugin's name; write NAME for a file %sNAME", ErrNotFound, name, Prefix)
	}
	found, err := List(directory)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var unfit error
	for _, one := range found {
		if one.Name == name {
			err := executable(one.Path)
			if err == nil {
				return one.Path, nil
			}
			unfit = cmp.Or(unfit, err)
		}
	}
	if unfit != nil {
		return "", fmt.Errorf("look for the plugin %s: %w", name, unfit)
	}
	looked := places(directory)[0]
	if directory == "" {
		looked += " or on PATH"
	}
	return "", fmt.Errorf("%w: %s%s is not in %s; put it there, or name its directory with --plugin-dir", ErrNotFound, Prefix, name, looked)
}

// places are the directories in which plugins are looked for. An empty one is
// passed over: on PATH it is the current directory, and nothing is started
// from there.
func places(directory string) []string {
	if directory != "" {
		return []string{directory}
	}
	own, err := os.Executable()
	if err == nil {
		own = filepath.Dir(own)
	}
	return append([]string{own}, filepath.SplitList(os.Getenv("PATH"))...)
}

// Found is a file that has the name of a plugin.
type Found struct {
	Name string `json:"name"`
	Path string `json:"path"`
	// Shadowed is set when another one of this name is found first.
	Shadowed bool `json:"shadowed,omitempty"`
}

// List lists the plugins in the places where Find looks, in their order.
func List(directory string) ([]Found, error) {
	var list []Found
	looked, names := map[string]bool{}, map[string]bool{}
	for _, place := range places(directory) {
		if place == "" {
			continue
		}
		place, err := filepath.Abs(place)
		var entries []fs.DirEntry
		if err == nil && !looked[place] {
			looked[place] = true
			entries, err = os.ReadDir(place)
		}
		if err != nil && directory != "" {
			return nil, fmt.Errorf("look for plugins: %w", err)
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

// executable checks that a file can be started.
func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: there is no such file; build it, or name its directory with --plugin-dir", ErrNotFound)
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%w: it is a directory; name the plugin's binary", ErrNotPlugin)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is a device, pipe or socket; name the plugin's binary", ErrNotPlugin)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%w: %s is not executable; chmod +x it", ErrNotPlugin, path)
	}
	return nil
}

// Checksum is the SHA-256 of a file, in hex.
func Checksum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// pinned checks that the file has the SHA-256. The folder of a pinned plugin
// should be writable for nobody else: between this and its start the file
// could be changed.
func pinned(path, pin string) error {
	sum, err := hex.DecodeString(strings.TrimSpace(pin))
	if err != nil || len(sum) != sha256.Size {
		return fmt.Errorf("%w: %q is no SHA-256; write 64 hex digits, as `sha256sum %s` prints them", ErrPin, pin, path)
	}
	got, err := Checksum(path)
	if err != nil {
		return fmt.Errorf("check it against its pin: %w", err)
	}
	if want := hex.EncodeToString(sum); got != want {
		return fmt.Errorf("%w: its SHA-256 is %s, and the pin is %s; if you trust this file, pin what `sha256sum %s` prints, else put the right one there",
			ErrChecksum, got, want, path)
	}
	return nil
}
