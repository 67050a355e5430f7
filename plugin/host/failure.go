package host

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/document"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What is wrong with a plugin.
var (
	ErrNotFound  = errors.New("no such plugin")                             // no file has this name
	ErrNotPlugin = errors.New("this is not a plugin")                       // or none for this machine
	ErrPin       = errors.New("a pin that cannot be one")                   // no SHA-256, whatever the plugin is
	ErrChecksum  = errors.New("this is not the file that was pinned")       // but another one
	ErrVersion   = errors.New("the versions do not match")                  // no version of the contract in common
	ErrSilent    = errors.New("it did not say in time that it is a plugin") // no handshake
	ErrHangs     = errors.New("the plugin hangs")                           // no answer in time
	ErrDied      = errors.New("the plugin died")                            // its process ended while it was needed
)

// buildIt is the remedy for what is no plugin.
const buildIt = "a plugin is a program that calls sdk.Serve of plugin/sdk and prints nothing before"

// refusal explains why a program was not taken as a plugin.
func (c *child) refusal(err error, limit time.Duration) error {
	if c.pid() == 0 {
		return fmt.Errorf("%w: %w; it must be a program for this machine", ErrNotPlugin, err)
	}
	line := c.printed.firstLine()
	// go-plugin has a plugin print one line first: its own version, the
	// contract's version, where it listens, and the protocol.
	parts := strings.Split(line, "|")
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %v have passed%s; %s, or look at what it waits for", ErrSilent, limit, c.logged.lastWords(), buildIt)
	case line == "":
		return fmt.Errorf("%w: it ended (%s) and had not said that it is one%s; %s", ErrNotPlugin, c.command.ProcessState, c.logged.lastWords(), buildIt)
	case len(parts) < 4 || parts[0] != strconv.Itoa(goplugin.CoreProtocolVersion):
		return fmt.Errorf("%w: it printed %q; %s", ErrNotPlugin, ending(line), buildIt)
	}
	if version, err := strconv.Atoi(parts[1]); err == nil && version != sdk.ProtocolVersion {
		remedy := "build the plugin again with this emco-chaos's plugin/sdk, or take a newer release of it"
		if version > sdk.ProtocolVersion {
			remedy = "take a newer emco-chaos, or an older release of the plugin"
		}
		return fmt.Errorf("%w: the plugin speaks version %d of the contract, and this emco-chaos version %d; %s",
			ErrVersion, version, sdk.ProtocolVersion, remedy)
	}
	if len(parts) < 5 || parts[4] != string(goplugin.ProtocolGRPC) {
		return fmt.Errorf("%w: it does not speak gRPC; %s", ErrNotPlugin, buildIt)
	}
	return fmt.Errorf("%w: it said that it is one, and then could not be talked to: %s%s; %s",
		ErrNotPlugin, ending(status.Convert(err).Message()), c.logged.lastWords(), buildIt)
}

// explain finds out whether an error means that the plugin's process ended,
// or that it did not answer in time.
func (p *Process) explain(ctx context.Context, err error) error {
	var problems document.Problems
	if err == nil || errors.As(err, &problems) || errors.Is(err, sdk.ErrContract) || errors.Is(err, sdk.ErrFlood) {
		return err
	}
	if p.ended(err) {
		return fmt.Errorf("%w (%s)%s: %w", ErrDied, p.child.command.ProcessState, p.child.logged.lastWords(), err)
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

// ended reports whether the plugin's process has ended. A connection that
// broke is noticed before the end that broke it.
func (p *Process) ended(err error) bool {
	select {
	case <-p.child.gone:
		return true
	default:
	}
	if status.Code(err) != codes.Unavailable {
		return false
	}
	select {
	case <-p.child.gone:
		return true
	case <-time.After(goneLimit):
		return false
	}
}
