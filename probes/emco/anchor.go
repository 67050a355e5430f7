package emco

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// anchorBytes bounds an anchor; EMCO's own are far shorter.
const anchorBytes = 2048

// roots are the first pieces that an anchor can have.
var roots = []string{"projects", "cluster-providers", "controllers", "clm-controllers", "dtc-controllers"}

var pieceText = regexp.MustCompile(`^[-A-Za-z0-9_.:+]+$`)

// CheckAnchor refuses a text that is not an anchor: a path below /v2/ without
// anything that could lead elsewhere. Errors are [document.Problem]s.
func CheckAnchor(anchor string) error {
	wrong := func(problem string) error {
		return document.Problem{Field: "anchor", Message: problem,
			Remedy: "write the path below /v2/, such as projects/PROJECT/logical-clouds"}
	}
	pieces := strings.Split(anchor, "/")
	switch {
	case anchor == "":
		return wrong("is empty")
	case len(anchor) > anchorBytes:
		return wrong(fmt.Sprintf("is longer than %d bytes", anchorBytes))
	}
	for _, piece := range pieces {
		switch {
		case piece == "":
			return wrong(fmt.Sprintf("%q has an empty piece between two slashes, or at an end", document.Shown(anchor)))
		case piece == "." || piece == "..":
			return wrong(fmt.Sprintf("%q has a piece that leads elsewhere", document.Shown(anchor)))
		case !pieceText.MatchString(piece):
			return wrong(fmt.Sprintf("%q has the piece %q, which cannot stand in a path of EMCO's", document.Shown(anchor), document.Shown(piece)))
		}
	}
	if !slices.Contains(roots, pieces[0]) {
		return wrong(fmt.Sprintf("%q begins with %q; EMCO's paths begin with one of %s",
			document.Shown(anchor), document.Shown(pieces[0]), strings.Join(roots, ", ")))
	}
	return nil
}

// shapes are the anchors of an attempt's resources, children first, by their
// words in a template. A name of [nameFields] stands as [os.Expand] has it.
var shapes = []struct{ word, shape string }{
	{"{intent}", group + "/intents/${intent}"},
	{"{placement}", group + "/generic-placement-intents/${generic-placement-intent}"},
	{"{dig}", group},
	{"{compositeProfile}", compositeApp + "/composite-profiles/${composite-profile}"},
	{"{compositeApp}", compositeApp},
	{"{reference}", logicalCloud + "/cluster-references/${cluster-reference}"},
	{"{logicalCloud}", logicalCloud},
	{"{project}", "projects/${project}"},
	{"{label}", cluster + "/labels/${cluster-label}"},
	{"{cluster}", cluster},
	{"{provider}", "cluster-providers/${cluster-provider}"},
}

const (
	compositeApp = "projects/${project}/composite-apps/${composite-app}/${composite-app-version}"
	group        = compositeApp + "/deployment-intent-groups/${dig}"
	logicalCloud = "projects/${project}/logical-clouds/${logical-cloud}"
	cluster      = "cluster-providers/${cluster-provider}/clusters/${cluster}"
)

// Anchor replaces the words in braces of a template by anchors of the
// attempt's resources: {project}, {provider}, {cluster}, {label},
// {logicalCloud}, {reference}, {compositeApp}, {compositeProfile}, {dig},
// {placement}, {intent}.
func (n Names) Anchor(template string) string { return expand(template, n.name) }

func expand(template string, name func(field string) string) string {
	for _, s := range shapes {
		if strings.Contains(template, s.word) {
			template = strings.ReplaceAll(template, s.word, os.Expand(s.shape, name))
		}
	}
	return template
}

// ParseAnchor reads the names in the anchor of a resource, or of what lies below
// it, such as its status. Errors are [document.Problem]s.
func ParseAnchor(anchor string) (Chosen, error) {
	if err := CheckAnchor(anchor); err != nil {
		return Chosen{}, err
	}
	pieces := strings.Split(anchor, "/")
	for _, s := range shapes {
		shape := strings.Split(s.shape, "/")
		var found Chosen
		fits := len(shape) <= len(pieces)
		for i := 0; fits && i < len(shape); i++ {
			if strings.HasPrefix(shape[i], "$") {
				*fieldNamed(strings.Trim(shape[i], "${}")).value(&found) = pieces[i]
			} else {
				fits = shape[i] == pieces[i]
			}
		}
		if fits {
			return found, nil
		}
	}
	return Chosen{}, document.Problem{Field: "anchor", Message: fmt.Sprintf("%q leads to no resource that is known", document.Shown(anchor)),
		Remedy: "give the anchor of a project, a logical cloud, a deployment intent group, a cluster or another resource, with its name"}
}
