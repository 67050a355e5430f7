package main

import (
	"fmt"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// offer is a probe that callers may have run, by its name alone: which EMCO
// it asks, and what, was decided when the server was started.
type offer struct {
	Name    string         `json:"name"`
	Kind    string         `json:"probe"`
	With    map[string]any `json:"arguments,omitempty"`
	probe   probes.Probe
	subject probes.Subject
}

// parseOffer reads NAME=PROBE,ARGUMENT=VALUE,... of a probe that changes nothing.
func parseOffer(text string, names *resourceNames, on probes.Subject) (offer, error) {
	const remedy = "write NAME=PROBE,ARGUMENT=VALUE, such as deployed=status,call=dig.instantiate,state=Instantiated"
	name, rest, found := strings.Cut(text, "=")
	if !found || !document.IsName(name) {
		return offer{}, fmt.Errorf("--offer %q: begins with no name; %s", document.Shown(text), remedy)
	}
	of, rest, more := strings.Cut(rest, ",")
	arguments := map[string]any{}
	if more {
		var err error
		if arguments, err = mapping(rest); err != nil {
			return offer{}, fmt.Errorf("--offer %s: %w; %s", name, err, remedy)
		}
	}
	var harmless []string
	for _, kind := range probes.Catalogue() {
		if kind.Changes() {
			continue
		}
		harmless = append(harmless, dashed(kind.Name))
		if of != kind.Name && of != dashed(kind.Name) {
			continue
		}
		probe, err := kind.New(arguments)
		if err == nil {
			on.Names, err = names.names(templates(arguments)...)
		}
		if err != nil {
			return offer{}, fmt.Errorf("--offer %s: %w", name, err)
		}
		return offer{Name: name, Kind: kind.Name, With: arguments, probe: probe, subject: on}, nil
	}
	return offer{}, fmt.Errorf("--offer %s: %q is no probe that can be offered; use one of %s: they change nothing",
		name, document.Shown(of), strings.Join(harmless, ", "))
}
