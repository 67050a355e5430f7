package emco

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Chosen has names of resources that replace those of a run, where not empty.
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

type nameField struct {
	name, suffix string
	value        func(*Chosen) *string
}

// nameFields are what users call the names, in the order of the resources'
// making. What a run names ends in the suffix.
var nameFields = []nameField{
	{"project", "", func(c *Chosen) *string { return &c.Project }},
	{"cluster-provider", "", func(c *Chosen) *string { return &c.Provider }},
	{"cluster", "-edge", func(c *Chosen) *string { return &c.Cluster }},
	{"cluster-label", "-label", func(c *Chosen) *string { return &c.Label }},
	{"logical-cloud", "-cloud", func(c *Chosen) *string { return &c.LogicalCloud }},
	{"cluster-reference", "-reference", func(c *Chosen) *string { return &c.Reference }},
	{"composite-app", "-app", func(c *Chosen) *string { return &c.CompositeApp }},
	{versionField, "", func(c *Chosen) *string { return &c.CompositeAppVersion }},
	{"composite-profile", "-profile", func(c *Chosen) *string { return &c.CompositeProfile }},
	{"dig", "-dig", func(c *Chosen) *string { return &c.DIG }},
	{"generic-placement-intent", "-placement", func(c *Chosen) *string { return &c.Placement }},
	{"intent", "-intent", func(c *Chosen) *string { return &c.Intent }},
}

// A composite app has a version; each that a run makes has the same.
const (
	versionField = "composite-app-version"
	version      = "v1"
)

// namePattern is EMCO's own for names of resources.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,126}[A-Za-z0-9])?$`)

// Fields gives each field by its name, such as "composite-app", in the order of
// the resources' making.
func (c *Chosen) Fields(each func(name string, value *string)) {
	for _, f := range nameFields {
		each(f.name, f.value(c))
	}
}

// Fill takes from more the names that c leaves empty. Others go to differs, with
// their value in c and in more, and stay.
func (c *Chosen) Fill(more Chosen, differs func(name, own, other string)) {
	for _, f := range nameFields {
		own, other := f.value(c), *f.value(&more)
		switch {
		case *own == "":
			*own = other
		case other != "" && other != *own:
			differs(f.name, *own, other)
		}
	}
}

// field finds a field by its name.
func (c *Chosen) field(name string) *string {
	i := slices.IndexFunc(nameFields, func(f nameField) bool { return f.name == name })
	return nameFields[i].value(c)
}

// Missing lists the names that a template of [Names.Anchor] needs and that
// were not chosen.
func (c Chosen) Missing(template string) (missing []string) {
	expand(template, func(name string) string {
		if *c.field(name) == "" && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
		return ""
	})
	return missing
}

// Choose replaces names of a run. What is made under them does not carry the
// run's mark, so that no run takes it for its own. Errors are [document.Problem]s.
func (n Names) Choose(chosen Chosen) (Names, error) {
	for _, f := range nameFields {
		if name := *f.value(&chosen); name != "" && !namePattern.MatchString(name) {
			return Names{}, document.Problem{Field: f.name, Message: fmt.Sprintf("%q cannot name a resource of EMCO's", document.Shown(name)),
				Remedy: "use letters, digits, hyphens, underscores and dots, with a letter or digit at both ends"}
		}
	}
	n.chosen = chosen
	return n, nil
}

// Chose reports whether all names that a template needs were chosen.
func (n Names) Chose(template string) bool { return len(n.chosen.Missing(template)) == 0 }
