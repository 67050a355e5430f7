package emco

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Chosen are names of resources that somebody chose, in place of those that
// a run gives. An empty field leaves the run's name.
type Chosen struct {
	Project             string
	Provider            string
	Cluster             string
	Label               string
	LogicalCloud        string
	Reference           string
	CompositeApp        string
	CompositeAppVersion string
	CompositeProfile    string
	DIG                 string
	Placement           string
	Intent              string
}

// namePattern is EMCO's own for names of resources.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,126}[A-Za-z0-9])?$`)

// chosenField is one field of a Chosen, by the name that users know.
type chosenField struct {
	name  string
	value func(*Chosen) *string
}

var chosenFields = []chosenField{
	{"project", func(c *Chosen) *string { return &c.Project }},
	{"cluster-provider", func(c *Chosen) *string { return &c.Provider }},
	{"cluster", func(c *Chosen) *string { return &c.Cluster }},
	{"cluster-label", func(c *Chosen) *string { return &c.Label }},
	{"logical-cloud", func(c *Chosen) *string { return &c.LogicalCloud }},
	{"cluster-reference", func(c *Chosen) *string { return &c.Reference }},
	{"composite-app", func(c *Chosen) *string { return &c.CompositeApp }},
	{"composite-app-version", func(c *Chosen) *string { return &c.CompositeAppVersion }},
	{"composite-profile", func(c *Chosen) *string { return &c.CompositeProfile }},
	{"dig", func(c *Chosen) *string { return &c.DIG }},
	{"generic-placement-intent", func(c *Chosen) *string { return &c.Placement }},
	{"intent", func(c *Chosen) *string { return &c.Intent }},
}

// needed says which of the names a word of an anchor's template rests on.
var needed = map[string][]string{
	"{project}":          {"project"},
	"{provider}":         {"cluster-provider"},
	"{cluster}":          {"cluster-provider", "cluster"},
	"{label}":            {"cluster-provider", "cluster", "cluster-label"},
	"{logicalCloud}":     {"project", "logical-cloud"},
	"{reference}":        {"project", "logical-cloud", "cluster-reference"},
	"{compositeApp}":     {"project", "composite-app", "composite-app-version"},
	"{compositeProfile}": {"project", "composite-app", "composite-app-version", "composite-profile"},
	"{dig}":              {"project", "composite-app", "composite-app-version", "dig"},
	"{placement}":        {"project", "composite-app", "composite-app-version", "dig", "generic-placement-intent"},
	"{intent}":           {"project", "composite-app", "composite-app-version", "dig", "intent"},
}

// Fields gives each field of c by its name, such as "composite-app", in the
// order of the resources' making.
func (c *Chosen) Fields(each func(name string, value *string)) {
	for _, f := range chosenFields {
		each(f.name, f.value(c))
	}
}

// Missing lists the names that a template of [Names.Anchor] needs and that
// were not chosen.
func (c Chosen) Missing(template string) []string {
	var missing []string
	for word, names := range needed {
		if !strings.Contains(template, word) {
			continue
		}
		for _, f := range chosenFields {
			if slices.Contains(names, f.name) && *f.value(&c) == "" && !slices.Contains(missing, f.name) {
				missing = append(missing, f.name)
			}
		}
	}
	return missing
}

// Choose replaces the names that a run gives by chosen ones. What is made
// under them does not carry the run's mark, so that no run takes it for its
// own. Errors are [document.Problem]s.
func (n Names) Choose(chosen Chosen) (Names, error) {
	for _, f := range chosenFields {
		if name := *f.value(&chosen); name != "" && !namePattern.MatchString(name) {
			return Names{}, document.Problem{Field: f.name, Message: fmt.Sprintf("%q cannot name a resource of EMCO's", document.Shown(name)),
				Remedy: "use letters, digits, hyphens, underscores and dots, with a letter or digit at both ends"}
		}
	}
	n.chosen = chosen
	return n, nil
}

// Chose says whether all names that a template of [Names.Anchor] needs were
// chosen.
func (n Names) Chose(template string) bool { return len(n.chosen.Missing(template)) == 0 }

// userData is what goes into userData1 of what is made.
func (n Names) userData() string {
	if n.chosen != (Chosen{}) {
		return ""
	}
	return n.Mark()
}
