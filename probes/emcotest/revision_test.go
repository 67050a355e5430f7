package emcotest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const rollbackToFirst = `{"metadata":{"description":"back"},"spec":{"revision":"1"}}`

// status is what EMCO says of a path.
type status struct {
	States struct {
		ContextID string `json:"statusctxid"`
		Actions   []struct {
			State    string
			Instance string
			Revision int
		}
	}
	DeployedStatus string
	DeployedCounts map[string]int
}

func (p *processes) status(path string) (s status) {
	p.Helper()
	got := p.get(path + "/status?status=deployed&output=summary")
	if err := json.Unmarshal([]byte(got.body), &s); err != nil || got.status != http.StatusOK {
		p.Fatalf("status: %d %s %v", got.status, got.body, err)
	}
	return s
}

// history is a history in one line, such as "Updated 1, Instantiated 2".
func (s status) history() string {
	var words []string
	for _, action := range s.States.Actions {
		words = append(words, fmt.Sprintf("%s %d", action.State, action.Revision))
	}
	return strings.Join(words, ", ")
}

// A call with a body, and what it leads to.
type told struct {
	call, body string
	code       int
	text       string
	history    string // its end
	deployed   string
	onEdge     int
}

func (p *processes) tell(path string, several ...told) {
	p.Helper()
	for _, each := range several {
		got := p.do(http.MethodPost, path+"/"+each.call, nil, []byte(each.body))
		if got.status != each.code || got.body != each.text {
			p.Fatalf("%s: %d %q %v, want %d %q", each.call, got.status, got.body, got.err, each.code, each.text)
		}
		if each.deployed == "" {
			continue
		}
		p.reach(p.T, path, each.deployed)
		p.stays(each.deployed, func() bool { return p.deployed(path) == each.deployed })
		if now := p.status(path).history(); !strings.HasSuffix(now, each.history) {
			p.Errorf("%s: history %s, want it to end in %s", each.call, now, each.history)
		}
		if count := p.onEdge(strings.Split(path, "/")[3]); count != each.onEdge {
			p.Errorf("%s: %d objects on the edge, want %d", each.call, count, each.onEdge)
		}
	}
}

// TestRevisions: EMCO's words, and that an updated group that was rolled back is torn down to nothing.
func TestRevisions(t *testing.T) {
	t.Parallel()
	p := startProcesses(t)
	const notInstantiated = "DeploymentIntentGroup is not instantiated :gms-collection-deployment-intent-group\n"
	const pattern = "Does not match pattern '^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$'\n"

	project := p.project()
	approved(t, p.caller, project)
	dig := digOf(project)
	p.tell(dig,
		told{call: "update", code: 500, text: notInstantiated},
		told{call: "rollback", body: rollbackToFirst, code: 500, text: "No matching ContextId found\n"},
		told{call: "instantiate", code: 202, deployed: "Instantiated", history: "Instantiated 1", onEdge: 4})
	first := p.status(dig).States.ContextID
	p.tell(dig,
		told{call: "rollback", body: `{"metadata":{},"spec":{}}`, code: 400, text: "Invalid Input:\n" + pattern},
		told{call: "rollback", code: 400, text: "Empty body\n"},
		told{call: "update", code: 202, text: "2\n", deployed: "Instantiated", history: "Instantiated 1, Updated 1, Instantiated 2", onEdge: 4},
		told{call: "update", code: 202, text: "3\n", deployed: "Instantiated", history: "Updated 2, Instantiated 3", onEdge: 4})
	updated := p.status(dig)
	if updated.States.ContextID != first || updated.DeployedCounts["Applied"] != 4 {
		t.Errorf("status %+v, want the statusctxid %s and 4 Applied", updated, first)
	}
	p.tell(dig, told{call: "rollback", body: rollbackToFirst, code: 202, deployed: "Instantiated", history: "Updated 3, Instantiated 4", onEdge: 4})
	back := p.status(dig)
	if last := back.States.Actions[len(back.States.Actions)-1]; back.States.ContextID != first || last.Instance != first {
		t.Errorf("status %+v, want the statusctxid and the last AppContext %s", back, first)
	}
	p.tell(dig,
		told{call: "terminate", code: 202, deployed: "Terminated", history: "Terminated 0", onEdge: 0},
		told{call: "update", code: 500, text: notInstantiated},
		// What EMCO does of itself: it says Instantiated, and nothing is.
		told{call: "rollback", body: rollbackToFirst, code: 202, deployed: "Terminated", history: "Terminated 0, Updated 0, Instantiated 1", onEdge: 0},
		told{call: "instantiate", code: 500, text: "DeploymentIntentGroup has already been instantiatedgms-collection-deployment-intent-group\n"})
}

