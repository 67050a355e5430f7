package scenario

import (
	"fmt"
	"strconv"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// fault reads one of the short forms podChaos and networkChaos, or a whole
// object as chaosMesh.
func (c *compiler) fault(value document.Value) (*plan.Fault, bool) {
	fields, ok := value.Map()
	if !ok {
		return nil, false
	}
	var object fault.Object
	var summary string
	read := false
	kinds := 0
	if value, found := fields.Get("podChaos"); found {
		kinds++
		object, summary, read = c.podChaos(value)
	}
	if value, found := fields.Get("networkChaos"); found {
		kinds++
		object, summary, read = c.networkChaos(value)
	}
	if value, found := fields.Get("chaosMesh"); found {
		kinds++
		object, summary, read = c.wholeObject(value)
	}
	fields.End()
	if kinds != 1 {
		if kinds > 1 || len(fields.Entries()) == 0 {
			value.Problem(fmt.Sprintf("names %d faults", kinds), "write exactly one of podChaos, networkChaos, chaosMesh")
		}
		return nil, false
	}
	if at := fields.Entries()[0].Value; !read || c.file.Troubled(at.Field()) {
		return nil, false
	}
	var result *plan.Fault
	err := fault.Check(object)
	if err == nil {
		result, err = fault.Describe(object)
	}
	if err != nil {
		c.file.Add(fault.Problem(fields.Entries()[0].Value.Field(), err))
		return nil, false
	}
	result.Summary = summary
	return result, true
}

// selected reads the name of a service that has pods.
func (c *compiler) selected(value document.Value, remedy string) (string, v1alpha1.PodSelector, string, bool) {
	name, service, ok := c.service(value)
	if !ok {
		return "", v1alpha1.PodSelector{}, "", false
	}
	if !service.HasPods() {
		value.Problem(fmt.Sprintf("%s has no pods: the target gives it no labels", name), remedy)
		return "", v1alpha1.PodSelector{}, "", false
	}
	return name, pods(service), service.Namespace, true
}

// pods selects all pods of a service.
func pods(service target.Service) v1alpha1.PodSelector {
	return v1alpha1.PodSelector{
		Mode: v1alpha1.AllMode,
		Selector: v1alpha1.PodSelectorSpec{GenericSelectorSpec: v1alpha1.GenericSelectorSpec{
			Namespaces:     []string{service.Namespace},
			LabelSelectors: service.Labels,
		}},
	}
}

// duration reads how long Chaos Mesh keeps the fault when nobody removes it.
func duration(fields *document.Map) *string {
	result := safetyNet
	if value, found := fields.Get("duration"); found {
		result = positive(value, result)
		if result < time.Second {
			value.Problem("is less than a second, and Chaos Mesh counts in whole seconds", "write 1s or more")
		}
	}
	text := result.String()
	return &text
}

func (c *compiler) podChaos(value document.Value) (fault.Object, string, bool) {
	fields, ok := value.Map()
	if !ok {
		return nil, "", false
	}
	object := &v1alpha1.PodChaos{}
	object.APIVersion, object.Kind = fault.GroupVersion, fault.PodChaos
	action := ""
	if value, found := fields.Need("action", "write action: pod-kill, pod-failure or container-kill"); found {
		action, ok = value.Choice(string(v1alpha1.PodKillAction), string(v1alpha1.PodFailureAction), string(v1alpha1.ContainerKillAction))
		object.Spec.Action = v1alpha1.PodChaosAction(action)
	} else {
		ok = false
	}
	service := ""
	if value, found := fields.Need("service", "write service: with one of the target's services"); found {
		fine := false
		service, object.Spec.PodSelector, object.Namespace, fine = c.selected(value, "name a service that has labels in the target file")
		ok = ok && fine
	} else {
		ok = false
	}
	if value, found := fields.Get("container"); found {
		container, fine := value.Text()
		if ok && action != string(v1alpha1.ContainerKillAction) {
			value.Problem("a "+action+" takes every container", "leave it out, or write action: container-kill")
			fine = false
		}
		object.Spec.ContainerNames, ok = []string{container}, ok && fine
	} else if action == string(v1alpha1.ContainerKillAction) {
		object.Spec.ContainerNames = []string{service}
	}
	if value, found := fields.Get("gracePeriod"); found {
		grace, fine := value.Duration()
		switch {
		case fine && grace%time.Second != 0:
			value.Problem("is not whole seconds", "Chaos Mesh takes whole seconds, such as 5s")
			fine = false
		case fine && ok && action != string(v1alpha1.PodKillAction):
			value.Problem("only a pod-kill has a grace period", "leave it out, or write action: pod-kill")
			fine = false
		}
		object.Spec.GracePeriod, ok = int64(grace/time.Second), ok && fine
	}
	object.Spec.Duration = duration(fields)
	fields.End()
	return object, action + " " + service, ok
}

func (c *compiler) networkChaos(value document.Value) (fault.Object, string, bool) {
	fields, ok := value.Map()
	if !ok {
		return nil, "", false
	}
	object := &v1alpha1.NetworkChaos{}
	object.APIVersion, object.Kind = fault.GroupVersion, fault.NetworkChaos
	action := ""
	if value, found := fields.Need("action", "write action: partition or delay"); found {
		action, ok = value.Choice(string(v1alpha1.PartitionAction), string(v1alpha1.DelayAction))
		object.Spec.Action = v1alpha1.NetworkChaosAction(action)
	} else {
		ok = false
	}
	between := ""
	if value, found := fields.Need("between", "write between: [SERVICE, SERVICE]"); found {
		fine := false
		between, fine = c.between(value, object)
		ok = ok && fine
	} else {
		ok = false
	}
	external := len(object.Spec.ExternalTargets) > 0
	object.Spec.Direction = v1alpha1.Both
	if external && object.Spec.Action == v1alpha1.DelayAction {
		object.Spec.Direction = v1alpha1.To
	}
	if value, found := fields.Get("direction"); found {
		direction, fine := value.Choice(string(v1alpha1.To), string(v1alpha1.From), string(v1alpha1.Both))
		if fine && external && action == string(v1alpha1.DelayAction) && direction != string(v1alpha1.To) {
			value.Problem("what has no pods can be delayed only on the way to it", "write direction: to")
			fine = false
		}
		object.Spec.Direction, ok = v1alpha1.Direction(direction), ok && fine
	}
	ok = c.delay(fields, object) && ok
	object.Spec.Duration = duration(fields)
	fields.End()
	return object, action + " between " + between, ok
}

// between reads the two ends. The first has pods; the second has pods too, or
// is outside.
func (c *compiler) between(value document.Value, object *v1alpha1.NetworkChaos) (string, bool) {
	ends, ok := value.List()
	if !ok {
		return "", false
	}
	if len(ends) != 2 {
		value.Problem(fmt.Sprintf("names %d services", len(ends)), "name two, such as [orchestrator, etcd]")
		return "", false
	}
	source, selector, namespace, fine := c.selected(ends[0], "name a service with labels first, and the one without second")
	object.Spec.PodSelector, object.Namespace = selector, namespace
	target, service, known := c.service(ends[1])
	switch {
	case !known:
		fine = false
	case source == target:
		ends[1].Problem("is the same service", "name another one")
		fine = false
	case service.HasPods():
		selector := pods(service)
		object.Spec.Target = &selector
	case service.Host() == "":
		ends[1].Problem(fmt.Sprintf("%s has neither labels nor an address in the target", target), "write one of them into the target file")
		fine = false
	default:
		object.Spec.ExternalTargets = []string{service.Host()}
	}
	return source + " and " + target, fine
}

// delay reads what belongs to the action delay alone.
func (c *compiler) delay(fields *document.Map, object *v1alpha1.NetworkChaos) bool {
	if object.Spec.Action != v1alpha1.DelayAction {
		fine := true
		for _, key := range []string{"latency", "jitter"} {
			if value, found := fields.Get(key); found && object.Spec.Action != "" {
				value.Problem("belongs to the action delay", "leave it out, or write action: delay")
				fine = false
			}
		}
		return fine
	}
	delay := &v1alpha1.DelaySpec{}
	object.Spec.Delay = delay
	latency, found := fields.Need("latency", "write latency: such as 200ms")
	if !found {
		return false
	}
	delay.Latency = milliseconds(positive(latency, time.Second))
	if value, found := fields.Get("jitter"); found {
		jitter, fine := value.Duration()
		delay.Jitter = milliseconds(jitter)
		return fine
	}
	return true
}

// milliseconds writes a duration as Chaos Mesh wants a latency: one number
// with one unit.
func milliseconds(duration time.Duration) string {
	return strconv.FormatFloat(float64(duration)/float64(time.Millisecond), 'f', -1, 64) + "ms"
}

// wholeObject reads a Chaos Mesh object as Chaos Mesh's reference has it.
func (c *compiler) wholeObject(value document.Value) (fault.Object, string, bool) {
	data, ok := value.JSON()
	if !ok {
		return nil, "", false
	}
	object, err := fault.Decode(data)
	if err != nil {
		c.file.Add(fault.Problem(value.Field(), err))
		return nil, "", false
	}
	if object.GetName() != "" || object.GetGenerateName() != "" {
		value.Problem("has a name", "leave the name out: it is made of the run's and the step's")
		return nil, "", false
	}
	text := safetyNet.String()
	var action string
	switch object := object.(type) {
	case *v1alpha1.PodChaos:
		action = string(object.Spec.Action)
		if object.Spec.Duration == nil {
			object.Spec.Duration = &text
		}
	case *v1alpha1.NetworkChaos:
		action = string(object.Spec.Action)
		if object.Spec.Duration == nil {
			object.Spec.Duration = &text
		}
	}
	return object, action, true
}
