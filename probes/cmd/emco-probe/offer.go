package main

import (
	"fmt"
	"regexp"
	"slices"
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

var offerName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// parseOffer reads NAME=PROBE,ARGUMENT=VALUE,...
func parseOffer(text string, naming *naming, on probes.Subject) (offer, error) {
	const remedy = "write NAME=PROBE,ARGUMENT=VALUE, such as deployed=status,call=dig.instantiate,state=Instantiated"
	name, rest, found := strings.Cut(text, "=")
	if !found || !offerName.MatchString(name) {
		return offer{}, fmt.Errorf("--offer %q: begins with no name; %s", document.Shown(text), remedy)
	}
	pieces := strings.Split(rest, ",")
	arguments := map[string]any{}
	for _, piece := range pieces[1:] {
		key, value, found := strings.Cut(piece, "=")
		if _, twice := arguments[key]; !found || twice {
			return offer{}, fmt.Errorf("--offer %s: %q is no argument, or stands there twice; %s", name, document.Shown(piece), remedy)
		}
		arguments[key] = value
	}
	return newOffer(name, pieces[0], arguments, naming, on)
}

// newOffer makes an offer of a probe that changes nothing.
func newOffer(name, kindName string, arguments map[string]any, naming *naming, on probes.Subject) (offer, error) {
	kinds := probes.Catalogue()
	at := slices.IndexFunc(kinds, func(k probes.Kind) bool { return k.Name == kindName || dashed(k.Name) == kindName })
	if at < 0 || kinds[at].Changes() {
		return offer{}, fmt.Errorf("--offer %s: %q is no probe that can be offered; use one of %s: they change nothing", name, document.Shown(kindName), strings.Join(readOnly(), ", "))
	}
	probe, err := kinds[at].New(arguments)
	if err != nil {
		return offer{}, fmt.Errorf("--offer %s: %w", name, err)
	}
	if on.Names, err = naming.names(templates(arguments)...); err != nil {
		return offer{}, fmt.Errorf("--offer %s: %w", name, err)
	}
	return offer{Name: name, Kind: kinds[at].Name, With: arguments, probe: probe, subject: on}, nil
}

// readOnly are the probes that change nothing.
func readOnly() []string {
	var names []string
	for _, kind := range probes.Catalogue() {
		if !kind.Changes() {
			names = append(names, dashed(kind.Name))
		}
	}
	return names
}
