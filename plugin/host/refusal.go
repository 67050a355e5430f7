package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/document"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What a plugin can be refused or given up for.
var (
	// ErrNotPlugin says that a file is no plugin that this machine can run.
	ErrNotPlugin = errors.New("this is not a plugin")
	// ErrSilent says that a program did not say in time that it is a plugin.
	ErrSilent = errors.New("it did not say in time that it is a plugin")
	// ErrHangs says that a plugin did not answer in time.
	ErrHangs = errors.New("the plugin hangs")
	// ErrDied says that the plugin's process ended while it was needed.
	ErrDied = errors.New("the plugin died")
)

// VersionError says that this process and a plugin have no version of the
// contract in common.
type VersionError struct {
	// Plugin is the lowest version that the plugin has.
	Plugin int
	// Host are the versions that this process has.
	Host []int
}

func (e *VersionError) Error() string {
	versions := make([]string, len(e.Host))
	for i, version := range e.Host {
		versions[i] = strconv.Itoa(version)
	}
	remedy := "build the plugin again with this emco-chaos's plugin/sdk, or take a newer release of it"
	if e.Plugin > slices.Max(e.Host) {
		remedy = "take a newer emco-chaos, or an older release of the plugin"
	}
	return fmt.Sprintf("the plugin speaks version %d of the contract, and this emco-chaos version %s; %s", e.Plugin, strings.Join(versions, ", "), remedy)
}

// ChecksumError says that a plugin's binary is not the one that was pinned.
type ChecksumError struct {
	Path string
	// Want and Got are SHA-256 sums in hex.
	Want, Got string
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("%s is not the file that was pinned: its SHA-256 is %s, and the pin is %s; if you trust this file, pin what `sha256sum %s` prints, else put the right one there", e.Path, e.Got, e.Want, e.Path)
}

// executable looks at the file before it is started.
func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: there is no such file; build it, or name its directory with --plugin-dir", ErrNotFound)
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is no file but a %s; name the plugin's binary", ErrNotPlugin, kindOf(info.Mode()))
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%w: it is not executable; chmod +x it", ErrNotPlugin)
	}
	return nil
}

func kindOf(mode fs.FileMode) string {
	if mode.IsDir() {
		return "directory"
	}
	return "device, pipe or socket"
}

// ErrPin says that a pin is no SHA-256, whatever the plugin is.
var ErrPin = errors.New("a pin that cannot be one")

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
	want, err := hex.DecodeString(strings.TrimSpace(pin))
	if err != nil || len(want) != sha256.Size {
		return fmt.Errorf("%w: %q is no SHA-256; write 64 hex digits, as `sha256sum %s` prints them", ErrPin, pin, path)
	}
	got, err := Checksum(path)
	if err != nil {
		return fmt.Errorf("check it against its pin: %w", err)
	}
	if got != hex.EncodeToString(want) {
		return &ChecksumError{Path: path, Want: hex.EncodeToString(want), Got: got}
	}
	return nil
}

// silent is the error for a program that took longer than the limit.
func (c *child) silent(limit time.Duration) error {
	if line := c.first.line(); line != "" && !isHandshake(line) {
		return fmt.Errorf("%w: it printed %q and went on running; %s", ErrNotPlugin, shortened(line), buildIt)
	}
	return fmt.Errorf("%w: %v have passed%s; %s, or look at what it waits for", ErrSilent, limit, c.last.words(), buildIt)
}

// buildIt is the remedy for what is no plugin.
const buildIt = "a plugin is a program that calls sdk.Serve of plugin/sdk and prints nothing before"

// refused is the error for a program that could not be taken as a plugin.
func (c *child) refused(err error) error {
	if c.pid() == 0 {
		return fmt.Errorf("%w: %w; it must be a program for this machine", ErrNotPlugin, err)
	}
	line := c.first.line()
	parts := strings.Split(line, "|")
	switch {
	case line == "":
		return fmt.Errorf("%w: it ended (%s) and had not said that it is one%s; %s", ErrNotPlugin, c.state, c.last.words(), buildIt)
	case !isHandshake(line):
		return fmt.Errorf("%w: it printed %q; %s", ErrNotPlugin, shortened(line), buildIt)
	}
	if version, err := strconv.Atoi(parts[1]); err == nil && !slices.Contains(hostVersions(), version) {
		return &VersionError{Plugin: version, Host: hostVersions()}
	}
	if len(parts) < 5 || parts[4] != string(goplugin.ProtocolGRPC) {
		return fmt.Errorf("%w: it does not speak gRPC; %s", ErrNotPlugin, buildIt)
	}
	return fmt.Errorf("%w: it said that it is one, and then could not be talked to: %s%s; %s", ErrNotPlugin, plain(err), c.last.words(), buildIt)
}

// isHandshake says whether the line is what go-plugin has a plugin print
// first: its own version, the contract's version, and where it listens.
func isHandshake(line string) bool {
	parts := strings.Split(line, "|")
	return len(parts) >= 4 && parts[0] == strconv.Itoa(goplugin.CoreProtocolVersion)
}

// hostVersions are the versions of the contract that this process has.
func hostVersions() []int {
	var versions []int
	for version := range sdk.Plugins(nil) {
		versions = append(versions, version)
	}
	slices.Sort(versions)
	return versions
}

// explain says of an error what it means that the plugin's process ended, or
// that it did not answer in time.
func (p *Process) explain(ctx context.Context, err error) error {
	var problems document.Problems
	switch {
	case err == nil, errors.As(err, &problems), errors.Is(err, sdk.ErrNonsense), errors.Is(err, sdk.ErrFlood):
		return err
	}
	if p.ended(err) {
		return fmt.Errorf("%w (%s)%s: %w", ErrDied, p.child.state, p.child.last.words(), err)
	}
	if deadline, limited := ctx.Deadline(); limited && status.Code(err) == codes.DeadlineExceeded && time.Until(deadline) < goneLimit {
		// The plugin's side keeps the deadline too, and may be the first.
		<-ctx.Done()
	}
	if cause := context.Cause(ctx); errors.Is(cause, ErrHangs) {
		return cause
	}
	return err
}

// ended says whether the plugin's process has ended. A connection that broke
// is noticed before the end that broke it.
func (p *Process) ended(err error) bool {
	select {
	case <-p.child.gone:
		return true
	default:
	}
	if status.Code(err) != codes.Unavailable {
		return false
	}
	timer := time.NewTimer(goneLimit)
	defer timer.Stop()
	select {
	case <-p.child.gone:
		return true
	case <-timer.C:
		return false
	}
}

// plain is an error of gRPC without gRPC's own words.
func plain(err error) string {
	if s, ok := status.FromError(err); ok && s.Code() != codes.OK {
		return shortened(s.Message())
	}
	return shortened(err.Error())
}
