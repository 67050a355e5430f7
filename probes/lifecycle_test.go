package probes

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// theirs makes resources that carry no mark, with a group or without, and
// returns a subject that works on them.
func (e *emulated) theirs(run string, chosen emco.Chosen, group bool) Subject {
	e.t.Helper()
	subject := e.subject(run)
	var err error
	if subject.Names, err = subject.Names.Choose(chosen); err != nil {
		e.t.Fatal(err)
	}
	subject.Existing = true
	host, port, err := subject.Setup.rsync()
	if err != nil {
		e.t.Fatal(err)
	}
	requests := []emco.Request{subject.Names.RsyncController(host, port)}
	given := emco.Given{LogicalCloud: emco.Created, DIG: emco.Created}
	if !group {
		given.DIG = emco.Absent
	}
	for _, resource := range subject.Names.Resources(emco.Material{Kubeconfig: []byte("kind: Config"), Apps: subject.Setup.Apps}) {
		if given.Has(resource.Kind) {
			requests = append(requests, resource.Create)
		}
	}
	for i, request := range requests {
		if answer, err := subject.Client.Do(e.t.Context(), request); err != nil || answer.Code != 201 && i > 0 {
			e.t.Fatal(request.Anchor, answer, err)
		}
	}
	return subject
}

// theirNames are those of all resources that runs can be told to work on.
func theirNames(prefix string) emco.Chosen {
	var chosen emco.Chosen
	chosen.Fields(func(name string, value *string) { *value = prefix + "-" + name })
	return chosen
}

// there lists which of the resources are there.
func (e *emulated) there(subject Subject) []string {
	e.t.Helper()
	var there []string
	for _, resource := range subject.Names.Resources(emco.Material{Apps: subject.Setup.Apps}) {
		answer, err := subject.Client.Do(e.t.Context(), emco.Get(resource.Anchor))
		if err != nil {
			e.t.Fatal(err)
		}
		if !answer.Missing() {
			there = append(there, resource.Anchor)
		}
	}
	return there
}

type transition struct {
	given map[string]any
	want  Conclusion
	// calls are those that lead there, and message a part of the answer when
	// nothing does.
	calls   string
	message string
}

// transitions brings what exists to one given after the other.
func (e *emulated) transitions(t *testing.T, subject Subject, list []transition) {
	t.Helper()
	before := e.there(subject)
	for i, step := range list {
		got, seen := run(t, subject, "ensure", given(step.given), step.want)
		if !strings.Contains(got.Message, step.message) || step.want == Passed && got.Evidence["calls"] != step.calls {
			t.Errorf("%d, %v: %s, %v", i, step.given, got.Message, got.Evidence)
		}
		if step.want == Passed {
			for call, key := range map[string]string{"logical-cloud.instantiate": "logicalCloud", "dig.instantiate": "dig"} {
				if state, named := step.given[key].(string); named {
					stateIs(t, subject, call, emco.State(state))
				}
			}
		}
		if len(seen.resources) > 0 || got.Evidence["made"] != "0" {
			t.Errorf("%d, %v: told as made: %v, %v", i, step.given, seen.resources, got.Evidence)
		}
	}
	got, seen := run(t, subject, "teardown", nil, Passed)
	if len(seen.resources) > 0 || !strings.HasPrefix(got.Message, "nothing was removed; left as they are: "+subject.Names.Anchor("{logicalCloud}")) {
		t.Errorf("teardown: %s, %v", got.Message, seen.resources)
	}
	if after := e.there(subject); !slices.Equal(before, after) {
		t.Errorf("there was %v\nnow there is %v", before, after)
	}
}

