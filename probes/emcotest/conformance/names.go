package conformance

import (
	"regexp"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// names give what the records name names of the run's own: projects and
// cluster providers, below which all else lies, and the objects on the edge.
type names struct{ set emco.Names }

// prefix begins the names of what a set of records makes.
func (n names) prefix() string { return n.set.String() + "-" }

// own is the name that stands for a recorded one.
func (n names) own(recorded string) string { return n.prefix() + recorded }

// object is what begins the names of a set's objects on the edge.
func (n names) object() string { return n.set.Object("") }

// material is the chart and the profile of an app.
func (n names) material(kind emco.Kind, app string) []byte {
	for _, resource := range n.set.Resources(emco.Material{Apps: []string{app}}) {
		if resource.Kind == kind {
			return resource.Create.File.Content
		}
	}
	return nil
}

// anchor is where a recorded path, without its query, leads in this run.
func (n names) anchor(path string) string {
	path = strings.NewReplacer("{CA}", appPath, "{DIG}", groupPath).Replace(path)
	pieces := strings.SplitN(strings.TrimPrefix(path, "/v2/"), "/", 3)
	if len(pieces) > 1 && (pieces[0] == "projects" || pieces[0] == "cluster-providers") {
		pieces[1] = n.own(pieces[1])
	}
	return strings.Join(pieces, "/")
}

// recorded puts the recorded names into an answer in place of the run's.
func (n names) recorded(text string) string {
	text = strings.ReplaceAll(text, `"userData1":"`+n.set.Mark()+`"`, `"userData1":""`)
	return regexp.MustCompile(regexp.QuoteMeta(n.set.Run())+`-[0-9]+-`).ReplaceAllString(text, "")
}

// ownName is a name that own gives; the first group is the set's.
var ownName = regexp.MustCompile(`^[^/]+/(.+-[0-9]+)-`)

// setOf tells from an anchor which set of which run it belongs to.
func setOf(anchor string) string {
	if found := ownName.FindStringSubmatch(rootOf(anchor)); found != nil {
		return found[1]
	}
	return ""
}
