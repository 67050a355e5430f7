package scenario

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// wholeKey is the key of a Chaos Mesh object in full.
const wholeKey = "chaosMesh"

// fault reads the short form of one of the kinds of fault, or a whole object.
func (c *compiler) fault(value document.Value) (*plan.Fault, bool) {
	fields, ok := value.Map()
	if !ok {
		return nil, false
	}
	forms := map[string]func(document.Value) (map[string]any, string, bool){wholeKey: wholeObject}
	var keys []string
	for _, kind := range fault.Kinds() {
		keys = append(keys, kind.Key)
		forms[kind.Key] = func(value document.Value) (map[string]any, string, bool) { return c.shortForm(kind, value) }
	}
	var at document.Value
	var object map[string]any
	var summary string
	named, read := 0, false
	for _, key := range append(keys, wholeKey) {
		if value, found := fields.Get(key); found {
			named++
			at = value
			object, summary, read = forms[key](value)
		}
	}
	fields.End()
	if named > 1 || len(fields.Entries()) == 0 {
		value.Problem(fmt.Sprintf("names %d faults", named), "write exactly one of "+strings.Join(append(keys, wholeKey), ", "))
	}
	if named != 1 || !read || c.file.Troubled(at.Field()) {
		return nil, false
	}
	result, err := described(object)
	if err != nil {
		c.file.Add(fault.Problem(at.Field(), err))
		return nil, false
	}
	if summary != "" {
		result.Summary = summary
	}
	return result, true
}

// described checks an object and makes a plan's fault of it.
func described(fields map[string]any) (*plan.Fault, error) {
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	object, err := fault.Decode(data)
	if err != nil {
		return nil, err
	}
	if err := fault.Check(object); err != nil {
		return nil, err
	}
	return fault.Describe(object)
}

// wholeObject reads a Chaos Mesh object as Chaos Mesh's reference has it.
func wholeObject(value document.Value) (map[string]any, string, bool) {
	read, ok := value.Any()
	object, is := read.(map[string]any)
	if !ok || !is {
		value.Map() // to report what it is
		return nil, "", false
	}
	metadata, _ := object["metadata"].(map[string]any)
	if metadata["name"] != nil || metadata["generateName"] != nil {
		value.Problem("has a name", "leave the name out: it is made of the run's and the step's")
		return nil, "", false
	}
	if spec, is := object["spec"].(map[string]any); is && spec["duration"] == nil {
		spec["duration"] = safetyNet.String()
	}
	return object, "", true
}

// shortForm reads the short form of a kind of fault.
func (c *compiler) shortForm(kind fault.Kind, value document.Value) (map[string]any, string, bool) {
	fields, ok := value.Map()
	if !ok {
		return nil, "", false
	}
	readEnds := c.on
	if kind.Between {
		readEnds = c.between
	}
	ends, ok := readEnds(fields)
	action, spec, fine := kind.ReadShort(fields, ends.first)
	if kind.Between {
		fine = ends.direct(fields, action, spec) && fine
	}
	maps.Copy(spec, ends.spec)
	spec["duration"] = duration(fields)
	fields.End()
	return map[string]any{
		"apiVersion": fault.GroupVersion, "kind": kind.Name, "metadata": map[string]any{"namespace": ends.namespace}, "spec": spec,
	}, action + " " + ends.summary, ok && fine
}

// ends are the services that a fault is on or lies between.
type ends struct {
	// first is the service whose pods the fault is put on, and namespace theirs.
	first, namespace string
	// summary names the services for a reader.
	summary string
	// spec has the selectors.
	spec map[string]any
	// external says that the second one has no pods.
	external bool
}

// on reads the service that a fault is on.
func (c *compiler) on(fields *document.Map) (ends, bool) {
	value, found := fields.Need("service", "write service: with one of the target's services")
	if !found {
		return ends{}, false
	}
	return c.source(value, "name a service that has labels in the target file")
}

