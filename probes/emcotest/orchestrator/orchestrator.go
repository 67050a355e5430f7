// Package orchestrator is EMCO's orchestrator: controllers, projects, composite apps, and the life of deployment
// intent groups.
package orchestrator

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

// DefaultAppTime is what EMCO takes to resolve one app and to write it to etcd.
const DefaultAppTime = 170 * time.Millisecond

// Config is what an orchestrator needs.
type Config struct {
	Store        *docstore.Client
	Etcd         *clientv3.Client
	Rsync        string        // where rsync is really reached; default is where its registration says
	RsyncTimeout time.Duration // for rsync to greet; default 20 s
	AppTime      time.Duration // default DefaultAppTime
	Token        string        // demanded as bearer token if not ""
	Bugs         bug.Set
}

// orchestrator is the service.
type orchestrator struct {
	Config
	contexts appcontext.Contexts
	rsync    *lifecycle.Rsync
	windows  *lifecycle.Windows
}

// Serve opens a port when it is ready to answer, and answers until ctx ends.
func Serve(ctx context.Context, listen func() (net.Listener, error), config Config) error {
	if config.AppTime == 0 {
		config.AppTime = DefaultAppTime
	}
	service := &orchestrator{
		Config: config, contexts: appcontext.New(config.Etcd),
		rsync: &lifecycle.Rsync{Store: config.Store, Address: config.Rsync},
	}
	service.rsync.Client.ConnectTimeout = config.RsyncTimeout
	defer service.rsync.Close()
	service.windows = lifecycle.NewWindows(config.Bugs, config.Etcd, service.contexts, service.rsync)
	memory := lifecycle.Forgetful{
		Service: "orchestrator", Store: config.Store, Contexts: service.contexts, Depth: digDepth, Windows: service.windows, Bugs: config.Bugs,
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
	dialled := make(chan struct{})
	go func() { // EMCO connects to the registered controllers when it starts
		defer close(dialled)
		_ = service.rsync.Dial(ctx)
	}()
	defer func() { <-dialled }()
	hasty := lifecycle.NewHasty(ctx, config.Bugs)
	defer hasty.Wait()
	return rest.Serve(ctx, listener, service.routes(hasty, memory.Refuse))
}

func (o *orchestrator) routes(hasty *lifecycle.Hasty, refuse func(*http.Request) error) http.Handler {
	router := rest.NewRouter(o.Token)
	router.Refuse = refuse
	o.registerResources(router)
	dig := "/v2/" + digs + "/{deploymentIntentGroup}/"
	router.Handle(http.MethodPost, dig+"approve", o.approve)
	router.Handle(http.MethodPost, dig+"instantiate", hasty.Wrap(lifecycle.OnceOnly(o.Bugs, o.Store, o.instantiate)))
	router.Handle(http.MethodPost, dig+"terminate", hasty.Wrap(lifecycle.OnceOnly(o.Bugs, o.Store, o.terminate)))
	router.Handle(http.MethodPost, dig+"update", hasty.Wrap(lifecycle.OnceOnly(o.Bugs, o.Store, o.update)))
	router.Handle(http.MethodPost, dig+"rollback", o.rollback)
	router.Handle(http.MethodPost, dig+"migrate", o.migrate)
	router.Handle(http.MethodPost, dig+"stop", hasty.Wrap(lifecycle.OnceOnly(o.Bugs, o.Store, o.stop)))
	router.Handle(http.MethodGet, dig+"status", o.status)
	return router
}
