package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

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
