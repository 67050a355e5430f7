package emcotest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/lifecycle"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rsync"
)

// The services of an EMCO and what they stand on, in the order in which they start.
const (
	EtcdName         = "etcd"
	MongoName        = "mongo"
	EdgeName         = "edge"
	RsyncName        = "rsync"
	OrchestratorName = "orchestrator"
	DCMName          = "dcm"
	CLMName          = "clm"
	DTCName          = "dtc"
)

var startOrder = []string{EtcdName, MongoName, EdgeName, RsyncName, OrchestratorName, DCMName, CLMName, DTCName}

const startTimeout = 30 * time.Second

// Options say what an EMCO in one process is like. The zero value is an EMCO with its usual times on any free ports.
type Options struct {
	Data         string            // folder of its state; New needs one, Start takes a temporary one
	Listen       map[string]string // host:port by service; a free port on loopback where there is none
	AppTime      time.Duration     // for the orchestrator to resolve and write one app; default 170 ms
	CloudTime    time.Duration     // for dcm to write a logical cloud's AppContext; default 60 ms
	RsyncTimes   rsync.Times
	StoreTimeout time.Duration // until a missing document store is given up; default 30 s
	RsyncTimeout time.Duration // for rsync to greet who connects; default 20 s
	Token        string        // bearer token that is demanded, if not ""
	Bugs         []string      // see the package bug

	// Link returns the address under which from is to reach to, which listens on address. A test sets it to put a
	// proxy of its own in between. Default: address itself.
	Link func(from, to, address string) string
}

// EMCO is an EMCO in one process.
type EMCO struct {
	options Options
	bugs    bug.Set
	mu      sync.Mutex
	running map[string]*process
	address map[string]string
}

// process is a service that runs.
type process struct {
	end   context.CancelCauseFunc
	ended chan struct{}
	err   error
}

// TB is what Start needs of a *testing.T.
type TB interface {
	Helper()
	Fatalf(format string, arguments ...any)
	Errorf(format string, arguments ...any)
	Cleanup(cleanup func())
	TempDir() string
}

// Start runs an EMCO until the test ends.
func Start(t TB, options Options) *EMCO {
	t.Helper()
	if options.Data == "" {
		options.Data = t.TempDir()
	}
	emco, err := New(options)
	if err != nil {
		t.Fatalf("start an emulated EMCO: %v", err)
	}
	t.Cleanup(func() {
		if err := emco.Close(); err != nil {
			t.Errorf("stop the emulated EMCO: %v", err)
		}
	})
	return emco
}

// New runs an EMCO until Close. Its state is in the folder options.Data, and is taken up there by the next one.
func New(options Options) (*EMCO, error) {
	bugs, err := bug.Parse(options.Bugs)
	if err != nil {
		return nil, err
	}
	if options.Data == "" {
		return nil, errors.New("an emulated EMCO needs a folder for its data")
	}
	if options.Link == nil {
		options.Link = func(_, _, address string) string { return address }
	}
	if err := os.MkdirAll(options.Data, 0o750); err != nil {
		return nil, err
	}
	emco := &EMCO{options: options, bugs: bugs, running: map[string]*process{}, address: map[string]string{}}
	for _, name := range startOrder {
		if err := emco.start(name); err != nil {
			return nil, errors.Join(err, emco.Close())
		}
	}
	return emco, nil
}

