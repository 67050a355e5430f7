package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/appcontext"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/lifecycle"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// dbFind words a failure of the store as EMCO's own layer above it does.
func dbFind(err error) error { return fmt.Errorf("db Find error: %w", err) }

// fail words a failure inside an operation: a problem as it is, anything else by a text of 500.
func fail(err error, text string) error {
	var known *rest.Problem
	if errors.As(err, &known) {
		return known
	}
	return rest.Failure(text)
}

// info reads a deployment intent group's history.
func (o *orchestrator) info(ctx context.Context, key string) (lifecycle.Info, error) {
	var info lifecycle.Info
	err := o.Store.Find(ctx, key, rest.State, &info)
	switch {
	case errors.Is(err, docstore.ErrNotFound):
		return info, errNoInfo
	case err != nil:
		return info, dbFind(err)
	}
	return info, nil
}

var errNoInfo = errors.New("DeploymentIntentGroup StateInfo not found")

func digOf(r *http.Request) (key, name string) {
	name = r.PathValue("deploymentIntentGroup")
	return rest.Expand(digs, r) + "/" + name, name
}

func (o *orchestrator) approve(w http.ResponseWriter, r *http.Request) error {
	key, name := digOf(r)
	info, err := o.info(r.Context(), key)
	if err != nil {
		return rest.Failure("DeploymentIntentGroup has no state info: " + name + ": " + err.Error())
	}
	switch info.Last().State {
	case lifecycle.Instantiated:
		return rest.Failure("DeploymentIntentGroup has already been instantiated" + name)
	case lifecycle.Approved:
	default:
		if err := o.Store.Insert(r.Context(), key, "", rest.State, info.With(lifecycle.Approved, "", 0)); err != nil {
			return rest.Failure("Error updating the stateInfo of the DeploymentIntentGroup: " + name + ": db Insert error: " + err.Error())
		}
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// instantiate works in EMCO's order: state, AppContext, rsync, state. Whatever kills it in between leaves what it has
// done, and nothing takes it up again.
func (o *orchestrator) instantiate(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	key, name := digOf(r)
	var group dig
	err := o.Store.Find(ctx, key, rest.Data, &group)
	switch {
	case errors.Is(err, docstore.ErrNotFound):
		return rest.NotFound("DeploymentIntentGroup not found")
	case err != nil:
		return rest.Failure(err.Error())
	}
	info, err := o.info(ctx, key)
	if err != nil {
		return rest.Failure(rest.Cause(err).Error())
	}
	switch info.Last().State {
	case lifecycle.Created:
		return rest.Failure("DeploymentIntentGroup must be Approved before instantiating" + name)
	case lifecycle.Instantiated:
		return rest.Failure("DeploymentIntentGroup has already been instantiated" + name)
	case lifecycle.InstantiateStopped:
		return rest.Failure("DeploymentIntentGroup has already been instantiated and stopped" + name)
	case lifecycle.Updated:
		return rest.Failure("DeploymentIntentGroup is in an unknown state" + lifecycle.Updated)
	}
	passage := o.windows.Begin(key, "instantiate", info)
	defer passage.End(ctx)
	contextID, err := o.makeContext(ctx, r, group, passage)
	if err != nil {
		return fail(err, rest.Cause(err).Error())
	}
	if err := passage.Send(ctx, contextID); err != nil {
		_ = o.contexts.Delete(ctx, contextID)
		return rest.Failure(err.Error())
	}
	info = info.With(lifecycle.Instantiated, contextID, 1)
	info.StatusContextID = contextID
	if err := o.Store.Insert(ctx, key, "", rest.State, info); err != nil {
		return rest.Failure(rest.Cause(err).Error())
	}
	passage.At(ctx, bug.Written, contextID)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// makeContext resolves the apps of a deployment intent group and writes its AppContext.
func (o *orchestrator) makeContext(ctx context.Context, r *http.Request, group dig, passage *lifecycle.Passage) (string, error) {
	offered, err := o.logicalCloud(ctx, r.PathValue("project"), group.Spec.LogicalCloud)
	if err != nil {
		return "", err
	}
	where, err := o.placements(ctx, r)
	if err != nil {
		return "", err
	}
	wanted, err := rest.FindAll[plain](ctx, o.Store, rest.Expand(apps, r)+"/", 1)
	if err != nil {
		return "", err
	}
	contextID := appcontext.NewID()
	const namespace = "default" // of every logical cloud of level 0
	err = o.contexts.Begin(ctx, contextID, appcontext.Meta{
		Project: r.PathValue("project"), CompositeApp: r.PathValue("compositeApp"), Version: r.PathValue("compositeAppVersion"),
		Release: group.Spec.Version, DeploymentIntentGroup: group.Metadata.Name, Namespace: namespace, Level: "0",
	})
	if err != nil {
		return "", err
	}
	var order []string
	for _, app := range wanted {
		order = append(order, app.Metadata.Name)
		if err := o.addApp(ctx, r, group, contextID, app.Metadata.Name, namespace, where, offered); err != nil {
			if !errors.Is(err, errMandatory) { // which leaves the AppContext behind, in EMCO too
				err = errors.Join(err, o.contexts.Delete(ctx, contextID))
			}
			return "", err
		}
		passage.At(ctx, bug.FirstApp, contextID)
	}
	return contextID, o.contexts.AddOrder(ctx, contextID, order)
}

// addApp adds one app, in many small writes that together take the time of one app.
func (o *orchestrator) addApp(ctx context.Context, r *http.Request, group dig, contextID, app, namespace string, where []appIntent, offered []reference) error {
	manifests, err := o.manifests(ctx, r, group, app, namespace)
	if err != nil {
		return err
	}
	var placed placement
	if at := slices.IndexFunc(where, func(a appIntent) bool { return a.Spec.App == app }); at >= 0 {
		placed = where[at].Spec.Intent
	}
	clusters, err := o.clusters(ctx, placed, offered)
	if err != nil {
		return err
	}
	writes := []func() error{func() error { return o.contexts.AddApp(ctx, contextID, app) }}
	for _, cluster := range clusters {
		writes = append(writes, func() error { return o.contexts.AddCluster(ctx, contextID, app, cluster) })
		for i, manifest := range manifests {
			writes = append(writes, func() error {
				return o.contexts.AddResource(ctx, contextID, app, cluster, appcontext.Resource{
					Name: manifest.Name + "+" + manifest.Kind, Manifest: manifest.YAML, Order: i,
				})
			})
		}
	}
	for _, write := range writes {
		if err := pause(ctx, o.AppTime/time.Duration(len(writes))); err != nil {
			return err
		}
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

// placements returns the app intents of a deployment intent group.
func (o *orchestrator) placements(ctx context.Context, r *http.Request) ([]appIntent, error) {
	all, err := rest.FindAll[intent](ctx, o.Store, rest.Expand(intents, r)+"/", 1)
	if err != nil {
		return nil, err
	}
	for _, each := range all {
		if name := each.Spec.Intent["genericPlacementIntent"]; name != "" {
			key := rest.Expand(placements, r) + "/" + name
			if _, err := rest.Find[plain](ctx, o.Store, key, "GenericPlacementIntent not found"); err != nil {
				return nil, err
			}
			return rest.FindAll[appIntent](ctx, o.Store, key+"/app-intents/", 1)
		}
	}
	return nil, rest.NotFound("Intent not found")
}

// reference is a logical cloud's reference to a cluster, which dcm keeps.
type reference struct {
	Spec struct {
		Provider string `json:"clusterProvider"`
		Cluster  string `json:"cluster"`
	} `json:"spec"`
}

// logicalCloud returns the clusters of a logical cloud that is Instantiated.
func (o *orchestrator) logicalCloud(ctx context.Context, project, name string) ([]reference, error) {
	key := "projects/" + project + "/logical-clouds/" + name
	var info lifecycle.Info
	err := o.Store.Find(ctx, key, rest.State, &info)
	switch {
	case errors.Is(err, docstore.ErrNotFound):
		return nil, rest.BadRequest("Failed to obtain Logical Cloud specified")
	case err != nil:
		return nil, dbFind(err)
	case info.Last().Instance == "":
		return nil, rest.Failure("The Logical Cloud has never been instantiated")
	}
	state, err := o.contexts.StateOf(ctx, info.Last().Instance)
	if err != nil {
		return nil, err
	}
	switch state {
	case appcontext.Instantiated:
		return rest.FindAll[reference](ctx, o.Store, key+"/cluster-references/", 1)
	case appcontext.Terminated:
		return nil, rest.Failure("The Logical Cloud is not currently instantiated (has been terminated).")
	case appcontext.Instantiating:
		return nil, rest.Failure("The Logical Cloud is still instantiating, please wait and try again.")
	case appcontext.Terminating:
		return nil, rest.Failure("The Logical Cloud is terminating, so it can no longer receive DIGs.")
	case appcontext.InstantiateFailed:
		return nil, rest.Failure("The Logical Cloud has failed instanting, so it can't receive DIGs.")
	case appcontext.TerminateFailed:
		return nil, rest.Failure("The Logical Cloud has failed terminating, so for safety it can no longer receive DIGs.")
	default:
		return nil, rest.Failure("The Logical Cloud isn't in an expected status so not taking any action.")
	}
}

// terminate works in EMCO's order: state, rsync, state.
func (o *orchestrator) terminate(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	key, name := digOf(r)
	info, err := o.info(ctx, key)
	if err != nil {
		return rest.Failure("DeploymentIntentGroup has no state info: " + name + ": " + err.Error())
	}
	last := info.Last()
	if !last.Runs() {
		return rest.Failure("DeploymentIntentGroup is not instantiated :" + name)
	}
	deployed, err := o.contexts.Load(ctx, last.Instance)
	if err != nil {
		return rest.Failure("Error getting AppContext with Id: " + last.Instance + ": " + err.Error())
	}
	passage := o.windows.Begin(key, "terminate", info)
	defer passage.End(ctx)
	for range deployed.Apps {
		if err := pause(ctx, o.AppTime/5); err != nil {
			return err
		}
	}
	if last.State == lifecycle.InstantiateStopped {
		if err := o.contexts.SetStop(ctx, last.Instance, false); err != nil {
			return rest.Failure(err.Error())
		}
	}
	if err := passage.Send(ctx, last.Instance); err != nil {
		return rest.Failure(err.Error())
	}
	if err := o.Store.Insert(ctx, key, "", rest.State, info.With(lifecycle.Terminated, last.Instance, 0)); err != nil {
		return rest.Failure("Error updating the stateInfo of the DeploymentIntentGroup: " + name + ": db Insert error: " + err.Error())
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func (o *orchestrator) status(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	query, err := lifecycle.ParseQuery(r)
	if err != nil {
		return err
	}
	key, name := digOf(r)
	var group dig
	if err := o.Store.Find(ctx, key, rest.Data, &group); err != nil {
		text := "DeploymentIntentGroup not found"
		if !errors.Is(err, docstore.ErrNotFound) {
			text = dbFind(err).Error()
		}
		return rest.BadRequest("DeploymentIntentGroup not found: " + text)
	}
	info, err := o.info(ctx, key)
	if err != nil {
		return rest.BadRequest("DeploymentIntentGroup state not found: " + name + ": " + err.Error())
	}
	status := lifecycle.Status{
		Project: r.PathValue("project"), CompositeApp: r.PathValue("compositeApp"),
		CompositeAppVersion: r.PathValue("compositeAppVersion"), CompositeProfile: group.Spec.CompositeProfile,
		Name: name, States: info,
	}
	if instance := info.Last().Instance; instance != "" {
		deployed, err := o.contexts.Load(ctx, instance)
		if err != nil {
			return rest.BadRequest("AppContext for status query not found: " + err.Error())
		}
		status.Add(deployed, query)
	}
	return rest.JSON(w, http.StatusOK, status)
}

// removeDIG deletes a deployment intent group and its AppContexts, unless it is Instantiated.
func (o *orchestrator) removeDIG(ctx context.Context, key string) error {
	info, err := o.info(ctx, key)
	if errors.Is(err, errNoInfo) {
		return o.Store.Remove(ctx, key)
	}
	if err != nil {
		return err
	}
	last := info.Last()
	if last.State == lifecycle.Instantiated {
		return rest.Failure(rest.InternalError)
	}
	if _, stops := last.Stopped(); stops || last.State == lifecycle.InstantiateStopped || last.State == lifecycle.TerminateStopped {
		state, err := o.contexts.StateOf(ctx, last.Instance)
		if err == nil && !slices.Contains([]appcontext.State{appcontext.Terminated, appcontext.TerminateFailed, appcontext.InstantiateFailed}, state) {
			return nil // EMCO answers 204 here and keeps it
		}
	}
	// EMCO deletes the AppContexts first: a DELETE that children refuse destroys what it was sent to all the same.
	for _, action := range info.Actions {
		if action.Instance != "" {
			if err := o.contexts.Delete(ctx, action.Instance); err != nil {
				return rest.Failure(rest.InternalError)
			}
		}
	}
	return o.Store.Remove(ctx, key)
}

func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(length):
		return nil
	}
}