// source reads the name of the service that the fault is put on: it has pods.
func (c *compiler) source(value document.Value, remedy string) (ends, bool) {
	name, service, ok := c.service(value)
	if !ok {
		return ends{}, false
	}
	if !service.HasPods() {
		value.Problem(fmt.Sprintf("%s has no pods: the target gives it no labels", name), remedy)
		return ends{}, false
	}
	selector := pods(service)
	return ends{
		first: name, namespace: service.Namespace, summary: name,
		spec: map[string]any{"selector": selector.Selector, "mode": selector.Mode},
	}, true
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

// between reads the two services that a fault lies between. The first has
// pods; the second has pods too, or is outside.
func (c *compiler) between(fields *document.Map) (ends, bool) {
	value, found := fields.Need("between", "write between: [SERVICE, SERVICE]")
	if !found {
		return ends{}, false
	}
	list, ok := value.List()
	if !ok {
		return ends{}, false
	}
	if len(list) != 2 {
		value.Problem(fmt.Sprintf("names %d services", len(list)), "name two, such as [orchestrator, etcd]")
		return ends{}, false
	}
	result, ok := c.source(list[0], "name a service with labels first, and the one without second")
	name, service, known := c.service(list[1])
	switch {
	case !known:
		return result, false
	case name == result.first:
		list[1].Problem("is the same service", "name another one")
		return result, false
	case !service.HasPods() && service.Host() == "":
		list[1].Problem(fmt.Sprintf("%s has neither labels nor an address in the target", name), "write one of them into the target file")
		return result, false
	case !ok:
		return result, false
	}
	result.summary = "between " + result.first + " and " + name
	if service.HasPods() {
		result.spec["target"] = pods(service)
	} else {
		result.external = true
		result.spec["externalTargets"] = []string{service.Host()}
	}
	return result, true
}

// direct gives a fault between two services its direction: both, but for a
// partition of what has no pods Chaos Mesh can act on the way to it only.
func (e ends) direct(fields *document.Map, action string, spec map[string]any) bool {
	oneWay := e.external && action != string(v1alpha1.PartitionAction)
	given, found := spec["direction"]
	switch {
	case found && oneWay && given != string(v1alpha1.To):
		value, _ := fields.Get("direction")
		value.Problem(fmt.Sprintf("a %s can hit what has no pods only on the way to it", action), "write direction: to")
		return false
	case found:
	case oneWay:
		spec["direction"] = v1alpha1.To
	default:
		spec["direction"] = v1alpha1.Both
	}
	return true
}

// duration reads how long Chaos Mesh keeps the fault when nobody removes it.
func duration(fields *document.Map) string {
	value, found := fields.Get("duration")
	if !found {
		return safetyNet.String()
	}
	result := positive(value, safetyNet)
	if result < time.Second {
		value.Problem("is less than a second, and Chaos Mesh counts in whole seconds", "write 1s or more")
	}
	return result.String()
}

// faultSchema is the schema of what stands behind a step's key fault.
func faultSchema() schema {
	service := schema{"type": "string", "description": "one of the target's services, with labels"}
	var names []string
	forms := schema{}
	for _, kind := range fault.Kinds() {
		names = append(names, kind.Name)
		properties := schema{"duration": durationSchema("until Chaos Mesh itself ends the fault")}
		var required []string
		if len(kind.Actions) > 1 {
			properties["action"] = orParameter(choice(kind.Actions...))
			required = append(required, "action")
		}
		if kind.Between {
			properties["between"] = schema{"type": "array", "minItems": 2, "maxItems": 2, "items": service}
			required = append(required, "between")
		} else {
			properties["service"] = service
			required = append(required, "service")
		}
		for _, field := range kind.Fields {
			if field.Key == "" {
				continue
			}
			properties[field.Key] = orParameter(field.Type.Schema(field))
			properties[field.Key].(schema)["description"] = field.Summary
			if field.Required && len(field.Actions) == 0 {
				required = append(required, field.Key)
			}
		}
		forms[kind.Key] = object(properties, required...)
	}
	forms[wholeKey] = schema{
		"type": "object", "required": []string{"apiVersion", "kind", "spec"},
		"properties":  schema{"apiVersion": schema{"const": fault.GroupVersion}, "kind": choice(names...), "spec": schema{"type": "object"}},
		"description": "a whole object, as Chaos Mesh's reference has it, without a name",
	}
	result := object(forms)
	result["minProperties"], result["maxProperties"] = 1, 1
	return result
}
