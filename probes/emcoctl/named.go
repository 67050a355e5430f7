package emcoctl

import (
	"fmt"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Named are the names of the project, the logical cloud, the deployment
// intent group and so on that resources describe or call, so that probes can
// work on them. Of each kind there can be one.
func Named(resources []Resource) (emco.Chosen, error) {
	var named emco.Chosen
	for _, resource := range resources {
		anchor := resource.Own()
		if anchor == "" {
			anchor = resource.on()
		}
		found, _, _, err := emco.ParseAnchor(anchor)
		if err != nil {
			continue // such as a controller: no probe works on it
		}
		if err := merge(&named, found); err != nil {
			return emco.Chosen{}, fmt.Errorf("%s: document %d: %w", resource.File, resource.Document, err)
		}
	}
	return named, nil
}

func merge(into *emco.Chosen, from emco.Chosen) error {
	var err error
	names := map[string]string{}
	from.Fields(func(name string, value *string) { names[name] = *value })
	into.Fields(func(name string, value *string) {
		switch {
		case names[name] == "" || names[name] == *value || err != nil:
		case *value != "":
			err = fmt.Errorf("there is a second %s, %s beside %s; name files with one", name, names[name], *value)
		default:
			*value = names[name]
		}
	})
	return err
}
