package emcotest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
)

// refusedWith demands a refusal with a text.
func refusedWith(t *testing.T, got answer, status int, text string) {
	t.Helper()
	if got.status != status || !strings.Contains(got.body, text) {
		t.Fatalf("answer %d %q %v, want %d with %q", got.status, got.body, got.err, status, text)
	}
}

// The first window: nothing has reached rsync.
func TestKilledBeforeRsync(t *testing.T) {
	t.Parallel()
	p := startProcesses(t)
	holds := map[string]func() *proxy{
		"held at etcd": func() *proxy {
			p.link("orchestrator", "etcd").hold()
			return p.link("orchestrator", "etcd")
		},
		"held at mongo": func() *proxy {
			p.link("orchestrator", "mongo").hold()
			return p.link("orchestrator", "mongo")
		},
		"held at rsync": func() *proxy {
			p.link("orchestrator", "rsync").hold()
			return p.link("orchestrator", "rsync")
		},
		"in the midst of the AppContext": func() *proxy {
			p.link("orchestrator", "etcd").holdRequests("/app/currencyservice/")
			return p.link("orchestrator", "etcd")
		},
	}
	for name, hold := range holds {
		t.Run(name, func(t *testing.T) {
			project := p.project()
			approved(t, p.caller, project)
			p.killedInFlight(digOf(project)+"/instantiate", hold())
			p.stays("no state, nothing on the edge", func() bool {
				return p.deployed(digOf(project)) == "" && p.onEdge(project) == 0
			})
			p.accept(t, digOf(project)+"/instantiate")
			p.reach(t, digOf(project), "Instantiated")
			if count := p.onEdge(project); count != 4 {
				t.Errorf("%d objects on the edge, want 4", count)
			}
			if name == "in the midst of the AppContext" {
				return // a termination writes none
			}
			p.killedInFlight(digOf(project)+"/terminate", hold())
			p.stays("Instantiated, all on the edge", func() bool {
				return p.deployed(digOf(project)) == "Instantiated" && p.onEdge(project) == 4
			})
			p.accept(t, digOf(project)+"/terminate")
			p.reach(t, digOf(project), "Terminated")
			if count := p.onEdge(project); count != 0 {
				t.Errorf("%d objects on the edge, want none", count)
			}
		})
	}
}

// The second window: rsync has the event, the store does not know.
func TestKilledBetweenRsyncAndState(t *testing.T) {
	t.Parallel()
	p := startProcesses(t)
	project := p.project()
	approved(t, p.caller, project)
	rsync := p.link("orchestrator", "rsync")

	rsync.holdAnswers()
	p.killedInFlight(digOf(project)+"/instantiate", rsync)
	eventually(t, "the workload appears on the edge", func() bool { return p.onEdge(project) == 4 })
	if state := p.deployed(digOf(project)); state != "" {
		t.Errorf("state %q, want none", state)
	}
	refusedWith(t, p.post(digOf(project)+"/terminate"), http.StatusInternalServerError, "DeploymentIntentGroup is not instantiated :")
	p.accept(t, digOf(project)+"/instantiate")
	p.reach(t, digOf(project), "Instantiated")

	rsync.holdAnswers()
	p.killedInFlight(digOf(project)+"/terminate", rsync)
	eventually(t, "the workload disappears", func() bool { return p.onEdge(project) == 0 })
	p.reach(t, digOf(project), "Terminated")
	p.accept(t, digOf(project)+"/terminate")
	p.reach(t, digOf(project), "TerminateFailed")
	if got := p.get(digOf(project) + "/status?status=deployed&output=summary"); !strings.Contains(got.body, `"deployedCounts":{"Deleted":4}`) {
		t.Errorf("status %s, want every resource Deleted", got.body)
	}
}

// The third window: the store knows, the caller does not.
func TestKilledAfterState(t *testing.T) {
	t.Parallel()
	p := startProcesses(t)
	project := p.project()
	approved(t, p.caller, project)
	store := p.link("orchestrator", "mongo")

	store.holdAnswersTo(`"state":"Instantiated"`)
	p.killedInFlight(digOf(project)+"/instantiate", store)
	p.reach(t, digOf(project), "Instantiated")
	refusedWith(t, p.post(digOf(project)+"/instantiate"), http.StatusInternalServerError, "DeploymentIntentGroup has already been instantiated")

	store.holdAnswersTo(`"state":"Terminated"`)
	p.killedInFlight(digOf(project)+"/terminate", store)
	p.reach(t, digOf(project), "Terminated")
	refusedWith(t, p.post(digOf(project)+"/terminate"), http.StatusInternalServerError, "DeploymentIntentGroup is not instantiated :")
}

