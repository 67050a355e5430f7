package dcm

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/appcontext"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/lifecycle"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

var errMissing = rest.NotFound("Logical Cloud not found")

// appName is the one app in the AppContext of a logical cloud.
const appName = "logical-cloud"

// info reads a logical cloud's history, or returns missing.
func (d *dcm) info(ctx context.Context, key string, missing error) (lifecycle.Info, error) {
	var info lifecycle.Info
	err := d.Store.Find(ctx, key, rest.State, &info)
	switch {
	case errors.Is(err, docstore.ErrNotFound):
		return info, missing
	case err != nil:
		return info, rest.FindError(err)
	}
	return info, nil
}

// stateOf is how far rsync has come with a logical cloud; "" if it was never instantiated.
func (d *dcm) stateOf(ctx context.Context, key string) (appcontext.State, error) {
	info, err := d.info(ctx, key, errMissing)
	if err != nil || info.Last().Instance == "" {
		return "", err
	}
	state, err := d.contexts.StateOf(ctx, info.Last().Instance)
	if errors.Is(err, appcontext.ErrMissing) {
		return "", nil
	}
	return state, err
}

// instantiate works in EMCO's order: state, AppContext, rsync, state.
func (d *dcm) instantiate(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	key := cloudOf(r)
	if err := pause(ctx, d.Time/2); err != nil {
		return err
	}
	cloud, err := rest.Find[logicalCloud](ctx, d.Store, key, errMissing.Text)
	if err != nil {
		return err
	}
	clusters, err := d.references(ctx, key)
	if err != nil {
		return err
	}
	info, err := d.info(ctx, key, errMissing)
	if err != nil {
		return err
	}
	state, err := d.stateOf(ctx, key)
	if err != nil {
		return err
	}
	switch state {
	case appcontext.Created, appcontext.Instantiating:
		return rest.Conflict("The Logical Cloud is already instantiating")
	case appcontext.Instantiated:
		return rest.Conflict("The Logical Cloud is already instantiated")
	case appcontext.Terminating:
		return rest.Conflict("The Logical Cloud can't be re-instantiated yet, it is being terminated")
	case appcontext.InstantiateFailed:
		return rest.Conflict("The Logical Cloud has failed instantiating before, please terminate and try again")
	case appcontext.TerminateFailed:
		return rest.Conflict("The Logical Cloud has failed terminating, please delete the Logical Cloud")
	case appcontext.Terminated:
		if err := d.contexts.Delete(ctx, info.Last().Instance); err != nil {
			return err
		}
	}
	if cloud.Spec.Level != "0" {
		return rest.Conflict("Level-1 Logical Clouds require a User Permission assigned to its primary namespace")
	}
	passage := d.windows.Begin(key, "instantiate", info)
	defer passage.End(ctx)
	contextID, err := d.makeContext(ctx, r, clusters)
	if err != nil {
		return err
	}
	if err := passage.Send(ctx, contextID); err != nil {
		return err
	}
	info = info.With(lifecycle.Instantiated, contextID, info.Last().Revision+1)
	info.StatusContextID = contextID
	if err := d.Store.Insert(ctx, key, "", rest.State, info); err != nil {
		return rest.InsertError(err)
	}
	passage.At(ctx, bug.Written, contextID)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// makeContext writes the AppContext of a logical cloud of level 0, which has no resources. Each cluster must be known
// to clm, which is asked through the store.
func (d *dcm) makeContext(ctx context.Context, r *http.Request, clusters []reference) (string, error) {
	contextID := appcontext.NewID()
	writes := []func() error{
		func() error {
			return d.contexts.Begin(ctx, contextID, appcontext.Meta{
				Project: r.PathValue("project"), LogicalCloud: r.PathValue("logicalCloud"), Namespace: "default", Level: "0",
			})
		},
		func() error { return d.contexts.AddApp(ctx, contextID, appName) },
	}
	for _, each := range clusters {
		writes = append(writes, func() error {
			var there any
			key := "cluster-providers/" + each.Spec.Provider + "/clusters/" + each.Spec.Cluster
			if err := d.Store.Find(ctx, key, rest.Data, &there); err != nil {
				return err
			}
			return d.contexts.AddCluster(ctx, contextID, appName, each.Spec.Provider+"+"+each.Spec.Cluster)
		})
	}
	writes = append(writes, func() error { return d.contexts.AddOrder(ctx, contextID, []string{appName}) })
	for _, write := range writes {
		if err := pause(ctx, d.Time/time.Duration(len(writes))); err != nil {
			return "", err
		}
		if err := write(); err != nil {
			return "", err
		}
	}
	return contextID, nil
}

// terminate works in EMCO's order: state, rsync, state.
func (d *dcm) terminate(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	key := cloudOf(r)
	if err := pause(ctx, d.Time/2); err != nil {
		return err
	}
	if _, err := rest.Find[logicalCloud](ctx, d.Store, key, errMissing.Text); err != nil {
		return err
	}
	if _, err := d.references(ctx, key); err != nil {
		return err
	}
	if err := d.unused(ctx, r); err != nil {
		return err
	}
	info, err := d.info(ctx, key, errMissing)
	if err != nil {
		return err
	}
	state, err := d.stateOf(ctx, key)
	if err != nil {
		return err
	}
	switch state {
	case "": // EMCO answers 202 here and does nothing
		w.WriteHeader(http.StatusAccepted)
		return nil
	case appcontext.Terminated:
		return rest.Conflict("The Logical Cloud has already been terminated")
	case appcontext.Terminating:
		return rest.Conflict("The Logical Cloud is already being terminated")
	case appcontext.Created, appcontext.Instantiating:
		return rest.Conflict("The Logical Cloud is still instantiating")
	case appcontext.TerminateFailed:
		return rest.Conflict("The Logical Cloud has failed terminating, please delete the Logical Cloud")
	}
	if err := pause(ctx, d.Time/2); err != nil {
		return err
	}
	if info.Last().State == lifecycle.InstantiateStopped {
		if err := d.contexts.SetStop(ctx, info.Last().Instance, false); err != nil {
			return err
		}
	}
	passage := d.windows.Begin(key, "terminate", info)
	defer passage.End(ctx)
	if err := passage.Send(ctx, info.Last().Instance); err != nil {
		return err
	}
	info = info.With(lifecycle.Terminated, info.Last().Instance, info.Last().Revision+1)
	if err := d.Store.Insert(ctx, key, "", rest.State, info); err != nil {
		return rest.InsertError(err)
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// stop asks for no state of the deployment: one that is Instantiated stays so.
func (d *dcm) stop(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	key := cloudOf(r)
	if _, err := rest.Find[logicalCloud](ctx, d.Store, key, errMissing.Text); err != nil {
		return err
	}
	info, err := d.info(ctx, key, errMissing)
	if err != nil {
		return err
	}
	last := info.Last()
	stopped, stops := last.Stopped()
	if !stops {
		return rest.Failure(rest.InternalError)
	}
	if err := d.contexts.SetStop(ctx, last.Instance, true); err != nil {
		return err
	}
	if err := d.Store.Insert(ctx, key, "", rest.State, info.With(stopped, last.Instance, last.Revision+1)); err != nil {
		return rest.InsertError(err)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// unused refuses when a deployment intent group, in whatever state, names the logical cloud.
func (d *dcm) unused(ctx context.Context, r *http.Request) error {
	entries, err := d.Store.List(ctx, "projects/"+r.PathValue("project")+"/composite-apps/", 4, rest.Data)
	if err != nil {
		return rest.FindError(err)
	}
	for _, entry := range entries {
		var group struct {
			Spec struct {
				LogicalCloud string `json:"logicalCloud"`
			} `json:"spec"`
		}
		if !strings.Contains(entry.Key, "/deployment-intent-groups/") {
			continue
		}
		if err := json.Unmarshal(entry.Value, &group); err != nil {
			return err
		}
		if group.Spec.LogicalCloud == r.PathValue("logicalCloud") {
			return rest.BadRequest("Found at least one DIG associated with Logical Cloud attempted to be terminated")
		}
	}
	return nil
}

// status answers a logical cloud's status. As in EMCO an error is followed by the JSON of an empty status.
func (d *dcm) status(w http.ResponseWriter, r *http.Request) error {
	query, err := lifecycle.ParseQuery(r)
	if err != nil {
		return err
	}
	if query.Type == "" {
		query.Type = "ready"
	}
	status, err := d.statusOf(r.Context(), r, query)
	if err != nil {
		rest.Fail(w, err)
		return json.NewEncoder(w).Encode(lifecycle.Status{})
	}
	return rest.JSON(w, http.StatusOK, status)
}

func (d *dcm) statusOf(ctx context.Context, r *http.Request, query lifecycle.Query) (lifecycle.Status, error) {
	info, err := d.info(ctx, cloudOf(r), rest.BadRequest("Logical Cloud state not found"))
	if err != nil {
		return lifecycle.Status{}, err
	}
	status := lifecycle.Status{Project: r.PathValue("project"), Name: r.PathValue("logicalCloud"), States: info}
	if instance := info.Last().Instance; instance != "" {
		deployed, err := d.contexts.Load(ctx, instance)
		if err != nil {
			return lifecycle.Status{}, err
		}
		status.Add(deployed, query)
	}
	return status, nil
}

func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(length):
		return nil
	}
}
