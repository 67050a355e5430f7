package chaosmesh

import (
	"testing"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// Only a NetworkChaos has rules to take off its pods, and Chaos Mesh is not
// asked about what it would try to inject for ever.
func TestEscalation(t *testing.T) {
	on := &v1alpha1.Record{Phase: v1alpha1.Injected}
	refused := &v1alpha1.Record{
		Phase:  v1alpha1.NotInjected,
		Events: []v1alpha1.RecordEvent{{Operation: v1alpha1.Apply, Type: v1alpha1.TypeFailed, Message: "unable to set tcs"}},
	}
	const rules, asked, forced = 0, 1, 2
	for name, test := range map[string]struct {
		kind   string
		record *v1alpha1.Record
		from   int
		want   int
	}{
		"a partition that is on":               {fault.NetworkChaos, on, rules, rules},
		"after its rules":                      {fault.NetworkChaos, on, asked, asked},
		"a delay that cannot be injected":      {fault.NetworkChaos, refused, rules, rules},
		"after the rules of one":               {fault.NetworkChaos, refused, asked, forced},
		"a kill":                               {fault.PodChaos, on, rules, asked},
		"a pod failure that cannot be applied": {fault.PodChaos, refused, rules, forced},
		"what Chaos Mesh was asked about":      {fault.PodChaos, on, forced, forced},
	} {
		object := &v1alpha1.PodChaos{}
		object.Status.Experiment.Records = []*v1alpha1.Record{test.record}
		r := &removal{activeFault: &activeFault{identity: identity{kind: test.kind}, latest: object}, step: test.from}
		if got := r.next(); got != test.want {
			t.Errorf("%s: the next step is %q, not %q", name, escalation[got].done, escalation[test.want].done)
		}
	}
}
