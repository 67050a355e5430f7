package emco

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"path"
	"slices"
)

// collections are those below the resources of EMCO's, by the pattern of the
// resource's anchor.
var collections = map[string][]string{
	"projects/*":                                               {"logical-clouds", "composite-apps"},
	"projects/*/logical-clouds/*":                              {"cluster-references", "cluster-quotas", "user-permissions", "kv-pairs"},
	"projects/*/composite-apps/*/*":                            {"deployment-intent-groups", "composite-profiles", "apps"},
	"projects/*/composite-apps/*/*/apps/*":                     {"dependency"},
	"projects/*/composite-apps/*/*/composite-profiles/*":       {"profiles"},
	"projects/*/composite-apps/*/*/deployment-intent-groups/*": {"generic-placement-intents", "intents"},
	"projects/*/composite-apps/*/*/deployment-intent-groups/*/generic-placement-intents/*": {"app-intents"},
	"cluster-providers/*":            {"clusters", "cluster-sync-objects"},
	"cluster-providers/*/clusters/*": {"labels", "kv-pairs"},
}

// Collections are the anchors of the collections below a resource. EMCO refuses
// to delete it while there is something in one, and can destroy it all the same.
func Collections(anchor string) []string {
	var list []string
	for pattern, names := range collections {
		if matches, _ := path.Match(pattern, anchor); matches {
			for _, name := range names {
				list = append(list, anchor+"/"+name)
			}
		}
	}
	for _, r := range routes {
		if matches, _ := path.Match(r.below, anchor); matches && r.below == belowGroup {
			list = append(list, anchor+"/"+r.pieces[0]) // intents of other controllers
		}
	}
	return list
}

// optional reports whether an EMCO may answer that it has no such collection.
func optional(collection string) bool {
	name := path.Base(collection)
	return slices.Contains([]string{"cluster-quotas", "user-permissions", "kv-pairs", "dependency", "cluster-sync-objects"}, name) ||
		slices.ContainsFunc(routes, func(r route) bool { return r.below == belowGroup && slices.Contains(r.pieces, name) })
}

// Children reads an answer that lists a collection below a resource: an array, or an object with arrays. It is false if
// the answer is no such list, nor says that there is none.
func (a Answer) Children() (list []Found, ok bool) {
	defer func() {
		for i, child := range list {
			list[i].Anchor = path.Join(a.Request.Anchor, cmp.Or(child.Metadata.Name, child.Label), child.Spec.Version)
		}
	}()
	switch {
	case a.Missing(), a.Code == http.StatusBadRequest && a.Text() == "No Cluster References associated",
		(a.Code == http.StatusNotFound || a.Code == http.StatusMethodNotAllowed) && optional(a.Request.Anchor):
		return nil, true
	case a.Outcome.Kind != Accepted || a.Cut:
		return nil, false
	case json.Unmarshal(a.Body, &list) == nil:
		return list, true
	}
	var arrays map[string][]Found
	if json.Unmarshal(a.Body, &arrays) != nil {
		return nil, false
	}
	return slices.Concat(slices.Collect(maps.Values(arrays))...), true
}
