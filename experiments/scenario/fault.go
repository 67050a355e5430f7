package scenario

import (
	"fmt"
	"maps"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// fault makes a plan's fault of what stands in the step: the short form of a kind
// of fault, or a whole object; nil if something is wrong there. It lasts for a
// time, or for longer if that is zero. Of several services it is on the member's.
func (c *compiler) fault(m member, lasts plan.Duration) *plan.Fault {
	field := document.Join(stepsField, m.written) + ".fault"
	if c.file.Troubled(field) {
		return nil
	}
	value, _ := c.file.Value(field)
	for key, form := range value.(map[string]any) {
		field, form := document.Join(field, key), form.(map[string]any)
		read, spec, at := fault.Read, form["spec"], field+".spec"
		if kind, short := fault.Short(key); short {
			if m.service != "" {
				form = maps.Clone(form)
				form[fault.ServiceKey] = m.service
			}
			ends, found := c.ends(kind, field, form)
			if !found {
				return nil
			}
			read = func(form map[string]any) (*plan.Fault, error) { return kind.Read(form, ends) }
			spec, at = form, field
		}
		if !c.outlasts(at, spec, time.Duration(lasts)) {
			return nil
		}
		result, err := read(form)
		if err == nil {
			return result
		}
		wrong := fault.Problem(field, err)
		c.file.Wrong(wrong.Field, wrong.Message, wrong.Remedy)
	}
	return nil
}

// outlasts has the duration of an object, which is only to end what nobody else
// ends, be over later than the plan takes the fault off. It sets one that is left out.
func (c *compiler) outlasts(field string, spec any, lasts time.Duration) bool {
	keys, _ := spec.(map[string]any)
	if lasts == 0 || keys == nil {
		return true
	}
	text, given := keys["duration"].(string)
	if !given {
		keys["duration"] = (lasts + time.Minute).String()
		return true
	}
	duration, err := time.ParseDuration(text)
	if err == nil && duration <= lasts {
		c.file.Wrong(document.Join(field, "duration"), fmt.Sprintf("is over before the fault has been on for %s", lasts), "write a longer one, or leave it out")
		return false
	}
	return true
}

// ends finds the services of a short form in the target.
func (c *compiler) ends(kind fault.Kind, field string, short map[string]any) (fault.Ends, bool) {
	if kind.Between {
		return c.between(field, short)
	}
	name, _ := short[fault.ServiceKey].(string)
	return c.source(c.element(document.Join(field, fault.ServiceKey), name), name, "name a service that has labels in the target file")
}

// source finds the service that a fault is put on: it has pods.
func (c *compiler) source(field string, name any, remedy string) (fault.Ends, bool) {
	first, _ := name.(string)
	service, known := c.service(field, first)
	if known && !service.HasPods() {
		c.file.Wrong(field, fmt.Sprintf("%s has no pods: the target gives it no labels", first), remedy)
	}
	selector := pods(service)
	return fault.Ends{
		Service: first, Namespace: service.Namespace, Summary: first,
		Spec: map[string]any{"selector": selector.Selector, "mode": selector.Mode},
	}, known && service.HasPods()
}

func pods(service target.Service) v1alpha1.PodSelector {
	return v1alpha1.PodSelector{
		Mode: v1alpha1.AllMode,
		Selector: v1alpha1.PodSelectorSpec{GenericSelectorSpec: v1alpha1.GenericSelectorSpec{
			Namespaces:     []string{service.Namespace},
			LabelSelectors: service.Labels,
		}},
	}
}

// between finds the two services that a fault lies between. The first has
// pods; the second has pods too, or is outside. What is outside Chaos Mesh can
// partition both ways, and hit otherwise only on the way to it.
func (c *compiler) between(field string, short map[string]any) (fault.Ends, bool) {
	list := short["between"].([]any)
	second := document.Join(field, "between") + "[1]"
	result, ok := c.source(document.Join(field, "between")+"[0]", list[0], "name a service with labels first, and the one without second")
	name, _ := list[1].(string)
	service, known := c.service(second, name)
	direction := short["direction"]
	oneWay := !service.HasPods() && short["action"] != string(v1alpha1.PartitionAction)
	switch {
	case !known || !ok:
		return result, false
	case name == result.Service:
		c.file.Wrong(second, "is the same service", "name another one")
		return result, false
	case !service.HasPods() && service.Host() == "":
		c.file.Wrong(second, fmt.Sprintf("%s has neither labels nor an address in the target", name), "write one of them into the target file")
		return result, false
	case direction == nil && oneWay:
		direction = v1alpha1.To
	case direction == nil:
		direction = v1alpha1.Both
	case oneWay && direction != string(v1alpha1.To):
		c.file.Wrong(document.Join(field, "direction"), fmt.Sprintf("a %s can hit what has no pods only on the way to it", short["action"]), "write direction: to")
		return result, false
	}
	result.Summary = "between " + result.Service + " and " + name
	result.Spec["direction"] = direction
	switch {
	case service.HasPods():
		result.Spec["target"] = pods(service)
	case fmt.Sprint(direction) == string(v1alpha1.To):
		result.Spec["externalTargets"] = []string{service.HostPort()}
	default:
		// Chaos Mesh takes the port for that of the packet's destination, which in an
		// answer is the pod's own: with it, answers would pass.
		result.Spec["externalTargets"] = []string{service.Host()}
	}
	return result, true
}
