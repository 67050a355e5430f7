package emco

import (
	"net/http"
	"strings"
	"testing"
)

// The recorded refusals, sorted by what they mean for someone who reissues.
func TestMeaningOfRecordedRefusals(t *testing.T) {
	const (
		missingParent = "Cannot perform requested operation. Parent resource not found"
		ise           = "The server encountered an internal error and was unable to complete your request."
	)
	for _, test := range []struct {
		call string
		code int
		text string
		want Meaning
	}{
		{"dig.instantiate", 500, "DeploymentIntentGroup has already been instantiatedmy-dig", Already},
		{"dig.instantiate", 500, "DeploymentIntentGroup must be Approved before instantiatingmy-dig", Never},
		{"dig.instantiate", 500, "The Logical Cloud has never been instantiated", Never},
		{"dig.instantiate", 500, "The Logical Cloud is still instantiating, please wait and try again.", Wait},
		{"dig.instantiate", 500, "The Logical Cloud is not currently instantiated (has been terminated).", Never},
		{"dig.instantiate", 400, "Failed to obtain Logical Cloud specified", Never},
		{"dig.instantiate", 400, "The specified Logical Cloud doesn't provide the mandatory clusters", Never},
		{"dig.instantiate", 404, "DeploymentIntentGroup not found", Never},
		{"dig.instantiate", 404, "Intent not found", Never},
		{"dig.instantiate", 500, `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing dial tcp 127.0.0.1:9031: connect: connection refused"`, Wait},
		{"dig.instantiate", 500, "connection(127.0.0.1:27117[-4]) incomplete read of message header", Wait},
		{"dig.instantiate", 400, "some text that EMCO never gives", Never},
		{"dig.terminate", 500, "DeploymentIntentGroup is not instantiated :my-dig", Already},
		{"dig.terminate", 500, "DeploymentIntentGroup has no state info: nope: DeploymentIntentGroup StateInfo not found", Never},
		{"dig.terminate", 500, "DeploymentIntentGroup has no state info: my-dig: db Find error: connection(127.0.0.1:27117[-6])", Wait},
		{"dig.terminate", 500, "rpc error: code = DeadlineExceeded desc = context deadline exceeded", Wait},
		{"dig.approve", 500, "DeploymentIntentGroup has already been instantiatedmy-dig", Already},
		{"dig.update", 500, "DeploymentIntentGroup is not instantiated :my-dig", Never},
		{"dig.stop", 500, "DeploymentIntentGroup is not instantiating or terminating:my-dig", Never},
		{"logical-cloud.instantiate", 409, "The Logical Cloud is already instantiating", Already},
		{"logical-cloud.instantiate", 409, "The Logical Cloud is already instantiated", Already},
		{"logical-cloud.instantiate", 409, "The Logical Cloud can't be re-instantiated yet, it is being terminated", Wait},
		{"logical-cloud.instantiate", 409, "The Logical Cloud has failed terminating, please delete the Logical Cloud", Never},
		{"logical-cloud.instantiate", 500, ise, Wait},
		{"logical-cloud.instantiate", 400, "No Cluster References associated", Never},
		{"logical-cloud.terminate", 409, "The Logical Cloud is already being terminated", Already},
		{"logical-cloud.terminate", 409, "The Logical Cloud has already been terminated", Already},
		{"logical-cloud.terminate", 409, "The Logical Cloud is still instantiating", Wait},
		{"logical-cloud.terminate", 400, "Found at least one DIG associated with Logical Cloud attempted to be terminated", Never},
		{"cluster-provider.create", 409, "ClusterProvider already exists", Already},
		{"cluster.create", 409, "Cluster already exists", Already},
		{"cluster.create", 409, missingParent, Never},
		{"cluster-label.create", 409, "Cluster Label already exists", Already},
		{"cluster-label.create", 409, missingParent, Never},
	} {
		call, ok := CallNamed(test.call)
		if !ok {
			t.Fatalf("no call %s", test.call)
		}
		answer := Answer{Code: test.code, Body: []byte(test.text + "\n"), Outcome: Outcome{Kind: Rejected, Code: test.code}}
		if got := call.Meaning(answer); got != test.want {
			t.Errorf("%s: %d %s means %s, want %s", test.call, test.code, test.text, got, test.want)
		}
	}
}

