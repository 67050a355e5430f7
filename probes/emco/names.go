package emco

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

const maxRun, maxAttempt, maxLabel = 36, 999, 63 // a label can name a Kubernetes Service

var (
	runPattern   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,34}[a-z0-9])?$`)
	labelPattern = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
)

const markPrefix = "emco-chaos/"

// Mark is the userData1 of everything that a run makes.
func Mark(run string) string { return markPrefix + run }

// RunOf reads the name of the run out of a userData1; false if it is no mark.
func RunOf(userData1 string) (run string, ok bool) {
	run, ok = strings.CutPrefix(userData1, markPrefix)
	return run, ok && runPattern.MatchString(run)
}

// Names are the names of all resources of one attempt of one run. All lie below
// its project or its cluster provider.
type Names struct {
	run     string
	attempt int
	chosen  Chosen
	group   int // see Group; 0 is the first
}

// NewNames checks the name of a run, which goes into the names of objects on the
// edge, and the number of the attempt, from 1 to 999.
func NewNames(run string, attempt int) (Names, error) {
	if !runPattern.MatchString(run) {
		return Names{}, document.Problem{Field: "run", Message: fmt.Sprintf("%q cannot name a run", document.Shown(run)),
			Remedy: fmt.Sprintf("use lower-case letters, digits and hyphens, at most %d, with a letter or digit at both ends", maxRun)}
	}
	if attempt < 1 || attempt > maxAttempt {
		return Names{}, document.Problem{Field: "attempt", Message: fmt.Sprintf("%d cannot number an attempt", attempt),
			Remedy: fmt.Sprintf("use a number from 1 to %d", maxAttempt)}
	}
	return Names{run: run, attempt: attempt}, nil
}

// NamesOf finds the attempt that a project or a cluster provider belongs
// to, from its name and its userData1; false if it is not one of ours.
func NamesOf(name, userData1 string) (Names, bool) {
	run, ok := RunOf(userData1)
	attempt, _ := strconv.Atoi(strings.TrimPrefix(name, run+"-"))
	names, err := NewNames(run, attempt)
	return names, ok && err == nil && names.String() == name
}

// Run, Attempt and Mark are what the names were made from, and the run's mark.
func (n Names) Run() string  { return n.run }
func (n Names) Attempt() int { return n.attempt }
func (n Names) Mark() string { return Mark(n.run) }

// String is the beginning of all names of the attempt.
func (n Names) String() string { return n.run + "-" + strconv.Itoa(n.attempt) }

// name is one of the names of [nameFields]: the chosen one, or the run's.
func (n Names) name(field string) string {
	f := fieldNamed(field)
	switch chosen := *f.value(&n.chosen); {
	case chosen != "":
		return chosen
	case field == versionField:
		return "v" + strconv.Itoa(max(n.group, 1))
	}
	name := n.String() + f.suffix
	if n.group > 1 && f.grouped {
		name += "-" + strconv.Itoa(n.group)
	}
	return name
}

// Groups is how many deployment intent groups an attempt can have.
const Groups = 3

// Group gives the names of the attempt's deployment intent group of a number, from
// 1 to [Groups], and of the version of the composite app that it deploys. The groups
// share all else.
func (n Names) Group(number int) Names {
	n.group = number
	return n
}

// Groups gives the names of all groups that the attempt can have.
func (n Names) Groups() []Names { return []Names{n.Group(1), n.Group(2), n.Group(3)} }

func (n Names) userData() string {
	if n.chosen != (Chosen{}) {
		return ""
	}
	return n.Mark()
}

// Object is the name of each object on the edge that belongs to an app.
func (n Names) Object(app string) string {
	if n.group > 1 { // no app's name begins with a digit
		app = strconv.Itoa(n.group) + "-" + app
	}
	return n.String() + "-" + app
}

// CheckApp refuses an unusable name of an app: it names the folder of the chart
// and is the end of a Service's name on the edge.
func (n Names) CheckApp(app string) error {
	if !labelPattern.MatchString(app) {
		return document.Problem{Field: "apps", Message: fmt.Sprintf("%q cannot name an app", document.Shown(app)),
			Remedy: "use lower-case letters, digits and hyphens, beginning with a letter"}
	}
	if object := n.Object(app); len(object) > maxLabel {
		return document.Problem{Field: "apps", Message: fmt.Sprintf("%q is longer than the %d characters of a Service's name", object, maxLabel),
			Remedy: "use a shorter name for the app or the run"}
	}
	return nil
}

// Chosen has names of resources that replace those of a run, where not empty. In
// JSON its fields are as in a target's settings, such as clusterProvider.
type Chosen struct {
	Project, ClusterProvider, Cluster, ClusterLabel, LogicalCloud, ClusterReference string
	CompositeApp, CompositeAppVersion, CompositeProfile                             string
	DIG, GenericPlacementIntent, Intent                                             string
}

type nameField struct {
	name, suffix string
	value        func(*Chosen) *string
	grouped      bool // each deployment intent group has its own
}

// nameFields are what users call the names, in the order of the resources'
// making. What a run names ends in the suffix.
var nameFields = []nameField{
	{"project", "", func(c *Chosen) *string { return &c.Project }, false},
	{"cluster-provider", "", func(c *Chosen) *string { return &c.ClusterProvider }, false},
	{"cluster", "-edge", func(c *Chosen) *string { return &c.Cluster }, false},
	{"cluster-label", "-label", func(c *Chosen) *string { return &c.ClusterLabel }, false},
	{"logical-cloud", "-cloud", func(c *Chosen) *string { return &c.LogicalCloud }, false},
	{"cluster-reference", "-reference", func(c *Chosen) *string { return &c.ClusterReference }, false},
	{"composite-app", "-app", func(c *Chosen) *string { return &c.CompositeApp }, false},
	{versionField, "", func(c *Chosen) *string { return &c.CompositeAppVersion }, false},
	{"composite-profile", "-profile", func(c *Chosen) *string { return &c.CompositeProfile }, true},
	{"dig", "-dig", func(c *Chosen) *string { return &c.DIG }, true},
	{"generic-placement-intent", "-placement", func(c *Chosen) *string { return &c.GenericPlacementIntent }, true},
	{"intent", "-intent", func(c *Chosen) *string { return &c.Intent }, true},
}

// versionField names the version of the composite app, which no run's name is in.
const versionField = "composite-app-version"

// namePattern is EMCO's own for names of resources.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,126}[A-Za-z0-9])?$`)

// Fields gives each field by its name, such as "composite-app", in the order of
// the resources' making.
func (c *Chosen) Fields(each func(name string, value *string)) {
	for _, f := range nameFields {
		each(f.name, f.value(c))
	}
}

// Fill takes from more the names that c leaves empty. Others stay; of the first,
// if any, it returns the name, and the value in c and in more.
func (c *Chosen) Fill(more Chosen) (name, own, other string) {
	for _, f := range nameFields {
		mine, others := f.value(c), *f.value(&more)
		if *mine = cmp.Or(*mine, others); name == "" && others != "" && others != *mine {
			name, own, other = f.name, *mine, others
		}
	}
	return name, own, other
}

func fieldNamed(name string) nameField {
	return nameFields[slices.IndexFunc(nameFields, func(f nameField) bool { return f.name == name })]
}

// Missing lists the names that a template of [Names.Anchor] needs and that
// were not chosen.
func (c Chosen) Missing(template string) (missing []string) {
	expand(template, func(name string) string {
		if *fieldNamed(name).value(&c) == "" && !slices.Contains(missing, name) {
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
