package plan

import "regexp"

// Limits of what makes up the name of a fault's object, RUN-ATTEMPT-STEP:
// Kubernetes and Chaos Mesh take 63 characters at most.
const (
	MaxRunName  = 20
	MaxAttempts = 99
	MaxStepName = 63 - len("-99-") - MaxRunName
)

const nameRemedy = "write small letters, digits and hyphens, a letter or digit first and last, 63 characters at most"

var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// isLabel says whether the name is a DNS label, as Kubernetes wants names.
func isLabel(name string) bool { return label.MatchString(name) }
