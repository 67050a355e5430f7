package emco

import (
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
	return list
}

// Optional reports whether an EMCO may answer that it has no such collection.
func Optional(collection string) bool {
	return slices.Contains([]string{"cluster-quotas", "user-permissions", "kv-pairs", "dependency", "cluster-sync-objects"}, path.Base(collection))
}
