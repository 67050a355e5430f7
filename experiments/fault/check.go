package fault

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Check fills in Chaos Mesh's defaults and validates the object as an API
// server with Chaos Mesh does: first what the custom resource definition
// demands, then what the admission webhook demands. Beyond Chaos Mesh it
// refuses a fault without a duration, which nothing would end if emco-chaos
// died, and a selector that selects every pod.
func Check(object Object) error {
	admitted, ok := object.(interface {
		Default(context.Context, runtime.Object) error
		Validate() ([]string, error)
	})
	if !ok {
		return fmt.Errorf("%w, not %T", ErrKind, object)
	}
	if err := admitted.Default(context.Background(), object); err != nil {
		return fmt.Errorf("fill in the defaults of Chaos Mesh: %w", err)
	}
	var err error
	switch object := object.(type) {
	case *v1alpha1.PodChaos:
		err = checkPodChaos(&object.Spec)
	case *v1alpha1.NetworkChaos:
		err = checkNetworkChaos(&object.Spec)
	default:
		err = fmt.Errorf("%w, not %T", ErrKind, object)
	}
	if err != nil {
		return err
	}
	if _, err := admitted.Validate(); err != nil {
		return fmt.Errorf("refused by Chaos Mesh: %w", err)
	}
	return nil
}

// FieldError says which field of an object is wrong, and what to do about it.
type FieldError struct {
	// Field is a path into the object, such as spec.action.
	Field   string
	Message string
	Remedy  string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Message + "; " + e.Remedy }

// Problem makes a problem of an error of this package; the object stands at
// the field.
func Problem(field string, err error) document.Problem {
	if wrong, ok := errors.AsType[*FieldError](err); ok {
		return document.Problem{Field: field + "." + wrong.Field, Message: wrong.Message, Remedy: wrong.Remedy}
	}
	message := strings.ReplaceAll(err.Error(), "\n", ", ")
	return document.Problem{Field: field, Message: message, Remedy: "write apiVersion, kind and spec as in the reference of Chaos Mesh"}
}

// CheckPlan checks every fault of a plan: that its object is one of Chaos
// Mesh, and the one that the fault says it is.
func CheckPlan(p *plan.Plan) document.Problems {
	var problems document.Problems
	for _, step := range p.Steps {
		if step.Fault == nil {
			continue
		}
		if err := checkFault(step.Fault); err != nil {
			problems = append(problems, Problem(document.Join("steps", step.Name)+".fault", err))
		}
	}
	return problems
}

func checkFault(fault *plan.Fault) error {
	object, err := Decode(fault.Object)
	if err != nil {
		return err
	}
	if err := Check(object); err != nil {
		return err
	}
	described, err := Describe(object)
	if err != nil {
		return err
	}
	if described.Kind != fault.Kind || described.Action != fault.Action {
		return fmt.Errorf("the fault says %s %s, and its object is %s %s", fault.Kind, fault.Action, described.Kind, described.Action)
	}
	return nil
}

func checkPodChaos(spec *v1alpha1.PodChaosSpec) error {
	if err := oneOf("spec.action", spec.Action, v1alpha1.PodKillAction, v1alpha1.PodFailureAction, v1alpha1.ContainerKillAction); err != nil {
		return err
	}
	if spec.GracePeriod < 0 {
		return &FieldError{"spec.gracePeriod", "is negative", "write seconds, or leave it out"}
	}
	if err := checkDuration(spec.Duration); err != nil {
		return err
	}
	return checkSelector("spec", &spec.PodSelector)
}

// latency is the pattern of the custom resource definition.
var latency = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h)$`)

func checkNetworkChaos(spec *v1alpha1.NetworkChaosSpec) error {
	if err := errors.Join(
		oneOf("spec.action", spec.Action, v1alpha1.PartitionAction, v1alpha1.DelayAction, v1alpha1.NetemAction,
			v1alpha1.LossAction, v1alpha1.DuplicateAction, v1alpha1.CorruptAction, v1alpha1.BandwidthAction),
		oneOf("spec.direction", spec.Direction, v1alpha1.To, v1alpha1.From, v1alpha1.Both),
		oneOf("spec.partitionBehavior", spec.PartitionBehavior, v1alpha1.DropPartitionBehavior, v1alpha1.RejectPartitionBehavior),
	); err != nil {
		return err
	}
	if spec.Action == v1alpha1.DelayAction && spec.Delay == nil {
		return &FieldError{"spec.delay", "is missing, and the action is delay", "write delay: {latency: 200ms}"}
	}
	if spec.Delay != nil {
		if !latency.MatchString(spec.Delay.Latency) {
			return &FieldError{"spec.delay.latency", fmt.Sprintf("%q is not a latency", spec.Delay.Latency), "write one number with one unit, such as 200ms"}
		}
		if spec.Delay.Jitter != "" && !latency.MatchString(spec.Delay.Jitter) {
			return &FieldError{"spec.delay.jitter", fmt.Sprintf("%q is not a jitter", spec.Delay.Jitter), "write one number with one unit, such as 20ms"}
		}
	}
	if err := checkDuration(spec.Duration); err != nil {
		return err
	}
	if err := checkSelector("spec", &spec.PodSelector); err != nil {
		return err
	}
	if spec.Target != nil {
		return checkSelector("spec.target", spec.Target)
	}
	return nil
}

func oneOf[T ~string](field string, value T, allowed ...T) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	names := make([]string, len(allowed))
	for i, name := range allowed {
		names[i] = string(name)
	}
	return &FieldError{field, fmt.Sprintf("%q is not known", string(value)), document.Instead(string(value), names)}
}

func checkDuration(text *string) error {
	const field = "spec.duration"
	if text == nil || *text == "" {
		return &FieldError{field, "is missing, and nothing would end the fault if emco-chaos died", "write a duration such as 60s"}
	}
	duration, err := time.ParseDuration(*text)
	if err != nil {
		return &FieldError{field, fmt.Sprintf("%q is not a duration", *text), "write a duration such as 60s"}
	}
	if duration < time.Second {
		return &FieldError{field, *text + " is less than a second, and Chaos Mesh counts in whole seconds", "write 1s or more"}
	}
	return nil
}

func checkSelector(field string, selector *v1alpha1.PodSelector) error {
	if err := oneOf(field+".mode", selector.Mode, v1alpha1.OneMode, v1alpha1.AllMode, v1alpha1.FixedMode,
		v1alpha1.FixedPercentMode, v1alpha1.RandomMaxPercentMode); err != nil {
		return err
	}
	spec := &selector.Selector
	if len(spec.Pods) > 0 {
		return nil
	}
	if len(spec.LabelSelectors)+len(spec.ExpressionSelectors)+len(spec.AnnotationSelectors)+len(spec.FieldSelectors) == 0 {
		return &FieldError{field + ".selector", "selects every pod of its namespaces", "write labelSelectors"}
	}
	if !slices.ContainsFunc(spec.Namespaces, func(namespace string) bool { return namespace != "" }) {
		return &FieldError{field + ".selector", "names no namespace", "write namespaces"}
	}
	return nil
}