// Each text of the table must have been recorded from a real EMCO, so that a
// slip of the pen is found. Some were only described.
func TestRefusalsWereRecorded(t *testing.T) {
	described := map[string]bool{
		"The Logical Cloud is still instantiating":                  true,
		"The Logical Cloud can't be re-instantiated yet":            true,
		"The Logical Cloud has already been terminated":             false,
		"ClusterProvider already exists":                            false,
		"The Logical Cloud is not currently instantiated":           false,
		"DeploymentIntentGroup is not instantiating or terminating": true,
		"DeploymentIntentGroup has already been instantia":          false,
	}
	all := readRecorded(t)
	for _, call := range calls {
		for _, refusal := range call.Refusals {
			found := described[refusal.Text]
			for _, r := range all {
				found = found || r.Status == refusal.Code && strings.Contains(r.Body, refusal.Text)
			}
			if !found {
				t.Errorf("%s: %d %q was never recorded", call.Name, refusal.Code, refusal.Text)
			}
		}
	}
}

func status(deployed State, actions ...State) Answer {
	var history []string
	for _, a := range actions {
		history = append(history, `{"state":"`+string(a)+`","time":"2026-11-22T16:35:57.576Z"}`)
	}
	body := `{"states":{"statusctxid":"1","actions":[` + strings.Join(history, ",") + `]}`
	if deployed != "" {
		body += `,"deployedStatus":"` + string(deployed) + `"`
	}
	return recorded{Status: 200, Body: body + "}"}.answer()
}

func TestRead(t *testing.T) {
	text := func(code int, body string) Answer { return recorded{Status: code, Body: body + "\n"}.answer() }
	for _, test := range []struct {
		call   string
		answer Answer
		want   Progress
		ours   bool
	}{
		{"dig.approve", status("", Created), NotBegun, false},
		{"dig.approve", status("", Created, Approved), Done, true},
		{"dig.approve", status(Instantiated, Created, Approved, Instantiated), Done, true},

		{"dig.instantiate", status("", Created, Approved), NotBegun, false},
		{"dig.instantiate", status("", Created, Approved, Instantiated), UnderWay, true},
		{"dig.instantiate", status(Created, Created, Approved, Instantiated), UnderWay, true},
		{"dig.instantiate", status(Instantiating, Created, Approved, Instantiated), UnderWay, true},
		{"dig.instantiate", status(Instantiating, Created, Approved), UnderWay, false},
		{"dig.instantiate", status(Instantiated, Created, Approved, Instantiated), Done, true},
		{"dig.instantiate", status(InstantiateFailed, Created, Approved, Instantiated), GaveUp, true},
		{"dig.instantiate", status(Terminated, Created, Approved, Instantiated, Terminated), NotBegun, false},
		// The status lags: this is that of the time before.
		{"dig.instantiate", status(Terminated, Created, Approved, Instantiated, Terminated, Instantiated), UnderWay, true},
		{"dig.instantiate", status(Instantiated, Created, Approved, Instantiated, Terminated), NotBegun, false},

		{"dig.terminate", status(Instantiated, Created, Approved, Instantiated), NotBegun, false},
		{"dig.terminate", status(Instantiated, Created, Approved, Instantiated, Terminated), UnderWay, true},
		{"dig.terminate", status(Terminating, Created, Approved, Instantiated, Terminated), UnderWay, true},
		{"dig.terminate", status(Terminated, Created, Approved, Instantiated, Terminated), Done, true},
		{"dig.terminate", status(TerminateFailed, Created, Approved, Instantiated, Terminated), GaveUp, true},
		// Rsync was told, but the orchestrator died before it wrote so down.
		{"dig.terminate", status(Terminated, Created, Approved, Instantiated), NotBegun, false},
		{"dig.terminate", text(400, "DeploymentIntentGroup not found: DeploymentIntentGroup not found"), Unknown, false},
		{"dig.terminate", text(500, "The server encountered an internal error"), Unknown, false},
		{"dig.terminate", text(200, ""), Unknown, false},
		{"dig.terminate", Answer{Outcome: Outcome{Kind: Refused, Words: "connection refused"}}, Unknown, false},

		{"dig.stop", status(InstantiateFailed, Created, Approved, Instantiated, InstantiateStopped), Done, true},
		{"dig.stop", status(Instantiating, Created, Approved, Instantiated, InstantiateStopped), UnderWay, true},
		{"dig.stop", status(Instantiating, Created, Approved, Instantiated), NotBegun, false},
		{"dig.stop-terminate", status(TerminateFailed, Created, Approved, Instantiated, Terminated, TerminateStopped), Done, true},
		{"dig.stop-terminate", status(Terminating, Created, Approved, Instantiated, Terminated), NotBegun, false},
		{"logical-cloud.stop", status(Instantiated, Created, Instantiated), NotBegun, false},
		{"logical-cloud.stop", status(Instantiated, Created, Instantiated, InstantiateStopped), Done, true},

		{"logical-cloud.instantiate", status("", Created), NotBegun, false},
		{"logical-cloud.instantiate", status(Instantiated, Created, Instantiated), Done, true},
		{"logical-cloud.terminate", status(Instantiated, Created, Instantiated), NotBegun, false},
		{"logical-cloud.terminate", status(Terminated, Created, Instantiated, Terminated), Done, true},
		{"logical-cloud.terminate", text(400, "Logical Cloud state not found\n{\"states\":{\"statusctxid\":\"\",\"actions\":null}}"), Unknown, false},
		{"logical-cloud.terminate", text(200, "Invalid delete status State"), Unknown, false},

		{"cluster-provider.create", text(200, `{"metadata":{"name":"p"}}`), Done, true},
		{"cluster-provider.create", text(404, "Cluster provider not found"), NotBegun, false},
		{"cluster-provider.create", text(404, "404 page not found"), Unknown, false},
		{"cluster-provider.create", text(500, "Error finding referencing resources"), Unknown, false},
	} {
		call, _ := CallNamed(test.call)
		got := call.Read(test.answer)
		if got.Progress != test.want || got.Ours != test.ours {
			t.Errorf("%s: %s reads as %s, ours %t (%s), want %s, %t", test.call, test.answer.Body, got.Progress, got.Ours, got.Text, test.want, test.ours)
		}
		if (got.Text == "") || got.Progress == Unknown && strings.Contains(got.Text, string(Terminated)) {
			t.Errorf("%s: %s has the text %q", test.call, test.answer.Body, got.Text)
		}
	}
}

