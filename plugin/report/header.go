package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Fact is something about a run that a reader needs to compare it with others.
type Fact struct{ Name, Value string }

// Facts are those of the run, safe to be shown.
func (r Run) Facts() []Fact {
	var facts []Fact
	add := func(name, format string, values ...any) {
		facts = append(facts, Fact{name, clean(fmt.Sprintf(format, values...))})
	}
	add("run", "%s, attempt %d, began %s, took %.3f s", r.Name, r.Attempt, r.first.Time.Format(time.RFC3339), r.took.Seconds())
	if hash := r.TargetHash(); hash != "" {
		add("target", "%s (sha256 %s)", r.Plan.Target, hash)
	} else {
		add("target", "%s", r.Plan.Target)
	}
	if len(r.Plan.Parameters) > 0 {
		add("parameters", "%s", pairs(r.Plan.Parameters, "="))
	}
	add("versions", "%s", pairs(r.versions(), " "))
	for _, recovery := range r.Recoveries() {
		var phases []string
		for _, phase := range recovery.Phases {
			phases = append(phases, phase.String())
		}
		add("recovery", "of what %s had stopped, since down: %s", recovery.Fault, strings.Join(phases, ", "))
	}
	return facts
}

// versions are those of all that took part, by name.
func (r Run) versions() map[string]string {
	versions := map[string]string{"emco-chaos": cmp.Or(r.first.Version, "unknown")}
	maps.Copy(versions, r.first.Versions)
	return versions
}

func pairs(texts map[string]string, between string) string {
	list := slices.Sorted(maps.Keys(texts))
	for i, key := range list {
		list[i] = key + between + texts[key]
	}
	return strings.Join(list, ", ")
}
