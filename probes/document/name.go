package document

import "regexp"

// APIVersion is the version that every file of emco-chaos begins with.
const APIVersion = "emco-chaos/v1"

// NameRemedy is the remedy for a text that is no name.
const NameRemedy = "write small letters, digits and hyphens, a letter or digit first and last, 63 characters at most"

var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// IsName reports whether the text is a DNS label (RFC 1123), as Kubernetes
// wants names.
func IsName(text string) bool { return label.MatchString(text) }