// An update and a rollback end as an instantiate does: the AppContexts of the history tell which it was.
func TestReadReplaced(t *testing.T) {
	action := func(state State, instance, revision string) string {
		return `{"state":"` + string(state) + `","instance":"` + instance + `","revision":` + revision + `}`
	}
	first := []string{action(Created, "", "0"), action(Approved, "", "0"), action(Instantiated, "1", "1")}
	updated := append(first[:3:3], action(Updated, "1", "1"), action(Instantiated, "2", "2"))
	back := append(updated[:5:5], action(Updated, "2", "2"), action(Instantiated, "1", "3"))
	again := append(back[:7:7], action(Updated, "1", "3"), action(Instantiated, "4", "4"))
	for name, test := range map[string]struct {
		history          []string
		deployed         State
		update, rollback Progress
		revision         int
	}{
		"instantiated":            {first, Instantiated, NotBegun, NotBegun, 1},
		"between rsync and state": {first, Updated, NotBegun, NotBegun, 1},
		"half written":            {updated[:4], Updated, NotBegun, NotBegun, 1},
		"updated":                 {updated, Instantiated, Done, NotBegun, 2},
		"being updated":           {updated, Instantiating, UnderWay, UnderWay, 2},
		"failed":                  {updated, InstantiateFailed, GaveUp, NotBegun, 2},
		"rolled back":             {back, Instantiated, NotBegun, Done, 3},
		"updated again":           {again, Instantiated, Done, NotBegun, 4},
		"terminated":              {append(updated[:5:5], action(Terminated, "2", "0")), Terminated, NotBegun, NotBegun, 0},
		"said to be instantiated": {append(first[:3:3], action(Terminated, "1", "0"), action(Updated, "1", "0"), action(Instantiated, "1", "1")), Terminated, NotBegun, UnderWay, 1},
	} {
		answer := recorded{Status: 200, Body: `{"states":{"statusctxid":"1","actions":[` + strings.Join(test.history, ",") + `]},"deployedStatus":"` + string(test.deployed) + `"}`}.answer()
		for call, want := range map[string]Progress{"dig.update": test.update, "dig.rollback": test.rollback} {
			known, _ := CallNamed(call)
			if got := known.Read(answer); got.Progress != want || got.Status.Revision != test.revision {
				t.Errorf("%s, %s: %s at revision %d, want %s at %d", name, call, got.Progress, got.Status.Revision, want, test.revision)
			}
		}
	}
}

