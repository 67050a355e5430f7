package main

import (
	"fmt"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/spf13/cobra"
)

// naming says which resources a probe works on: those that users name, or
// those of a run's own.
type naming struct {
	chosen  emco.Chosen
	anchor  string
	files   emcoctl.Sources
	run     string
	attempt int
}

// flags adds the flags that the command does not have for something else.
func (n *naming) flags(command *cobra.Command) {
	flags := command.Flags()
	n.chosen.Fields(func(name string, value *string) {
		usage := "the `NAME` of the " + strings.ReplaceAll(name, "-", " ")
		if name == "dig" {
			usage = "the `NAME` of the deployment intent group"
		}
		if name == versionName {
			usage += "; v1 if there is a composite app"
		}
		flags.StringVar(value, name, "", usage)
	})
	if flags.Lookup("anchor") == nil {
		flags.StringVar(&n.anchor, "anchor", "", "the `PATH` of a resource below /v2/, in place of its names")
	}
	flags.StringSliceVarP(&n.files.Files, "file", "f", nil, "the resource `FILE` of emcoctl's that the names are taken from")
	flags.StringSliceVarP(&n.files.Values, "values", "v", nil, "the values `FILE` that the resource files are filled with")
	n.runFlags(command)
}

func (n *naming) runFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&n.run, "run", "", "the `NAME` of a run of emco-chaos, for the resources of its own")
	flags.IntVar(&n.attempt, "attempt", 1, "the `NUMBER` of the run's attempt")
}

const (
	versionName = "composite-app-version"
	// nobody is in the names that stand for what nobody named: what is not
	// there is asked for as well as what is.
	nobody = "emco-probe"
)

// names are the names to work with. Each of the templates must be named; all
// else stands for what is not there.
func (n *naming) names(templates ...string) (emco.Names, error) {
	chosen, err := n.all()
	if err != nil {
		return emco.Names{}, err
	}
	if n.run != "" {
		if chosen != (emco.Chosen{}) {
			return emco.Names{}, fmt.Errorf("--run stands beside names of resources: keep the run, or the names")
		}
		return emco.NewNames(n.run, n.attempt)
	}
	if chosen.CompositeApp != "" && chosen.CompositeAppVersion == "" {
		chosen.CompositeAppVersion = "v1"
	}
	for _, template := range templates {
		if missing := chosen.Missing(template); len(missing) > 0 {
			return emco.Names{}, fmt.Errorf("the names of resources are missing: give --%s, or --anchor PATH, or -f FILE, or --run NAME for those of a run", strings.Join(missing, ", --"))
		}
	}
	names, err := emco.NewNames(nobody, 1)
	if err != nil {
		return emco.Names{}, err
	}
	return names.Choose(chosen)
}

// all are the names of the flags, of the anchor and of the resource files.
func (n *naming) all() (emco.Chosen, error) {
	chosen := n.chosen
	if n.anchor != "" {
		read, _, _, err := emco.ParseAnchor(strings.Trim(n.anchor, "/"))
		if err != nil {
			return emco.Chosen{}, err
		}
		var twice []string
		fill(&chosen, read, func(name string) { twice = append(twice, name) })
		if len(twice) > 0 {
			return emco.Chosen{}, fmt.Errorf("--%s differs from the name in --anchor: keep one", twice[0])
		}
	}
	if len(n.files.Files) > 0 {
		sources := n.files
		sources.WithoutAttachments = true
		resources, err := emcoctl.Read(sources)
		if err != nil {
			return emco.Chosen{}, err
		}
		named, err := emcoctl.Named(resources)
		if err != nil {
			return emco.Chosen{}, err
		}
		// A name by flag goes before one in a file.
		fill(&chosen, named, func(string) {})
	}
	return chosen, nil
}

// fill takes from more what chosen leaves open, and tells the names that
// differ.
func fill(chosen *emco.Chosen, more emco.Chosen, differs func(name string)) {
	names := map[string]string{}
	more.Fields(func(name string, value *string) { names[name] = *value })
	chosen.Fields(func(name string, value *string) {
		switch {
		case *value == "":
			*value = names[name]
		case names[name] != "" && names[name] != *value:
			differs(name)
		}
	})
}
