package document

import (
	"fmt"
	"regexp"
)

// APIVersion is the version that every file of emco-chaos begins with.
const APIVersion = "emco-chaos/v1"

// NameRemedy is the remedy for a text that is no name.
const NameRemedy = "write small letters, digits and hyphens, a letter or digit first and last, 63 characters at most"

var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// IsName reports whether the text is a DNS label (RFC 1123), as Kubernetes
// wants names.
func IsName(text string) bool { return label.MatchString(text) }

// Name reads a DNS label.
func (v Value) Name() string {
	name, ok := v.Text()
	if ok && !IsName(name) {
		v.Problem(fmt.Sprintf("%q is not a name", name), NameRemedy)
	}
	return name
}

// Head reads apiVersion and kind, and returns the name in metadata and the
// spec. A spec that is not there is nil.
func Head(root Value, kind string) (name string, spec *Map) {
	fields, ok := root.Map()
	if !ok {
		return "", nil
	}
	if value, found := fields.Need("apiVersion", "write apiVersion: "+APIVersion); found {
		value.Choice(APIVersion)
	}
	if value, found := fields.Need("kind", "write kind: "+kind); found {
		value.Choice(kind)
	}
	if value, found := fields.Need("metadata", "write metadata: {name: NAME}"); found {
		if metadata, ok := value.Map(); ok {
			if value, found := metadata.Need("name", "write name: NAME"); found {
				name = value.Name()
			}
			metadata.End()
		}
	}
	if value, found := fields.Need("spec", "write spec: with what the "+kind+" is"); found {
		spec, _ = value.Map()
	}
	fields.End()
	return name, spec
}