func TestCallRequests(t *testing.T) {
	names := mustNames(t, "run", 1)
	const dig = "projects/run-1/composite-apps/run-1-app/v1/deployment-intent-groups/run-1-dig"
	want := map[string][2]string{
		"dig.approve":               {dig + "/approve", dig + "/status?status=deployed"},
		"dig.instantiate":           {dig + "/instantiate", dig + "/status?status=deployed"},
		"dig.terminate":             {dig + "/terminate", dig + "/status?status=deployed"},
		"dig.update":                {dig + "/update", dig + "/status?status=deployed"},
		"dig.rollback":              {dig + "/rollback", dig + "/status?status=deployed"},
		"dig.migrate":               {dig + "/migrate", "projects/run-1/composite-apps/run-1-app/v2/deployment-intent-groups/run-1-dig-2/status?status=deployed"},
		"dig.stop":                  {dig + "/stop", dig + "/status?status=deployed"},
		"dig.stop-terminate":        {dig + "/stop", dig + "/status?status=deployed"},
		"logical-cloud.stop":        {"projects/run-1/logical-clouds/run-1-cloud/stop", "projects/run-1/logical-clouds/run-1-cloud/status?"},
		"logical-cloud.instantiate": {"projects/run-1/logical-clouds/run-1-cloud/instantiate", "projects/run-1/logical-clouds/run-1-cloud/status?"},
		"logical-cloud.terminate":   {"projects/run-1/logical-clouds/run-1-cloud/terminate", "projects/run-1/logical-clouds/run-1-cloud/status?"},
		"cluster-provider.create":   {"cluster-providers", "cluster-providers/run-1?"},
		"cluster.create":            {"cluster-providers/run-1/clusters", "cluster-providers/run-1/clusters/run-1-edge?"},
		"cluster-label.create":      {"cluster-providers/run-1/clusters/run-1-edge/labels", "cluster-providers/run-1/clusters/run-1-edge/labels/run-1-label?"},
	}
	for number, word := range map[string]string{"2": "dig2", "3": "dig3"} {
		own := "projects/run-1/composite-apps/run-1-app/v" + number + "/deployment-intent-groups/run-1-dig-" + number
		for _, verb := range []string{"approve", "instantiate", "terminate"} {
			want[word+"."+verb] = [2]string{own + "/" + verb, own + "/status?status=deployed"}
		}
	}
	for _, call := range calls {
		request := call.Request(names, Material{Kubeconfig: []byte("kind: Config")})
		state := call.Status(names)
		if got := [2]string{request.Anchor, state.Anchor + "?" + state.Query}; got != want[call.Name] {
			t.Errorf("%s: %v, want %v", call.Name, got, want[call.Name])
		}
		if request.Method != http.MethodPost || state.Method != http.MethodGet {
			t.Errorf("%s: methods %s, %s", call.Name, request.Method, state.Method)
		}
		if (request.JSON != nil) != (call.Creates != "" || call.Body != nil) || (request.File != nil) != (call.Creates == Cluster) {
			t.Errorf("%s: body %v, file %v", call.Name, request.JSON, request.File)
		}
		if ServiceOf(request.Anchor) != call.Service || ServiceOf(state.Anchor) != call.Service {
			t.Errorf("%s: goes to %s and %s, want %s", call.Name, ServiceOf(request.Anchor), ServiceOf(state.Anchor), call.Service)
		}
		for _, other := range []string{call.During, call.Opposite} {
			if _, known := CallNamed(other); other != "" && !known {
				t.Errorf("%s: there is no call %s", call.Name, other)
			}
		}
		if err := call.Given.Check(); err != nil {
			t.Errorf("%s: its given: %v", call.Name, err)
		}
	}
	migrate, _ := CallNamed("dig.migrate")
	body := migrate.Request(names, Material{}).JSON.(map[string]any)["spec"].(fields)
	if body["targetCompositeAppVersion"] != "v2" || body["targetDeploymentIntentGroup"] != "run-1-dig-2" {
		t.Errorf("%s: body %v", migrate.Name, body)
	}
	if len(want) != len(calls) {
		t.Errorf("%d calls, want %d", len(calls), len(want))
	}
}
