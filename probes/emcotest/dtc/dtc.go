// Package dtc is EMCO's distributed traffic controller, as far as it keeps what it is given: its own controllers, and
// the intents for the traffic of a deployment intent group.
package dtc

import (
	"context"
	"encoding/json"
	"net"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// Config is what a dtc needs.
type Config struct {
	Store *docstore.Client
	Token string // demanded as bearer token if not ""
}

type intent struct {
	Metadata rest.Metadata   `json:"metadata"`
	Spec     json.RawMessage `json:"spec,omitempty"`
}

func (i intent) Key() string        { return i.Metadata.Name }
func (i intent) Problems() []string { return rest.NameProblems(i.Metadata.Name) }

const (
	groups  = "projects/{project}/composite-apps/{compositeApp}/{compositeAppVersion}/deployment-intent-groups/{group}/traffic-group-intents"
	inbound = groups + "/{groupIntent}/inbound-intents"
	clients = inbound + "/{inboundIntent}/clients"
)

// Serve answers on listener until ctx ends.
func Serve(ctx context.Context, listener net.Listener, config Config) error {
	router := rest.NewRouter(config.Token)
	for path, kind := range map[string]string{"dtc-controllers": "Controller", groups: "Intent", inbound: "Intent", clients: "Intent"} {
		rest.Collection[intent]{
			Store: config.Store, Path: path, Duplicate: kind + " already exists", Missing: kind + " not found",
		}.Register(router)
	}
	return rest.Serve(ctx, listener, router)
}