// What exists is brought from each state to each other that calls lead to.
func TestEnsureOnExisting(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	states := func(cloud, dig string) map[string]any { return map[string]any{"logicalCloud": cloud, "dig": dig} }
	subject := e.theirs("visitor", theirNames("shop"), true)
	e.transitions(t, subject, []transition{
		{states("Created", "Created"), Passed, "none", "resources that exist already: logicalCloud Created, dig Created"},
		{states("Created", "Approved"), Passed, "dig.approve", ""},
		{states("Created", "Created"), Errored, "", "is Approved, and no call leads from there to Created: name one that is"},
		{states("Instantiated", "Approved"), Passed, "logical-cloud.instantiate", ""},
		{states("Instantiated", "Terminated"), Passed, "dig.instantiate, dig.terminate", ""},
		{states("Instantiated", "Approved"), Passed, "dig.approve", ""},
		{map[string]any{"for": "dig.terminate"}, Passed, "dig.instantiate", ""},
		{states("Instantiated", "Instantiated"), Passed, "none", ""},
		{map[string]any{"for": "dig.instantiate"}, Passed, "dig.terminate, dig.approve", ""},
		{states("Instantiated", "Instantiated"), Passed, "dig.instantiate", ""},
		{states("Instantiated", "Terminated"), Passed, "dig.terminate", ""},
		{states("Instantiated", "Instantiated"), Passed, "dig.instantiate", ""},
		{states("Instantiated", "Created"), Errored, "", "is Instantiated, and no call leads from there to Created"},
		{map[string]any{"logicalCloud": "Created"}, Errored, "", "no call leads from there to Created"},
		{map[string]any{"logicalCloud": "Instantiated"}, Errored, "", "EMCO terminates no logical cloud with a group on it: delete the group"},
		{map[string]any{"logicalCloud": "Terminated"}, Errored, "", "Found at least one DIG"},
		{map[string]any{"for": "cluster-provider.create"}, Errored, "", "is absent, and a run on existing resources deletes nothing; run this experiment without --use-existing"},
	})
	got, _ := run(t, subject, "teardown", nil, Passed)
	if want := subject.Names.Anchor("{dig}") + " Instantiated (Applied 4)"; !strings.HasSuffix(got.Message, want) {
		t.Errorf("teardown: %s, want %s", got.Message, want)
	}

	// And what carries no mark is not there for clean.
	if got, _ := run(t, subject, "clean", nil, Passed); got.Evidence["removed"] != "0" || len(e.there(subject)) != 17 {
		t.Errorf("clean: %s", got.Message)
	}
}

