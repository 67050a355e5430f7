package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/spf13/cobra"
)

// resourceNames holds the flags that say which resources a probe works on:
// those that users name, or those of a run.
type resourceNames struct {
	chosen  emco.Chosen
	anchor  string
	files   emcoctl.Sources
	run     string
	attempt int
}

// flags adds the flags that the command does not have for something else.
func (n *resourceNames) flags(command *cobra.Command) {
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

func (n *resourceNames) runFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&n.run, "run", "", "the `NAME` of a run of emco-chaos, for the resources of its own")
	flags.IntVar(&n.attempt, "attempt", 1, "the `NUMBER` of the run's attempt")
}

const (
	versionName = "composite-app-version"
	// placeholder is in the names that stand for what no flag names: a GET of
	// what is not there tells as much of an endpoint as one of what is.
	placeholder = "emco-probe"
)

// names are the names to work with. What the templates do not need may be missing.
func (n *resourceNames) names(templates ...string) (emco.Names, error) {
	chosen, err := n.all()
	switch {
	case err != nil:
		return emco.Names{}, err
	case n.run != "" && chosen != (emco.Chosen{}):
		return emco.Names{}, fmt.Errorf("--run stands beside names of resources: keep the run, or the names")
	case n.run != "":
		return emco.NewNames(n.run, n.attempt)
	case chosen.CompositeApp != "":
		chosen.CompositeAppVersion = cmp.Or(chosen.CompositeAppVersion, "v1")
	}
	if missing := chosen.Missing(strings.Join(templates, " ")); len(missing) > 0 {
		return emco.Names{}, fmt.Errorf("the names of resources are missing: give --%s, or --anchor PATH, or -f FILE, or --run NAME for those of a run", strings.Join(missing, ", --"))
	}
	names, err := emco.NewNames(placeholder, 1)
	if err == nil {
		names, err = names.Choose(chosen)
	}
	return names, err
}

// all are the names of the flags, of the anchor and of the resource files.
func (n *resourceNames) all() (emco.Chosen, error) {
	chosen := n.chosen
	if n.anchor != "" {
		read, err := emco.ParseAnchor(strings.Trim(n.anchor, "/"))
		if err != nil {
			return emco.Chosen{}, err
		}
		if name, _, _ := chosen.Fill(read); name != "" {
			return emco.Chosen{}, fmt.Errorf("--%s differs from the name in --anchor: keep one", name)
		}
	}
	if len(n.files.Files) == 0 {
		return chosen, nil
	}
	sources := n.files
	sources.WithoutAttachments = true
	resources, err := emcoctl.Read(sources)
	if err != nil {
		return emco.Chosen{}, err
	}
	inFiles, err := emcoctl.Named(resources)
	// A name by flag goes before one in a file.
	chosen.Fill(inFiles)
	return chosen, err
}
