// Package dcm is EMCO's distributed cloud manager: logical clouds, their references to clusters, and their life.
package dcm

import (
	"context"
	"net"
	"net/http"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/appcontext"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/lifecycle"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// DefaultTime is what EMCO takes to write the AppContext of a logical cloud to etcd.
const DefaultTime = 60 * time.Millisecond

// The paths of the collections, below /v2/.
const (
	clouds     = "projects/{project}/logical-clouds"
	references = clouds + "/{logicalCloud}/cluster-references"
)

// cloudDepth is the number of parts that a logical cloud's key has below projects/.
const cloudDepth = 3

// Config is what a dcm needs.
type Config struct {
	Store        *docstore.Client
	Etcd         *clientv3.Client
	Rsync        string        // where rsync is really reached; default is where its registration says
	RsyncTimeout time.Duration // for rsync to greet; default 20 s
	Time         time.Duration // default DefaultTime
	Token        string        // demanded as bearer token if not ""
	Bugs         bug.Set
}

// dcm is the service.
type dcm struct {
	Config
	contexts appcontext.Contexts
	rsync    *lifecycle.Rsync // connected at its first use, not before
	windows  *lifecycle.Windows
}

// Serve opens a port when it is ready to answer, and answers until ctx ends.
func Serve(ctx context.Context, listen func() (net.Listener, error), config Config) error {
	if config.Time == 0 {
		config.Time = DefaultTime
	}
	service := &dcm{
		Config: config, contexts: appcontext.New(config.Etcd),
		rsync: &lifecycle.Rsync{Store: config.Store, Address: config.Rsync},
	}
	service.rsync.Client.ConnectTimeout = config.RsyncTimeout
	defer service.rsync.Close()
	service.windows = lifecycle.NewWindows(config.Bugs, config.Etcd, service.contexts, service.rsync)
	memory := lifecycle.Forgetful{
		Service: "dcm", Store: config.Store, Contexts: service.contexts, Depth: cloudDepth, Windows: service.windows, Bugs: config.Bugs,
	}
	if memory.Needed() {
		wait := memory.Start(ctx)
		defer memory.Stop(ctx)
		defer wait()
	}
	listener, err := listen()
	if err != nil {
		return err
	}
	hasty := lifecycle.NewHasty(ctx, config.Bugs)
	defer hasty.Wait()
	router := rest.NewRouter(config.Token)
	router.Refuse = memory.Refuse
	service.registerResources(router)
	cloud := "/v2/" + clouds + "/{logicalCloud}/"
	router.Handle(http.MethodPost, cloud+"instantiate", hasty.Wrap(lifecycle.OnceOnly(config.Bugs, config.Store, service.instantiate)))
	router.Handle(http.MethodPost, cloud+"terminate", hasty.Wrap(lifecycle.OnceOnly(config.Bugs, config.Store, service.terminate)))
	router.Handle(http.MethodPost, cloud+"stop", hasty.Wrap(lifecycle.OnceOnly(config.Bugs, config.Store, service.stop)))
	router.Handle(http.MethodGet, cloud+"status", service.status)
	return rest.Serve(ctx, listener, router)
}
