// Package clm is EMCO's cluster manager: cluster providers, clusters and their labels.
package clm

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// The paths of the collections, below /v2/.
const (
	providers = "cluster-providers"
	clusters  = providers + "/{provider}/clusters"
	labels    = clusters + "/{cluster}/labels"
)

// Config is what a clm needs.
type Config struct {
	Store *docstore.Client
	Token string // demanded as bearer token if not ""
}

type provider struct {
	Metadata rest.Metadata `json:"metadata"`
}

func (p provider) Key() string        { return p.Metadata.Name }
func (p provider) Problems() []string { return rest.NameProblems(p.Metadata.Name) }

type cluster struct {
	Metadata rest.Metadata `json:"metadata"`
	Spec     struct {
		GitOps struct {
			Type      string `json:"gitOpsType"`
			Reference string `json:"gitOpsReferenceObject"`
			Resource  string `json:"gitOpsResourceObject"`
		} `json:"gitOps"`
	} `json:"spec"`
}

func (c cluster) Key() string        { return c.Metadata.Name }
func (c cluster) Problems() []string { return rest.NameProblems(c.Metadata.Name) }

type label struct {
	Label string `json:"clusterLabel"`
}

func (l label) Key() string        { return l.Label }
func (l label) Problems() []string { return rest.NameProblems(l.Label) }

// Serve answers on listener until ctx ends.
func Serve(ctx context.Context, listener net.Listener, config Config) error {
	router := rest.NewRouter(config.Token)
	rest.Collection[provider]{
		Store: config.Store, Path: providers, Item: "{provider}", NoneJSON: "[]",
		Duplicate: "ClusterProvider already exists", Missing: "Cluster provider not found",
	}.Register(router)
	all := rest.Collection[cluster]{
		Store: config.Store, Path: clusters, Item: "{cluster}", NoneJSON: "[]", Plain: true,
		Duplicate: "Cluster already exists", Missing: "Cluster not found",
		File: func([]byte) error { return nil }, // EMCO does not look into a kubeconfig
	}
	all.List = func(w http.ResponseWriter, r *http.Request) error { return list(w, r, config.Store) }
	all.Register(router)
	rest.Collection[label]{
		Store: config.Store, Path: labels, Item: "{label}", NoneJSON: "[]",
		Duplicate: "Cluster Label already exists", Missing: "Cluster label not found",
	}.Register(router)
	return rest.Serve(ctx, listener, router)
}

// list answers the clusters of a provider, or, asked for a label, the names of those that have it.
func list(w http.ResponseWriter, r *http.Request, store *docstore.Client) error {
	ctx := r.Context()
	parent := providers + "/" + r.PathValue("provider")
	if _, err := rest.Find[provider](ctx, store, parent, "Cluster provider not found"); err != nil {
		return err
	}
	prefix := parent + "/clusters/"
	wanted := r.URL.Query().Get("label")
	if wanted == "" {
		found, err := store.List(ctx, prefix, 1, rest.Data)
		if err != nil {
			return rest.FindError(err)
		}
		all := make([]json.RawMessage, len(found))
		for i, one := range found {
			all[i] = one.Value
		}
		return rest.JSON(w, http.StatusOK, all)
	}
	found, err := store.List(ctx, prefix, 3, rest.Data)
	if err != nil {
		return rest.FindError(err)
	}
	names := []string{}
	for _, one := range found {
		if name, label, labelled := strings.Cut(strings.TrimPrefix(one.Key, prefix), "/labels/"); labelled && label == wanted {
			names = append(names, name)
		}
	}
	return rest.JSON(w, http.StatusOK, names)
}
