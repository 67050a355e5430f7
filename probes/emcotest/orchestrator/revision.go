package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/appcontext"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/lifecycle"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// update works in EMCO's order: state, AppContext, rsync, state, the last in two writes. It deploys what the intents
// are now, as a new revision.
func (o *orchestrator) update(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	key, name := digOf(r)
	info, err := o.info(ctx, key)
	if err != nil {
		return rest.Failure(rest.Cause(err).Error())
	}
	if !info.Last().Runs() {
		return rest.Failure("DeploymentIntentGroup is not instantiated :" + name)
	}
	contextID, err := o.next(ctx, r, info)
	if err != nil {
		return err
	}
	revision := info.Last().Revision + 1
	if err := o.revise(ctx, key, info, contextID, revision); err != nil {
		return err
	}
	return rest.JSON(w, http.StatusAccepted, revision)
}

// next writes the AppContext of the deployment intent group that a request names, and hands it to rsync in place of
// the one of a history.
func (o *orchestrator) next(ctx context.Context, r *http.Request, from lifecycle.Info) (string, error) {
	key, _ := digOf(r)
	var group dig
	if err := o.Store.Find(ctx, key, rest.Data, &group); errors.Is(err, docstore.ErrNotFound) {
		return "", rest.NotFound("DeploymentIntentGroup not found")
	} else if err != nil {
		return "", rest.Failure(err.Error())
	}
	contextID, err := o.makeContext(ctx, r, group, o.windows.Begin(key, "update", from))
	if err != nil {
		return "", fail(err, rest.Cause(err).Error())
	}
	return contextID, nil
}

// revise has rsync put one AppContext in the place of the last one of a history, and adds both to the history.
func (o *orchestrator) revise(ctx context.Context, key string, info lifecycle.Info, contextID string, revision int) error {
	last := info.Last()
	if err := o.rsync.Update(ctx, last.Instance, contextID); err != nil {
		return rest.Failure(err.Error())
	}
	for _, action := range []lifecycle.Action{
		{State: lifecycle.Updated, Instance: last.Instance, Revision: last.Revision},
		{State: lifecycle.Instantiated, Instance: contextID, Revision: revision},
	} {
		info = info.With(action.State, action.Instance, action.Revision)
		if err := o.Store.Insert(ctx, key, "", rest.State, info); err != nil {
			return rest.Failure(rest.Cause(err).Error())
		}
	}
	return nil
}

// rollback asks for no state: not even a terminated deployment intent group is refused, and rsync then does nothing.
func (o *orchestrator) rollback(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	key, _ := digOf(r)
	var body rollbackBody
	if err := rest.Read(r, &body); err != nil {
		return err
	}
	info, err := o.info(ctx, key)
	if err != nil {
		return rest.Failure(rest.Cause(err).Error())
	}
	revision, err := strconv.Atoi(body.Spec.Revision)
	if err != nil {
		return rest.Failure(fmt.Sprintf("strconv.ParseInt: parsing %q: invalid syntax", body.Spec.Revision))
	}
	to, known := info.Revision(revision)
	if !known {
		return rest.Failure("No matching ContextId found")
	}
	if err := o.revise(ctx, key, info, to.Instance, info.Last().Revision+1); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

type rollbackBody struct {
	Spec struct {
		Revision string `json:"revision"`
	} `json:"spec"`
}

func (b *rollbackBody) Problems() []string { return rest.NameProblems(b.Spec.Revision) }

// migrate puts another deployment intent group, which must be Approved, in the place of one that is instantiated.
func (o *orchestrator) migrate(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	key, name := digOf(r)
	var body migrateBody
	if err := rest.Read(r, &body); err != nil {
		return err
	}
	info, err := o.info(ctx, key)
	if err != nil {
		return rest.Failure(rest.Cause(err).Error())
	}
	last := info.Last()
	if !last.Runs() {
		return rest.Failure("DeploymentIntentGroup is not instantiated :" + name)
	}
	target := r.Clone(ctx)
	target.SetPathValue("compositeAppVersion", body.Spec.Version)
	target.SetPathValue("deploymentIntentGroup", body.Spec.Group)
	contextID, err := o.next(ctx, target, info)
	if err != nil {
		return err
	}
	targetKey, targetName := digOf(target)
	other, err := o.info(ctx, targetKey)
	if err != nil {
		return rest.Failure(rest.Cause(err).Error())
	}
	if other.Last().State != lifecycle.Approved {
		return rest.Failure("DeploymentIntentGroup is not approved :" + targetName)
	}
	if err := o.rsync.Update(ctx, last.Instance, contextID); err != nil {
		return rest.Failure(err.Error())
	}
	if err := o.Store.Insert(ctx, key, "", rest.State, info.With(lifecycle.Updated, last.Instance, 0)); err != nil {
		return rest.Failure(rest.Cause(err).Error())
	}
	other = other.With(lifecycle.Instantiated, contextID, 0)
	other.StatusContextID = info.StatusContextID
	if err := o.Store.Insert(ctx, targetKey, "", rest.State, other); err != nil {
		return rest.Failure(rest.Cause(err).Error())
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

type migrateBody struct {
	Spec struct {
		Version string `json:"targetCompositeAppVersion"`
		Group   string `json:"targetDeploymentIntentGroup"`
	} `json:"spec"`
}

func (b *migrateBody) Problems() []string { return rest.NameProblems(b.Spec.Version, b.Spec.Group) }

// stop has rsync give up what is under way.
func (o *orchestrator) stop(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	key, name := digOf(r)
	info, err := o.info(ctx, key)
	if err != nil {
		return rest.Failure("DeploymentIntentGroup has no state info: " + name + ": " + err.Error())
	}
	last := info.Last()
	stopped, stops := last.Stopped()
	var state appcontext.State
	if stops {
		if state, err = o.contexts.StateOf(ctx, last.Instance); err != nil {
			return rest.Failure(err.Error())
		}
	}
	if state != appcontext.Instantiating && state != appcontext.Terminating {
		return rest.Failure("DeploymentIntentGroup is not instantiating or terminating:" + name)
	}
	if err := o.contexts.SetStop(ctx, last.Instance, true); err != nil {
		return rest.Failure(err.Error())
	}
	if err := o.Store.Insert(ctx, key, "", rest.State, info.With(stopped, last.Instance, 0)); err != nil {
		return rest.Failure("Error updating the stateInfo of the DeploymentIntentGroup: " + name + ": db Insert error: " + err.Error())
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}
