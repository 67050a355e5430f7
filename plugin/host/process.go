package host

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Limits on a plugin that does not behave.
const (
	startLimit  = 15 * time.Second // for the handshake
	answerLimit = 30 * time.Second // for Describe and Compile
	closeLimit  = 4 * time.Second  // to end by itself
	goneLimit   = time.Second      // for the end of its process to be noticed after that of its connection
	headerLimit = 64 << 10         // what an answer has beside its message, in bytes
)

// Options are which plugin to start, and how.
type Options struct {
	Path   string // the plugin's binary
	SHA256 string // what the binary must hash to, in hex; empty takes any
	// Env names the environment variables that the plugin gets. It gets no
	// others.
	Env []string
	// Log takes what the plugin writes to its standard error and output, up to
	// 1 MiB; nil drops it.
	Log io.Writer
	// StartLimit is how long the plugin has for the handshake, 0 being 15 s, and
	// AnswerLimit for Describe and for Compile, 0 being 30 s.
	StartLimit, AnswerLimit time.Duration
}

// Process is a running plugin.
type Process struct {
	plugin *sdk.Client
	client *goplugin.Client
	child  *child
	log    *log
	path   string
	answer time.Duration
	close  sync.Once
}

// Start starts a plugin. It lives until Close, or until this process ends,
// however it ends. The errors are [ErrNotFound], [ErrNotPlugin], [ErrSilent],
// [ErrVersion], [ErrPin] and [ErrChecksum].
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
	if err := executable(options.Path); err != nil {
		return nil, err
	}
	if options.SHA256 != "" {
		if err := pinned(options.Path, options.SHA256); err != nil {
			return nil, err
		}
	}
	limit := cmp.Or(options.StartLimit, startLimit)
	p := &Process{
		child:  newChild(options.Path, named(options.Env)),
		log:    &log{out: options.Log},
		path:   options.Path,
		answer: cmp.Or(options.AnswerLimit, answerLimit),
	}
	p.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake,
		VersionedPlugins: sdk.Plugins(nil),
		RunnerFunc:       p.child.runner,
		StartTimeout:     limit + goneLimit, // never the first
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		SyncStdout:       p.log,
		SyncStderr:       p.log,
		// What it says of a plugin that ended our errors say too, with its last words.
		Logger: hclog.NewNullLogger(),
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(sdk.MessageLimit)),
			grpc.WithMaxHeaderListSize(headerLimit),
			// The socket's file is gone once it is connected, so that there
			// is no way back from being idle.
			grpc.WithIdleTimeout(0),
		},
	})
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(limited, p.child.kill)
	err := p.connect()
	if !stop() {
		err = limited.Err()
	}
	if err == nil {
		return p, nil
	}
	p.Close()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, p.child.refusal(err, limit)
}

// connect starts the process and talks to it for the first time.
func (p *Process) connect() error {
	protocol, err := p.client.Client()
	if err != nil {
		return err
	}
	if err := protocol.Ping(); err != nil {
		return err
	}
	dispensed, err := protocol.Dispense(sdk.Service)
	if err != nil {
		return err
	}
	p.plugin = dispensed.(*sdk.Client) // as sdk.Plugins makes it
	p.child.removeSockets()
	return nil
}

// named are the variables of this process's environment of these names.
func named(names []string) []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return !slices.Contains(names, name)
	})
}

// Contract is the version of the contract that both sides agreed on.
func (p *Process) Contract() int { return p.client.NegotiatedVersion() }

// Gone is closed when the plugin's process has ended.
func (p *Process) Gone() <-chan struct{} { return p.child.gone }

// Describe asks what the plugin has. The error is [ErrHangs] when the plugin
// does not answer in time, and [ErrDied] when it dies meanwhile.
func (p *Process) Describe(ctx context.Context) (sdk.Description, error) {
	ctx, cancel := p.limit(ctx)
	defer cancel()
	description, err := p.plugin.Describe(ctx)
	return description, p.explain(ctx, err)
}

// Compile has the plugin make a plan. Mistakes in the experiment or the
// target are [document.Problems]; other errors are as Describe has them.
func (p *Process) Compile(ctx context.Context, source sdk.Source) (*plan.Plan, error) {
	ctx, cancel := p.limit(ctx)
	defer cancel()
	compiled, err := p.plugin.Compile(ctx, source)
	return compiled, p.explain(ctx, err)
}

// Run has the plugin do one activity. When the plugin dies meanwhile the
// error is [ErrDied].
func (p *Process) Run(ctx context.Context, task sdk.Task, observer sdk.Observer) (sdk.Result, error) {
	result, err := p.plugin.Run(ctx, task, observer)
	return result, p.explain(ctx, err)
}

func (p *Process) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, p.answer, fmt.Errorf("%w: %s has not answered for %v; look at what it waits for, or try another version of it", ErrHangs, p.path, p.answer))
}

// Close ends the plugin and waits until it has ended. Nothing of it is left:
// no process, no open file, no socket.
func (p *Process) Close() {
	p.close.Do(func() {
		// go-plugin asks the plugin to end, and would wait for the answer as
		// long as the plugin lives.
		force := time.AfterFunc(closeLimit, p.child.kill)
		p.client.Kill()
		force.Stop()
		p.child.end()
		p.log.close()
	})
}
