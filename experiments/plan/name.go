package plan

// Limits of what makes up the name of a fault's object, RUN-ATTEMPT-STEP:
// Kubernetes and Chaos Mesh take 63 characters at most.
const (
	MaxRunName  = 20
	MaxAttempts = 99
	MaxStepName = 63 - len("-99-") - MaxRunName
)
