package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/installapp"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// ErrNotRegistered says that no controller of the name rsync was created.
var ErrNotRegistered = errors.New("queryRsyncInfoInMCODB Failed - Could not get find rsync by name : rsync")

// Rsync calls the rsync that is registered as a controller.
type Rsync struct {
	Store   *docstore.Client
	Address string // where it is really reached; default is the host and port of its registration
	Client  installapp.Client
}

// Dial begins to connect to rsync, if it is registered.
func (r *Rsync) Dial(ctx context.Context) error {
	var registered struct {
		Spec struct {
			Host string `json:"host"`
			Port int    `json:"port"`
		} `json:"spec"`
	}
	err := r.Store.Find(ctx, "controllers/rsync", rest.Data, &registered)
	switch {
	case errors.Is(err, docstore.ErrNotFound):
		return ErrNotRegistered
	case err != nil:
		return fmt.Errorf("db Find error: %w", err)
	}
	address := r.Address
	if address == "" {
		address = net.JoinHostPort(registered.Spec.Host, strconv.Itoa(registered.Spec.Port))
	}
	return r.Client.Dial(address)
}

// Install asks rsync to instantiate an AppContext.
func (r *Rsync) Install(ctx context.Context, contextID string) error {
	if err := r.Dial(ctx); err != nil {
		return err
	}
	return r.Client.Install(ctx, contextID)
}

// Uninstall asks rsync to terminate an AppContext.
func (r *Rsync) Uninstall(ctx context.Context, contextID string) error {
	if err := r.Dial(ctx); err != nil {
		return err
	}
	return r.Client.Uninstall(ctx, contextID)
}

// Update asks rsync to put one AppContext in the place of another.
func (r *Rsync) Update(ctx context.Context, from, to string) error {
	if err := r.Dial(ctx); err != nil {
		return err
	}
	return r.Client.Update(ctx, from, to)
}

// Close closes the connection.
func (r *Rsync) Close() { r.Client.Close() }