// start starts a service for the first time, on the address that it was given, or on one that it can keep.
func (e *EMCO) start(service string) error {
	if e.address[service] = e.options.Listen[service]; e.address[service] != "" {
		return e.Restart(service)
	}
	for {
		free, err := OwnPorts.Claim(1)
		if err != nil {
			return err
		}
		e.address[service] = free[0]
		if err := e.Restart(service); !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
}

// Address is host:port of a service.
func (e *EMCO) Address(service string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.address[service]
}

// URL is where a REST service, or the edge, is.
func (e *EMCO) URL(service string) string { return "http://" + e.Address(service) }

// Stop stops a service as SIGTERM does, and returns when it has stopped.
func (e *EMCO) Stop(service string) error { return e.end(service, context.Canceled) }

// Kill ends a service as SIGKILL does, as far as that goes inside one process: its connections break first, and
// nothing more of what was in flight happens but the write that is on its way.
func (e *EMCO) Kill(service string) error { return e.end(service, lifecycle.ErrKilled) }

func (e *EMCO) end(service string, cause error) error {
	e.mu.Lock()
	one := e.running[service]
	delete(e.running, service)
	e.mu.Unlock()
	if one == nil {
		return nil
	}
	one.end(cause)
	<-one.ended
	if one.err != nil {
		return fmt.Errorf("%s: %w", service, one.err)
	}
	return nil
}

// Restart starts a service that does not run, on the address that it had.
func (e *EMCO) Restart(service string) error {
	e.mu.Lock()
	if e.running[service] != nil {
		e.mu.Unlock()
		return fmt.Errorf("%s runs already", service)
	}
	addresses := maps.Clone(e.address)
	e.mu.Unlock()

	node := e.node(service, addresses)
	ctx, end := context.WithCancelCause(context.Background())
	one := &process{end: end, ended: make(chan struct{})}
	listening := make(chan string, 1)
	go func() {
		defer close(one.ended)
		one.err = node.Run(ctx, func(address string) { listening <- address })
	}()
	select {
	case address := <-listening:
		e.mu.Lock()
		defer e.mu.Unlock()
		e.address[service], e.running[service] = address, one
		return nil
	case <-one.ended:
		end(nil)
		return fmt.Errorf("start %s: %w", service, one.err)
	case <-time.After(startTimeout):
		end(nil)
		<-one.ended
		return fmt.Errorf("start %s: it did not listen within %v", service, startTimeout)
	}
}

// Close stops everything and returns when it has stopped.
func (e *EMCO) Close() error {
	var all error
	for i := len(startOrder) - 1; i >= 0; i-- {
		all = errors.Join(all, e.Stop(startOrder[i]))
	}
	return all
}

// node describes a service, given where the others are.
func (e *EMCO) node(service string, addresses map[string]string) Node {
	listen := addresses[service]
	data := filepath.Join(e.options.Data, service)
	to := func(other string) string { return e.options.Link(service, other, addresses[other]) }
	switch service {
	case EtcdName:
		return Etcd{Listen: listen, Data: data}
	case MongoName:
		return Mongo{Listen: listen, Data: data}
	case EdgeName:
		return Edge{Listen: listen, Data: data}
	case RsyncName:
		return Rsync{Listen: listen, Metrics: "127.0.0.1:0", Etcd: to(EtcdName), Edge: to(EdgeName), Times: e.options.RsyncTimes, Bugs: e.bugs}
	case OrchestratorName:
		return Orchestrator{
			Listen: listen, Store: to(MongoName), StoreTimeout: e.options.StoreTimeout, Etcd: to(EtcdName), Rsync: to(RsyncName),
			RsyncTimeout: e.options.RsyncTimeout,
			AppTime:      e.options.AppTime, Token: e.options.Token, Bugs: e.bugs,
		}
	case DCMName:
		return DCM{
			Listen: listen, Store: to(MongoName), StoreTimeout: e.options.StoreTimeout, Etcd: to(EtcdName), Rsync: to(RsyncName),
			RsyncTimeout: e.options.RsyncTimeout,
			Time:         e.options.CloudTime, Token: e.options.Token, Bugs: e.bugs,
		}
	case CLMName:
		return CLM{e.onStore(listen, to(MongoName))}
	case DTCName:
		return DTC{e.onStore(listen, to(MongoName))}
	default:
		return unknown(service)
	}
}

func (e *EMCO) onStore(listen, store string) StoreOnly {
	return StoreOnly{Listen: listen, Store: store, StoreTimeout: e.options.StoreTimeout, Token: e.options.Token}
}

// unknown is a service that there is not.
type unknown string

func (u unknown) Run(context.Context, func(string)) error {
	return fmt.Errorf("there is no service %q", string(u))
}
