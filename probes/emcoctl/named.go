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
		named.Fill(found, func(name, first, second string) {
			if err == nil {
				err = fmt.Errorf("%s: document %d: there is a second %s, %s beside %s; name files with one",
					resource.File, resource.Document, name, second, first)
			}
		})
		if err != nil {
			return emco.Chosen{}, err
		}
	}
	return named, nil
}
