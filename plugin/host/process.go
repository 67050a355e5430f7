package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// Limits on a plugin that does not behave.
const (
	// startLimit is how long a plugin has to say that it is one.
	startLimit = 15 * time.Second
	// answerLimit is how long it has to describe itself or to compile.
	answerLimit = 30 * time.Second
	// closeLimit is how long it has to end by itself.
	closeLimit = 4 * time.Second
	// goneLimit is how long the end of a process may take to be told after
	// its connection broke.
	goneLimit = time.Second
	// headerLimit bounds what an answer has beside its message, in bytes.
	headerLimit = 64 << 10
)

// Options say which plugin to start, and how.
type Options struct {
	// Path is the plugin's binary.
	Path string
	// SHA256 is what the binary must hash to, in hex; empty takes any.
	SHA256 string
	// Env names the environment variables that the plugin gets. It gets no
	// others.
	Env []string
	// Log takes what the plugin says on its standard error and output, up to
	// 1 MiB; nil drops it.
	Log io.Writer
	// StartLimit is how long the plugin has to say that it is one; 0 is 15 s.
	StartLimit time.Duration
	// AnswerLimit is how long it has for Describe and for Compile; 0 is 30 s.
	AnswerLimit time.Duration
}

// Process is a running plugin.
type Process struct {
	asks   *sdk.Client
	client *goplugin.Client
	child  *child
	log    *log
	// lifeline is open as long as this process wants the plugin to live.
	lifeline *os.File
	path     string
	contract int
	answer   time.Duration
	close    sync.Once
}

// Start starts a plugin. It lives until Close, or until this process ends,
// however it ends. The errors are [ErrNotFound], [ErrNotPlugin],
// [ErrSilent], a [*VersionError] and a [*ChecksumError].
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
	if options.StartLimit == 0 {
		options.StartLimit = startLimit
	}
	if options.AnswerLimit == 0 {
		options.AnswerLimit = answerLimit
	}
	// The plugin reads the end of the pipe when this process is gone.
	lifelineRead, lifeline, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer lifelineRead.Close()
	p := &Process{
		child:    newChild(options.Path, named(options.Env), lifelineRead),
		log:      &log{out: options.Log},
		lifeline: lifeline,
		path:     options.Path,
		answer:   options.AnswerLimit,
	}
	p.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake,
		VersionedPlugins: sdk.Plugins(nil),
		RunnerFunc:       p.child.as,
		StartTimeout:     options.StartLimit,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		SyncStdout:       p.log,
		SyncStderr:       p.log,
		Logger:           hclog.New(&hclog.LoggerOptions{Name: "plugin", Level: hclog.Warn, Output: p.log}),
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(sdk.MessageLimit)),
			grpc.WithMaxHeaderListSize(headerLimit),
			// The socket's file is gone once it is connected, so that there
			// is no way back from being idle.
			grpc.WithIdleTimeout(0),
		},
	})
	limited, cancel := context.WithTimeout(ctx, options.StartLimit)
	defer cancel()
	ended := context.AfterFunc(limited, p.child.kill)
	err = p.connect(limited)
	if !ended() && err == nil {
		err = limited.Err()
	}
	if err != nil {
		slow := limited.Err() != nil && ctx.Err() == nil
		p.Close()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case slow:
			return nil, p.child.silent(options.StartLimit)
		}
		return nil, p.child.refused(err)
	}
	return p, nil
}

// connect starts the process and talks to it for the first time.
func (p *Process) connect(ctx context.Context) error {
	protocol, err := p.client.Client()
	if err != nil {
		return err
	}
	wire, ok := protocol.(*goplugin.GRPCClient)
	if !ok {
		return errors.New("it does not speak gRPC")
	}
	_, err = grpc_health_v1.NewHealthClient(wire.Conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: goplugin.GRPCServiceName})
	if err != nil {
		return err
	}
	dispensed, err := protocol.Dispense(sdk.Service)
	if err != nil {
		return err
	}
	p.asks, ok = dispensed.(*sdk.Client)
	if !ok {
		return errors.New("it offers something else than a plugin")
	}
	p.contract = p.client.NegotiatedVersion()
	p.child.removeSockets()
	return nil
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

// Contract is the version of the contract that this process and the plugin
// agreed on.
func (p *Process) Contract() int { return p.contract }

// Gone is closed when the plugin's process has ended.
func (p *Process) Gone() <-chan struct{} { return p.child.gone }

// PID is the plugin's process.
func (p *Process) PID() int { return p.child.pid() }

// Describe asks what the plugin has. The error is [ErrHangs] when the plugin
// does not answer in time, and [ErrDied] when it dies meanwhile.
func (p *Process) Describe(ctx context.Context) (sdk.Description, error) {
	ctx, cancel := p.limit(ctx)
	defer cancel()
	description, err := p.asks.Describe(ctx)
	return description, p.explain(ctx, err)
}

// Compile has the plugin make a plan. Mistakes in the experiment or the
// target are [plan.Problems]; other errors are as Describe has them.
func (p *Process) Compile(ctx context.Context, source sdk.Source) (*plan.Plan, error) {
	ctx, cancel := p.limit(ctx)
	defer cancel()
	compiled, err := p.asks.Compile(ctx, source)
	return compiled, p.explain(ctx, err)
}

// Run has the plugin do one activity. When the plugin dies meanwhile the
// error is [ErrDied].
func (p *Process) Run(ctx context.Context, task sdk.Task, observer sdk.Observer) (sdk.Result, error) {
	result, err := p.asks.Run(ctx, task, observer)
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
		_ = p.lifeline.Close()
		p.child.end()
		p.log.close()
	})
}

var _ runner.Runner = (*child)(nil)