// Until the status tells of what EMCO has accepted, nothing is asked again.
func TestDriveToWaitsForALaggingStatus(t *testing.T) {
	t.Parallel()
	server := newScripted(t, map[string][]reply{
		digStatus:  {approved, approved, approved, approved, approved, approved, lagging, installing, installed},
		digInstall: {accepted},
	})
	p := &preparation{task: task{Subject: server.subject(), Observer: &record{}}, patience: 10 * time.Second}
	if err := p.driveTo(within(t, 10*time.Second), lifecycles[1], emco.Instantiated); err != nil {
		t.Error(err)
	}
	if n := server.count(digInstall); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

func TestEnsureOnExistingCloud(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	cloud := func(state string) map[string]any { return map[string]any{"logicalCloud": state} }
	e.transitions(t, e.theirs("visitor", theirNames("cloud"), false), []transition{
		{cloud("Created"), Passed, "none", ""},
		{cloud("Terminated"), Passed, "logical-cloud.instantiate, logical-cloud.terminate", ""},
		{map[string]any{"for": "logical-cloud.terminate"}, Passed, "logical-cloud.instantiate", ""},
		{cloud("Instantiated"), Passed, "none", ""},
		{cloud("Terminated"), Passed, "logical-cloud.terminate", ""},
		{cloud("Created"), Errored, "", "is Terminated, and no call leads from there to Created: name one that is"},
	})
}

// What is not as the target says is not touched.
func TestExistingThatIsAnother(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	right := theirNames("shop")
	subject := e.theirs("visitor", right, true)
	up := map[string]any{"logicalCloud": "Created", "dig": "Approved"}
	for message, change := range map[string]func(*emco.Chosen){
		"deployment-intent-groups/nobody is not there: name a deployment intent group that exists":           func(c *emco.Chosen) { c.DIG = "nobody" },
		"projects/nobody/logical-clouds/shop-logical-cloud is not there: name a logical cloud that exists":   func(c *emco.Chosen) { c.Project = "nobody" },
		`shop-dig is on the logical cloud "shop-logical-cloud", not on projects/shop-project/logical-clouds`: func(c *emco.Chosen) { c.LogicalCloud = "other" },
	} {
		chosen := right
		change(&chosen)
		if chosen.LogicalCloud == "other" {
			create := emco.Post(subject.Names.Anchor("{project}/logical-clouds"))
			create.JSON = map[string]any{"metadata": map[string]string{"name": "other"}, "spec": map[string]string{"level": "0"}}
			if answer, err := subject.Client.Do(t.Context(), create); err != nil || answer.Code != 201 {
				t.Fatal(answer, err)
			}
		}
		other := subject
		var err error
		if other.Names, err = subject.Names.Choose(chosen); err != nil {
			t.Fatal(err)
		}
		if got, _ := run(t, other, "ensure", given(up), Errored); !strings.Contains(got.Message, message) {
			t.Errorf("%s\nwant %s", got.Message, message)
		}
	}
	stateIs(t, subject, "dig.instantiate", emco.Created)
	for _, kind := range []string{"call", "reissue"} {
		if got, _ := run(t, subject, kind, forCall("cluster-provider.create"), Errored); !strings.Contains(got.Message, "a run on existing resources makes nothing") {
			t.Errorf("%s: %s", kind, got.Message)
		}
	}
}

// A POST whose answer is lost, or is a 500, is looked into and repeated.
func TestExistingLostAnswers(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	subject := e.theirs("visitor", theirNames("shop"), true)
	run(t, subject, "ensure", given(map[string]any{"logicalCloud": "Instantiated", "dig": "Terminated"}), Passed)
	lossy, spoilt := e.unreliable(subject)
	got, _ := run(t, lossy, "ensure", given(map[string]any{"logicalCloud": "Instantiated", "dig": "Approved"}), Passed)
	if spoilt.Load() != 1 || got.Evidence["calls"] != "dig.approve" {
		t.Errorf("%d requests were spoilt, %v", spoilt.Load(), got.Evidence)
	}
	run(t, lossy, "ensure", given(map[string]any{"logicalCloud": "Instantiated", "dig": "Terminated"}), Passed)
	run(t, lossy, "ensure", given(map[string]any{"logicalCloud": "Instantiated", "dig": "Instantiated"}), Passed)
	if n := spoilt.Load(); n != 3 {
		t.Errorf("%d requests were spoilt, want each of the three calls' first", n)
	}
}

// What fails for good is not waited for, and its state is not guessed.
func TestFinalStateOfWhatDoesNotAnswer(t *testing.T) {
	e := startEMCO(t, emcotest.Options{})
	subject := e.theirs("visitor", theirNames("shop"), true)
	must(t, e.Kill("orchestrator"))
	runWithin(t, time.Second, subject, "teardown", nil, Errored, "shop-logical-cloud Created, "+subject.Names.Anchor("{dig}")+" in a state that is not known: no state: ")
}

// Without being told to, nothing that carries no mark is terminated or
// deleted, not even under the very names of the run, and none of it is made
// use of.
func TestWithoutExistingNothingUnmarkedIsTouched(t *testing.T) {
	t.Parallel()
	e := startEMCO(t, emcotest.Options{})
	own := e.subject("same")
	chosen := emco.Chosen{}
	parts := func(template string) string {
		anchor := own.Names.Anchor(template)
		return anchor[strings.LastIndex(anchor, "/")+1:]
	}
	chosen.Project, chosen.ClusterProvider, chosen.Cluster, chosen.ClusterLabel = parts("{project}"), parts("{provider}"), parts("{cluster}"), parts("{label}")
	chosen.LogicalCloud, chosen.DIG = parts("{logicalCloud}"), parts("{dig}")
	theirs := e.theirs("same", chosen, true)
	up := map[string]any{"logicalCloud": "Instantiated", "dig": "Instantiated"}
	run(t, theirs, "ensure", given(up), Passed)
	before, objects := e.there(theirs), e.objects()

	got, _ := run(t, own, "ensure", given(up), Errored)
	if !strings.Contains(got.Message, own.Names.Anchor("{project}")+" is there already") {
		t.Errorf("ensure: %s", got.Message)
	}
	got, seen := run(t, own, "teardown", nil, Errored)
	if got.Evidence["removed"] != "0" || slices.ContainsFunc(seen.notes, func(n string) bool { return strings.Contains(n, "POST ") }) {
		t.Errorf("teardown: %s, %v", got.Message, seen.notes)
	}
	if got, _ := run(t, own, "clean", nil, Passed); got.Evidence["removed"] != "0" {
		t.Errorf("clean: %s", got.Message)
	}
	stateIs(t, theirs, "dig.instantiate", emco.Instantiated)
	stateIs(t, theirs, "logical-cloud.instantiate", emco.Instantiated)
	if after := e.there(theirs); !slices.Equal(after, before) || !slices.Equal(e.objects(), objects) {
		t.Errorf("there was %v, %v\nnow there is %v, %v", before, objects, after, e.objects())
	}
}

func TestBlastRadius(t *testing.T) {
	names, err := emco.NewNames("existing", 1)
	if err == nil {
		names, err = names.Choose(emco.Chosen{Project: "p", LogicalCloud: "l", CompositeApp: "a", CompositeAppVersion: "v", DIG: "d"})
	}
	if err != nil {
		t.Fatal(err)
	}
	const (
		cloud = "projects/p/logical-clouds/l: "
		group = "projects/p/composite-apps/a/v/deployment-intent-groups/d: "
	)
	for _, test := range []struct {
		given emco.Given
		calls []string
		want  []string
	}{
		{emco.Given{LogicalCloud: emco.Created}, []string{"logical-cloud.instantiate"},
			[]string{cloud + "must be Created before each attempt; then the experiment: instantiate"}},
		{emco.Given{LogicalCloud: emco.Instantiated, DIG: emco.Approved}, []string{"dig.instantiate"}, []string{
			cloud + "brought to Instantiated before each attempt (instantiate if it is Created; instantiate if it is Terminated)",
			group + "brought to Approved before each attempt (approve if it is Created; terminate, approve if it is Instantiated; approve if it is Terminated); then the experiment: instantiate",
		}},
		{emco.Given{LogicalCloud: emco.Instantiated, DIG: emco.Terminated}, nil, []string{
			cloud + "brought to Instantiated before each attempt (instantiate if it is Created; instantiate if it is Terminated)",
			group + "brought to Terminated before each attempt (approve, instantiate, terminate if it is Created; instantiate, terminate if it is Approved; terminate if it is Instantiated)",
		}},
		{emco.Given{}, nil, nil},
	} {
		got, err := BlastRadius(names, test.given, test.calls)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s, %v: %v\ngot  %q\nwant %q", test.given, test.calls, err, got, test.want)
		}
	}
	for _, test := range []struct {
		given emco.Given
		calls []string
		want  string
	}{
		{emco.Given{}, []string{"cluster.create"}, "steps: cluster.create makes a cluster, and a run on existing resources makes nothing; run this experiment without --use-existing"},
		{emco.Given{Cluster: emco.Absent}, nil, "given.cluster: is absent, and a run on existing resources deletes nothing; run this experiment without --use-existing"},
	} {
		if got, err := BlastRadius(names, test.given, test.calls); fmt.Sprint(err) != test.want || got != nil {
			t.Errorf("%s, %v: %q, %v, want %s", test.given, test.calls, got, err, test.want)
		}
	}
}

func TestLifecyclesNameKnownCalls(t *testing.T) {
	for _, l := range lifecycles {
		calls := []emco.Call{l.instantiate, l.terminate}
		if l.kind == emco.DeploymentIntentGroup {
			calls = append(calls, l.approve)
		}
		calls = slices.AppendSeq(calls, maps.Values(l.before))
		calls = slices.AppendSeq(calls, maps.Values(l.leads))
		for i, call := range calls {
			if call.Name == "" {
				t.Errorf("%s: call %d of its table has a name that is not known", l.field, i)
			}
		}
	}
}