// TestUpdateChanges: what the intents no longer want leaves the edge, and comes back with a rollback.
func TestUpdateChanges(t *testing.T) {
	t.Parallel()
	p := startProcesses(t)
	project := p.project()
	instantiated(t, p.caller, project)
	dig := digOf(project)
	for _, path := range []string{
		dig + "/generic-placement-intents/gms-collection-placement-intent/app-intents/adservice-placement-intent",
		"/v2/projects/" + project + "/" + gmsCompositeApp + "/composite-profiles/gms-collection-composite-profile/profiles/adservice-profile",
		"/v2/projects/" + project + "/" + gmsCompositeApp + "/apps/adservice",
	} {
		if got := p.delete(path); got.status != http.StatusNoContent {
			t.Fatalf("DELETE %s: %d %s", path, got.status, got.body)
		}
	}
	p.tell(dig, told{call: "update", code: 202, text: "2\n", deployed: "Instantiated", history: "Instantiated 2", onEdge: 2})
	p.link("rsync", "edge").hold()
	p.tell(dig, told{call: "rollback", body: rollbackToFirst, code: 202})
	p.reach(t, dig, "Instantiating")
	p.kill("rsync")
	p.link("rsync", "edge").drop()
	p.link("rsync", "edge").release()
	p.start("rsync")
	p.reach(t, dig, "Instantiated")
	if count := p.onEdge(project); count != 4 {
		t.Errorf("%d objects on the edge, want 4", count)
	}
}

// TestMigrate: the target takes over, and the source has nothing to terminate.
func TestMigrate(t *testing.T) {
	t.Parallel()
	p := startProcesses(t)
	project := p.project()
	instantiated(t, p.caller, project)
	dig := digOf(project)
	other := dig + "-2"
	const body = `{"metadata":{},"spec":{"targetCompositeAppVersion":"v1","targetDeploymentIntentGroup":"gms-collection-deployment-intent-group-2"}}`
	p.tell(dig, told{call: "migrate", body: body, code: 404, text: "DeploymentIntentGroup not found\n"})

	var second []step
	for _, each := range prefixed(group(project, gmsProvider), project) {
		if strings.Contains(each.path, "/"+gmsDIG) || strings.HasSuffix(each.path, "/deployment-intent-groups") {
			each.path = strings.Replace(each.path, gmsDIG, gmsDIG+"-2", 1)
			each.body = strings.Replace(each.body, `"gms-collection-deployment-intent-group"`, `"gms-collection-deployment-intent-group-2"`, 1)
			second = append(second, each)
		}
	}
	create(t, p.caller, second)
	p.tell(dig, told{call: "migrate", body: body, code: 500, text: "DeploymentIntentGroup is not approved :gms-collection-deployment-intent-group-2\n"})
	p.accept(t, other+"/approve")
	p.tell(dig, told{call: "migrate", body: body, code: 202, deployed: "Updated", history: "Instantiated 1, Updated 0", onEdge: 4},
		told{call: "terminate", code: 500, text: "DeploymentIntentGroup is not instantiated :gms-collection-deployment-intent-group\n"})
	p.reach(t, other, "Instantiated")
	if now := p.status(other); now.States.ContextID != p.status(dig).States.ContextID || !strings.HasSuffix(now.history(), "Approved 0, Instantiated 0") {
		t.Errorf("target: %+v", now)
	}
	p.tell(other, told{call: "terminate", code: 202, deployed: "Terminated", history: "Terminated 0", onEdge: 0})
}

// TestStop: a group is stopped while it is under way and at no other time, a logical cloud when it is Instantiated.
func TestStop(t *testing.T) {
	t.Parallel()
	p := startProcesses(t)
	const notUnderWay = "DeploymentIntentGroup is not instantiating or terminating:gms-collection-deployment-intent-group\n"
	project := p.project()
	approved(t, p.caller, project)
	dig := digOf(project)
	p.tell(dig, told{call: "stop", code: 500, text: notUnderWay})
	edge := p.link("rsync", "edge")
	edge.hold()
	p.tell(dig, told{call: "instantiate", code: 202})
	p.reach(t, dig, "Instantiating")
	eventually(t, "rsync waits for the edge", func() bool { return edge.waiting() > 0 })
	p.tell(dig, told{call: "stop", code: 202, deployed: "InstantiateFailed", history: "Instantiated 1, InstantiateStopped 0"})
	edge.drop()
	edge.release()
	p.tell(dig, told{call: "stop", code: 500, text: notUnderWay},
		told{call: "terminate", code: 202, deployed: "Terminated", history: "InstantiateStopped 0, Terminated 0"},
		told{call: "instantiate", code: 202, deployed: "Instantiated", history: "Instantiated 1", onEdge: 4},
		told{call: "stop", code: 500, text: notUnderWay})
	edge.hold()
	p.tell(dig, told{call: "terminate", code: 202})
	p.reach(t, dig, "Terminating")
	eventually(t, "rsync waits for the edge", func() bool { return edge.waiting() > 0 })
	p.tell(dig, told{call: "stop", code: 202, deployed: "TerminateFailed", history: "Terminated 0, TerminateStopped 0", onEdge: 4})
	edge.drop()
	edge.release()
	p.tell(dig, told{call: "instantiate", code: 202, deployed: "Instantiated", history: "TerminateStopped 0, Instantiated 1", onEdge: 4},
		told{call: "terminate", code: 202, deployed: "Terminated", history: "Terminated 0"})

	alone := p.project()
	create(t, p.caller, cloud(alone, gmsProvider))
	p.accept(t, cloudOf(alone)+"/instantiate")
	p.reach(t, cloudOf(alone), "Instantiated")
	p.tell(cloudOf(alone), told{call: "stop", code: 200, deployed: "Instantiated", history: "Instantiated 1, InstantiateStopped 2"},
		told{call: "terminate", code: 202, deployed: "Terminated", history: "InstantiateStopped 2, Terminated 3"})
}
