package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// fact is something about a run that a reader needs to compare it with others.
type fact struct{ Name, Value string }

func (r Run) facts() []fact {
	target := r.Plan.Target
	if r.first.Target != "" {
		target += " (sha256 " + r.first.Target + ")"
	}
	facts := []fact{
		{"run", fmt.Sprintf("%s, attempt %d, began %s, took %.3f s", r.Name, r.Attempt, r.first.Time.Format(time.RFC3339), r.took.Seconds())},
		{"target", target},
	}
	if len(r.Plan.Parameters) > 0 {
		facts = append(facts, fact{"parameters", pairs(r.Plan.Parameters, "=")})
	}
	facts = append(facts, fact{"versions", pairs(r.versions(), " ")})
	for _, recovery := range r.Recoveries() {
		phases := make([]string, len(recovery.Phases))
		for i, phase := range recovery.Phases {
			phases[i] = phase.String()
		}
		facts = append(facts, fact{"recovery", fmt.Sprintf("of what %s had stopped, since down: %s", recovery.Fault, strings.Join(phases, ", "))})
	}
	for i := range facts {
		facts[i].Value = clean(facts[i].Value)
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
