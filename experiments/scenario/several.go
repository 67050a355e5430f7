package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// member is a step of the plan. A step of the file that is on several services
// stands for one member on each: their pods have nothing in common that one
// object could select them by.
type member struct {
	name    string
	written string // the step's name in the file
	service string // the one of several that the member is on; empty for a step that stands for itself
}

// several has the services of each step of the file that is on several.
type several map[string][]string

// members reads which steps are on several services, and makes the members of all.
func (c *compiler) members() []member {
	c.several, c.places = several{}, map[string]string{}
	var members []member
	names := c.file.Keys(stepsField)
	taken := slices.Clone(names)
	for _, name := range names {
		field, services := c.servicesOf(name)
		if len(services) == 0 {
			members = append(members, member{name: name, written: name})
			continue
		}
		c.several[name] = services
		for _, service := range services {
			one := member{name: memberName(name, service), written: name, service: service}
			at := c.element(field, service)
			if !c.file.Troubled(at) {
				c.service(at, service)
			}
			if slices.Contains(taken, one.name) {
				c.file.Wrong(at, fmt.Sprintf("makes the step %s, and there is another one of that name", one.name), "rename one of them")
				continue
			}
			taken = append(taken, one.name)
			c.places["steps."+one.name] = document.Join("steps", name)
			members = append(members, one)
		}
	}
	return members
}

func memberName(step, service string) string { return step + "-" + service }

// servicesOf returns the list of services that a step is on, and its field; no
// service for a step that is on one.
func (c *compiler) servicesOf(step string) (field string, services []string) {
	for _, action := range []string{"fault", "probe"} {
		above := document.Join(stepsField, step) + "." + action
		for _, name := range c.file.Keys(above) {
			key, at := fault.ServiceKey, document.Join(above, name)
			if action == "probe" {
				key = c.serviceKey(name)
			}
			value, _ := c.file.Value(at)
			switch {
			case isMap(value):
				at = document.Join(at, key)
				value, _ = c.file.Value(at)
			case action == "probe" && !c.asksService(name):
				continue // a list of something else, which is told where the probe is read
			}
			list, _ := value.([]any)
			for _, one := range list {
				if service, is := one.(string); is && !slices.Contains(services, service) {
					services = append(services, service)
				}
			}
			field = at
		}
	}
	return field, services
}

// serviceKey is the argument of the probe that names a service.
func (c *compiler) serviceKey(probe string) string {
	what, _ := c.catalogue.activity(probe)
	argument, _ := what.First(activity.ServiceName)
	return argument.Name
}

// asksService reports whether the short form of the probe, its first argument alone,
// names a service.
func (c *compiler) asksService(probe string) bool {
	what, _ := c.catalogue.activity(probe)
	return len(what.Arguments) > 0 && what.Arguments[0].Type == activity.ServiceName
}

// element is the field of the service in the list at a field, if there is a list.
func (c *compiler) element(field, service string) string {
	value, _ := c.file.Value(field)
	if list, _ := value.([]any); slices.Contains(list, any(service)) {
		return fmt.Sprintf("%s[%d]", field, slices.Index(list, any(service)))
	}
	return field
}

// refs are the events of the plan that a key of the member's step names. That of
// a step on several services is, for a member on one of them, that service's, and
// otherwise those of all.
func (c *compiler) refs(m member, key string, written []plan.Ref) []plan.Ref {
	var refs []plan.Ref
	for i, ref := range written {
		for _, one := range c.several.events(ref, m.service) {
			c.places[fmt.Sprintf("steps.%s.%s[%d]", m.name, key, len(refs))] = fmt.Sprintf("steps.%s.%s[%d]", m.written, key, i)
			refs = append(refs, one)
		}
	}
	return refs
}

func (s several) events(ref plan.Ref, service string) []plan.Ref {
	services, is := s[ref.Step]
	if !is {
		return []plan.Ref{ref}
	}
	if slices.Contains(services, service) {
		services = []string{service}
	}
	var refs []plan.Ref
	for _, service := range services {
		refs = append(refs, plan.Ref{Step: memberName(ref.Step, service), Event: ref.Event})
	}
	return refs
}

// claims are the plan's: one of steps on several services is one for each service
// that all of them are on.
func (c *compiler) claims(written []plan.Claim) []plan.Claim {
	var claims []plan.Claim
	for i, claim := range written {
		field := fmt.Sprintf("evidence[%d]", i)
		services := c.shared("spec."+field, claim)
		for _, service := range services {
			var one plan.Claim
			for _, ref := range claim.Refs {
				one.Refs = append(one.Refs, c.several.events(ref, service)...)
			}
			c.places[fmt.Sprintf("evidence[%d]", len(claims))] = field
			claims = append(claims, one)
		}
	}
	return claims
}

// shared are the services that all steps of a claim are on that are on several; an
// empty one if none is.
func (c *compiler) shared(field string, claim plan.Claim) []string {
	services := []string{""}
	for _, ref := range claim.Refs {
		others, is := c.several[ref.Step]
		switch {
		case !is:
			continue
		case services[0] == "":
			services = others
		default:
			services = slices.DeleteFunc(slices.Clone(services), func(one string) bool { return !slices.Contains(others, one) })
		}
		if len(services) == 0 {
			c.file.Wrong(field, "its steps are on different services", fmt.Sprintf("name the event of one, such as %s.%s", memberName(ref.Step, others[0]), ref.Event))
			return nil
		}
	}
	return services
}

// place is the field of the file that has what is at a field of the plan.
func (c *compiler) place(field string) string {
	if place, known := c.places[field]; known {
		return "spec." + place
	}
	for member, place := range c.places {
		if below, is := strings.CutPrefix(field, member+"."); is {
			return "spec." + place + "." + below
		}
	}
	return "spec." + field
}