// Whatever is killed after the 202, it completes by itself.
func TestKilledAfterAccepted(t *testing.T) {
	t.Parallel()
	p := startProcesses(t)
	for _, victim := range []string{"orchestrator", "rsync", "etcd", "mongo", "edge"} {
		t.Run(victim, func(t *testing.T) {
			project := p.project()
			approved(t, p.caller, project)
			for _, call := range []struct{ name, state string }{{"instantiate", "Instantiated"}, {"terminate", "Terminated"}} {
				edge := p.link("rsync", "edge")
				edge.hold()
				p.accept(t, digOf(project)+"/"+call.name)
				eventually(t, "rsync waits for the edge", func() bool { return edge.waiting() > 0 })
				p.kill(victim)
				p.start(victim)
				edge.drop()
				edge.release()
				p.reach(t, digOf(project), call.state)
			}
		})
	}
}

// A logical cloud's windows are the same.
func TestLogicalCloudKilled(t *testing.T) {
	t.Parallel()
	p := startProcesses(t)
	for _, at := range []string{"etcd", "mongo"} {
		t.Run("before rsync, held at "+at, func(t *testing.T) {
			project := p.project()
			create(t, p.caller, cloud(project, gmsProvider))
			link := p.link("dcm", at)
			link.hold()
			p.killedInFlight(cloudOf(project)+"/instantiate", link)
			p.stays("no state", func() bool { return p.deployed(cloudOf(project)) == "" })
			p.accept(t, cloudOf(project)+"/instantiate")
			p.reach(t, cloudOf(project), "Instantiated")
			link.hold()
			p.killedInFlight(cloudOf(project)+"/terminate", link)
			p.stays("Instantiated", func() bool { return p.deployed(cloudOf(project)) == "Instantiated" })
			p.accept(t, cloudOf(project)+"/terminate")
			p.reach(t, cloudOf(project), "Terminated")
		})
	}
	t.Run("after the state", func(t *testing.T) {
		project := p.project()
		create(t, p.caller, cloud(project, gmsProvider))
		store := p.link("dcm", "mongo")
		store.holdAnswersTo(`"state":"Instantiated"`)
		p.killedInFlight(cloudOf(project)+"/instantiate", store)
		p.reach(t, cloudOf(project), "Instantiated")
		refusedWith(t, p.post(cloudOf(project)+"/instantiate"), http.StatusConflict, "The Logical Cloud is already instantiated")
	})
}

func TestLoseState(t *testing.T) {
	t.Parallel()
	p := startProcesses(t, bug.LoseState)
	project := p.project()
	approved(t, p.caller, project)
	edge := p.link("rsync", "edge")

	edge.hold()
	p.accept(t, digOf(project)+"/instantiate")
	eventually(t, "rsync waits for the edge", func() bool { return edge.waiting() > 0 })
	p.kill("orchestrator")
	p.start("orchestrator")
	eventually(t, "forgotten", func() bool { return p.deployed(digOf(project)) == "" })
	edge.release()
	p.stays("forgotten, nothing on the edge", func() bool { return p.deployed(digOf(project)) == "" && p.onEdge(project) == 0 })

	p.accept(t, digOf(project)+"/instantiate")
	p.reach(t, digOf(project), "Instantiated")
	p.kill("orchestrator")
	p.start("orchestrator")
	p.stays("what was finished is not forgotten", func() bool { return p.deployed(digOf(project)) == "Instantiated" })

	edge.hold()
	p.accept(t, digOf(project)+"/terminate")
	eventually(t, "rsync waits for the edge", func() bool { return edge.waiting() > 0 })
	p.kill("orchestrator")
	p.start("orchestrator")
	eventually(t, "forgotten", func() bool { return p.deployed(digOf(project)) == "Instantiated" })
	edge.release()
	p.stays("forgotten, all on the edge", func() bool { return p.deployed(digOf(project)) == "Instantiated" && p.onEdge(project) == 4 })
	p.accept(t, digOf(project)+"/terminate")
	p.reach(t, digOf(project), "Terminated")
}
