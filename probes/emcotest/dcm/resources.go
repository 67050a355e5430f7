package dcm

import (
	"context"
	"net/http"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/appcontext"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/lifecycle"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

type logicalCloud struct {
	Metadata rest.Metadata `json:"metadata"`
	Spec     struct {
		Namespace string            `json:"namespace"`
		Labels    map[string]string `json:"labels"`
		Level     string            `json:"level"`
		User      struct {
			Name string `json:"userName"`
			Type string `json:"type"`
		} `json:"user"`
	} `json:"spec"`
}

func (l logicalCloud) Key() string        { return l.Metadata.Name }
func (l logicalCloud) Problems() []string { return rest.NameProblems(l.Metadata.Name) }

type reference struct {
	Metadata rest.Metadata `json:"metadata"`
	Spec     struct {
		Provider       string `json:"clusterProvider"`
		Cluster        string `json:"cluster"`
		LoadBalancerIP string `json:"loadBalancerIP"`
		Certificate    string `json:"certificate"`
	} `json:"spec"`
}

func (r reference) Key() string        { return r.Metadata.Name }
func (r reference) Problems() []string { return rest.NameProblems(r.Metadata.Name) }

// registerResources adds logical clouds and their references.
func (d *dcm) registerResources(router *rest.Router) {
	rest.Collection[logicalCloud]{
		Store: d.Store, Path: clouds, Item: "{logicalCloud}", EmptyBody: "EOF",
		Duplicate: "Logical Cloud already exists", Missing: errMissing.Text,
		Before: func(ctx context.Context, r *http.Request) error {
			_, err := rest.Find[any](ctx, d.Store, "projects/"+r.PathValue("project"), "Project not found")
			return err
		},
		Prepare: func(_ context.Context, _ *http.Request, cloud *logicalCloud) error {
			if cloud.Spec.Level == "" {
				cloud.Spec.Level = "1"
			}
			return nil
		},
		Created: func(ctx context.Context, key string) error {
			return d.Store.Insert(ctx, key, "", rest.State, lifecycle.Info{}.With(lifecycle.Created, "", 0))
		},
		Remove: d.removeCloud,
	}.Register(router)
	rest.Collection[reference]{
		Store: d.Store, Path: references, Item: "{reference}",
		Duplicate: "Cluster reference already exists", Missing: "Cluster reference not found",
		Before: func(ctx context.Context, r *http.Request) error {
			_, err := rest.Find[logicalCloud](ctx, d.Store, cloudOf(r), errMissing.Text)
			return err
		},
		Prepare: func(ctx context.Context, r *http.Request, _ *reference) error {
			state, err := d.stateOf(ctx, cloudOf(r))
			if err == nil && state != "" && state != appcontext.Terminated {
				err = rest.Conflict("Cluster References cannot be added/removed unless the Logical Cloud is not instantiated")
			}
			return err
		},
		Remove: d.removeReference,
		List: func(w http.ResponseWriter, r *http.Request) error {
			found, err := d.references(r.Context(), cloudOf(r))
			if err != nil {
				return err
			}
			return rest.JSON(w, http.StatusOK, found)
		},
	}.Register(router)
}

// cloudOf is the key of the logical cloud that a request is about.
func cloudOf(r *http.Request) string {
	return rest.Expand(clouds, r) + "/" + r.PathValue("logicalCloud")
}

// references returns the references of a logical cloud, of which there must be one.
func (d *dcm) references(ctx context.Context, cloud string) ([]reference, error) {
	found, err := rest.FindAll[reference](ctx, d.Store, cloud+"/cluster-references/", 1)
	if err == nil && len(found) == 0 {
		err = rest.BadRequest("No Cluster References associated")
	}
	return found, err
}

// removeCloud deletes a logical cloud and its AppContexts, if it is not in use.
func (d *dcm) removeCloud(ctx context.Context, key string) error {
	info, err := d.info(ctx, key, errMissing)
	if err != nil {
		return err
	}
	state, err := d.stateOf(ctx, key)
	if err != nil {
		return err
	}
	switch state {
	case appcontext.Terminating:
		return rest.Conflict("The Logical Cloud can't be deleted yet, it is being terminated")
	case appcontext.Instantiated:
		return rest.Conflict("The Logical Cloud is instantiated, please terminate first")
	case appcontext.Instantiating, appcontext.Created:
		return rest.Conflict("The Logical Cloud is instantiating, please wait and then terminate")
	case appcontext.InstantiateFailed:
		return rest.Conflict("The Logical Cloud has failed instantiating, for safety please terminate and try again")
	}
	// EMCO deletes the AppContexts first: a DELETE that references refuse destroys what it was sent to all the same.
	for _, action := range info.Actions {
		if action.Instance != "" {
			if err := d.contexts.Delete(ctx, action.Instance); err != nil {
				return rest.Failure(rest.InternalError)
			}
		}
	}
	return d.Store.Remove(ctx, key)
}

// removeReference deletes a reference of a logical cloud that is not in use.
func (d *dcm) removeReference(ctx context.Context, key string) error {
	cloud, _, _ := strings.Cut(key, "/cluster-references/")
	state, err := d.stateOf(ctx, cloud)
	if err != nil {
		return err
	}
	switch state {
	case appcontext.Terminating:
		return rest.Conflict("Can't remove Cluster Reference: the Logical Cloud is being terminated")
	case appcontext.Instantiated:
		return rest.Conflict("Can't remove Cluster Reference: the Logical Cloud is instantiated, please terminate first")
	case appcontext.Instantiating, appcontext.Created:
		return rest.Conflict("Can't remove Cluster Reference: the Logical Cloud is instantiating, please wait and then terminate.")
	case appcontext.InstantiateFailed:
		return rest.Conflict("Can't remove Cluster Reference: the Logical Cloud has failed instantiating, for safety please terminate and try again")
	}
	return d.Store.Remove(ctx, key)
}
