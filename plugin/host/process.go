package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
)

// ErrDied says that the plugin's process ended while it was needed.
var ErrDied = errors.New("the plugin died")

// startLimit is how long a plugin has to say that it is one.
const startLimit = 15 * time.Second

// Options say which plugin to start, and how.
type Options struct {
	// Path is the plugin's binary.
	Path string
	// SHA256 is what the binary must hash to, in hex; empty takes any.
	SHA256 string
	// Env names the environment variables that the plugin gets. It gets no
	// others.
	Env []string
	// Log takes what the plugin says on its standard error; nil drops it.
	Log io.Writer
}

// Process is a running plugin.
type Process struct {
	*sdk.Client
	client *goplugin.Client
	// lifeline is open as long as this process wants the plugin to live.
	lifeline *os.File
	gone     chan struct{}
	close    sync.Once
}

// Start starts a plugin. It lives until Close, or until this process ends,
// however it ends.
func Start(ctx context.Context, options Options) (*Process, error) {
	process, err := start(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("start the plugin %s: %w", options.Path, err)
	}
	return process, nil
}

func start(ctx context.Context, options Options) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var secure *goplugin.SecureConfig
	if options.SHA256 != "" {
		sum, err := hex.DecodeString(options.SHA256)
		if err != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("the pin %q is no SHA-256; write 64 hex digits, as sha256sum prints them", options.SHA256)
		}
		secure = &goplugin.SecureConfig{Checksum: sum, Hash: sha256.New()}
	}
	// The plugin reads the end of the one pipe when we are gone; we read the
	// end of the other when it is.
	lifelineRead, lifeline, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer lifelineRead.Close()
	alive, aliveWrite, err := os.Pipe()
	if err != nil {
		lifeline.Close()
		return nil, err
	}
	defer aliveWrite.Close()

	command := exec.Command(options.Path)
	command.ExtraFiles = []*os.File{lifelineRead, aliveWrite}
	command.Env = append(named(options.Env), sdk.Lifeline+"=3")
	// A group of its own, so that Ctrl-C reaches this process alone, which
	// then has the plugin clean up.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log := options.Log
	if log == nil {
		log = io.Discard
	}
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake,
		VersionedPlugins: sdk.Plugins(nil),
		Cmd:              command,
		SecureConfig:     secure,
		StartTimeout:     startLimit,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		Logger:           hclog.New(&hclog.LoggerOptions{Name: "plugin", Level: hclog.Warn, Output: log}),
	})
	fail := func(err error) (*Process, error) {
		client.Kill()
		lifeline.Close()
		alive.Close()
		return nil, err
	}
	protocol, err := client.Client()
	if err != nil {
		return fail(err)
	}
	dispensed, err := protocol.Dispense(sdk.Service)
	if err != nil {
		return fail(err)
	}
	process := &Process{Client: dispensed.(*sdk.Client), client: client, lifeline: lifeline, gone: make(chan struct{})}
	go func() {
		// Ends with the plugin: only the plugin has the other end.
		defer close(process.gone)
		defer alive.Close()
		_, _ = io.Copy(io.Discard, alive)
	}()
	return process, nil
}

// named are the variables of this process's environment that have these
// names, and no others.
func named(names []string) []string {
	var env []string
	for _, name := range names {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// Gone is closed when the plugin's process has ended.
func (p *Process) Gone() <-chan struct{} { return p.gone }

// PID is the plugin's process.
func (p *Process) PID() int {
	if config := p.client.ReattachConfig(); config != nil {
		return config.Pid
	}
	return 0
}

// Run has the plugin do one activity. When the plugin dies meanwhile the
// error is [ErrDied].
func (p *Process) Run(ctx context.Context, task sdk.Task, observer sdk.Observer) (sdk.Result, error) {
	result, err := p.Client.Run(ctx, task, observer)
	if err != nil {
		select {
		case <-p.gone:
			return result, fmt.Errorf("%w: %w", ErrDied, err)
		default:
		}
	}
	return result, err
}

// Close ends the plugin and waits until it has ended.
func (p *Process) Close() {
	p.close.Do(func() {
		p.client.Kill()
		_ = p.lifeline.Close()
		<-p.gone
	})
}
