package orchestrator

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/chart"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// profileValues finds the profile of an app, and in it the file of values that its manifest.yaml names.
func (o *orchestrator) profileValues(ctx context.Context, r *http.Request, group dig, app string) ([]byte, error) {
	prefix := rest.Expand(compositeProfiles, r) + "/" + group.Spec.CompositeProfile + "/profiles/"
	found, err := rest.FindAll[profile](ctx, o.Store, prefix, 1)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(found, func(p profile) bool { return p.Spec.App == app })
	if at < 0 {
		return nil, rest.Failure("AppProfileContent not found for:: " + app)
	}
	var archive []byte
	if err := o.Store.Find(ctx, prefix+found[at].Metadata.Name, rest.Content, &archive); err != nil {
		return nil, dbFind(err)
	}
	files, err := chart.Files(archive)
	if err != nil {
		return nil, rest.Failure("Unable to get the sorted templates for app: " + err.Error())
	}
	var manifest struct {
		Type struct {
			Values string `yaml:"values"`
		} `yaml:"type"`
	}
	if err := yaml.Unmarshal(files["manifest.yaml"], &manifest); err != nil {
		return nil, rest.Failure("Unable to get the sorted templates for app: " + err.Error())
	}
	return files[manifest.Type.Values], nil
}

// clusters resolves where an app is to run, as provider+cluster, and checks that the logical cloud offers it.
func (o *orchestrator) clusters(ctx context.Context, where placement, offered []reference) ([]string, error) {
	var mandatory, optional []string
	for _, each := range where.AllOf {
		for _, any := range each.AnyOf {
			found, err := o.matching(ctx, any)
			if err != nil {
				return nil, err
			}
			optional = append(optional, found...)
		}
		found, err := o.matching(ctx, each)
		if err != nil {
			return nil, err
		}
		mandatory = append(mandatory, found...)
	}
	for _, each := range where.AnyOf {
		found, err := o.matching(ctx, each)
		if err != nil {
			return nil, err
		}
		optional = append(optional, found...)
	}
	if len(mandatory)+len(optional) == 0 {
		return nil, rest.Failure("No compatible clusters have been provided to the Deployment Intent Group")
	}
	for _, wanted := range mandatory {
		if !slices.ContainsFunc(offered, func(o reference) bool { return o.Spec.Provider+"+"+o.Spec.Cluster == wanted }) {
			return nil, errMandatory
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(append(mandatory, optional...)))), nil
}

var errMandatory = rest.BadRequest("The specified Logical Cloud doesn't provide the mandatory clusters")

// matching returns the clusters that a choice names itself, or by their label. EMCO does not ask whether a cluster that
// is named exists.
func (o *orchestrator) matching(ctx context.Context, wanted choice) ([]string, error) {
	switch {
	case wanted.Cluster != "":
		return []string{wanted.Provider + "+" + wanted.Cluster}, nil
	case wanted.Label == "":
		return nil, nil
	}
	provider := "cluster-providers/" + wanted.Provider
	var there any
	err := o.Store.Find(ctx, provider, rest.Data, &there)
	switch {
	case errors.Is(err, docstore.ErrNotFound):
		return nil, rest.Failure("Cluster provider not found")
	case err != nil:
		return nil, dbFind(err)
	}
	labels, err := o.Store.List(ctx, provider+"/clusters/", 3, rest.Data)
	if err != nil {
		return nil, dbFind(err)
	}
	var found []string
	for _, label := range labels {
		path := strings.Split(strings.TrimPrefix(label.Key, provider+"/clusters/"), "/")
		if path[1] == "labels" && path[2] == wanted.Label {
			found = append(found, wanted.Provider+"+"+path[0])
		}
	}
	return found, nil
}
