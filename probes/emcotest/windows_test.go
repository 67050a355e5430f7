package emcotest_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
)

// Each window does harm, and the harm is the one that it is named after.
func TestKilledInWindow(t *testing.T) {
	t.Parallel()
	// Each case makes what the call works on, kills the service in the window, and looks.
	for name, killed := range map[bug.Bug]func(p *processes, project string){
		bug.BehindInAppContext: func(p *processes, project string) {
			link := p.link("orchestrator", "etcd")
			link.holdRequests("/app/currencyservice/")
			p.killedInFlight(digOf(project)+"/instantiate", link)
			eventually(p.T, "one of two apps is on the edge", func() bool { return p.onEdge(project) == 2 })
			if state := p.deployed(digOf(project)); state != "" {
				p.Errorf("state %q, want none", state)
			}
		},
		bug.StuckBeforeRsync: func(p *processes, project string) {
			p.heldAtRsync(digOf(project) + "/instantiate")
			const text = "internal error"
			refusedWith(p.T, p.get(digOf(project)+"/status"), http.StatusInternalServerError, text)
			refusedWith(p.T, p.post(digOf(project)+"/instantiate"), http.StatusInternalServerError, text)
			refusedWith(p.T, p.delete(digOf(project)), http.StatusInternalServerError, text)
			if got := p.get(digOf(project)); got.status != http.StatusOK {
				p.Errorf("GET: %+v, want 200", got)
			}
		},
		bug.StuckInReinstantiate: func(p *processes, project string) {
			p.heldAtRsync(digOf(project) + "/instantiate") // for the first time: no harm
			p.cycle(digOf(project))
			p.heldAtRsync(digOf(project) + "/instantiate")
			refusedWith(p.T, p.post(digOf(project)+"/instantiate"), http.StatusInternalServerError, "already been instantiated")
			p.reach(p.T, digOf(project), "Terminated")
		},
		bug.LeaksOnEdgeBeforeState: func(p *processes, project string) {
			store := p.link("orchestrator", "mongo")
			store.holdRequests(`"state":"Instantiated"`)
			p.killedInFlight(digOf(project)+"/instantiate", store)
			p.cycle(digOf(project))
			p.stays("an object stays", func() bool { return p.onEdge(project) == 1 })
		},
		bug.EndsFailedBeforeRsync: func(p *processes, project string) {
			p.accept(p.T, digOf(project)+"/instantiate")
			p.reach(p.T, digOf(project), "Instantiated")
			p.heldAtRsync(digOf(project) + "/terminate")
			p.reach(p.T, digOf(project), "Terminated")
			p.accept(p.T, digOf(project)+"/terminate")
			p.reach(p.T, digOf(project), "TerminateFailed")
		},
		bug.LateBeforeRsync: func(p *processes, project string) {
			p.accept(p.T, digOf(project)+"/instantiate")
			p.reach(p.T, digOf(project), "Instantiated")
			p.heldAtRsync(digOf(project) + "/terminate")
			p.accept(p.T, digOf(project)+"/terminate")
			p.stays("nothing is done", func() bool { return p.deployed(digOf(project)) == "Instantiated" && p.onEdge(project) == 4 })
			p.kill("rsync")
			p.start("rsync")
			p.reach(p.T, digOf(project), "Terminated")
		},
		bug.LeaksCloudBeforeRsync: func(p *processes, project string) {
			p.accept(p.T, cloudOf(project)+"/instantiate")
			p.reach(p.T, cloudOf(project), "Instantiated")
			p.heldAtRsync(cloudOf(project) + "/terminate")
			p.accept(p.T, cloudOf(project)+"/terminate")
			p.reach(p.T, cloudOf(project), "Terminated")
			for range 2 {
				if got := p.delete(cloudOf(project)); got.status != http.StatusNoContent {
					p.Errorf("DELETE: %+v, want 204", got)
				}
				if got := p.get(cloudOf(project)); got.status != http.StatusOK {
					p.Errorf("GET after it: %+v, want 200", got)
				}
			}
		},
		bug.NeverEndsBeforeState: func(p *processes, project string) {
			store := p.link("dcm", "mongo")
			store.holdRequests(`"state":"Instantiated"`)
			p.killedInFlight(cloudOf(project)+"/instantiate", store)
			p.accept(p.T, cloudOf(project)+"/instantiate")
			p.kill("rsync")
			p.start("rsync")
			p.stays("under way", func() bool { return p.deployed(cloudOf(project)) == "Created" })
			refusedWith(p.T, p.post(cloudOf(project)+"/terminate"), http.StatusConflict, "still instantiating")
		},
		bug.OppositeFailsBeforeRsync: func(p *processes, project string) {
			p.heldAtRsync(cloudOf(project) + "/instantiate")
			p.accept(p.T, cloudOf(project)+"/instantiate")
			p.reach(p.T, cloudOf(project), "Instantiated")
			p.accept(p.T, cloudOf(project)+"/terminate")
			p.reach(p.T, cloudOf(project), "TerminateFailed")
		},
		bug.DestroysOnRefusedDelete: func(p *processes, project string) {
			p.heldAtRsync(cloudOf(project) + "/instantiate")
			p.cycle(cloudOf(project))
			const text = "internal error"
			for range 2 {
				refusedWith(p.T, p.delete(cloudOf(project)+"/cluster-references/gms-lc-cl-1"), http.StatusInternalServerError, text)
			}
			refusedWith(p.T, p.get(cloudOf(project)+"/status"), http.StatusInternalServerError, text)
			refusedWith(p.T, p.post(cloudOf(project)+"/instantiate"), http.StatusInternalServerError, text)
		},
	} {
		t.Run(string(name), func(t *testing.T) {
			p := startProcesses(t, name)
			project := p.project()
			if slices.Equal(bug.Set{name: true}.Of("dcm").Names(), []string{string(name)}) {
				create(t, p.caller, cloud(project, gmsProvider))
			} else {
				approved(t, p.caller, project)
			}
			killed(p, project)
		})
	}
}

// With all windows on, nothing is different as long as no call is killed, whatever else becomes of calls and services.
func TestNotKilledInWindow(t *testing.T) {
	t.Parallel()
	p := startProcesses(t, slices.Collect(maps.Keys(bug.Windows()))...)
	project := p.project()
	approved(t, p.caller, project)
	p.cycle(digOf(project))

	// A call that fails in a window closes it.
	rsync := p.link("orchestrator", "rsync")
	rsync.refuse()
	if got := p.post(digOf(project) + "/instantiate"); got.status != http.StatusInternalServerError {
		t.Fatalf("POST instantiate without rsync: %+v, want 500", got)
	}
	rsync.resume(t)
	for _, name := range []string{"orchestrator", "dcm"} {
		p.kill(name)
		p.start(name)
	}
	p.cycle(digOf(project))
	if count := p.onEdge(project); count != 0 {
		t.Errorf("%d objects on the edge, want none", count)
	}
	alone := p.project()
	create(t, p.caller, cloud(alone, gmsProvider))
	p.cycle(cloudOf(alone))
	p.cycle(cloudOf(alone))
	for _, path := range []string{cloudOf(alone) + "/cluster-references/gms-lc-cl-1", cloudOf(alone)} {
		if got := p.delete(path); got.status != http.StatusNoContent || p.get(path).status == http.StatusOK {
			t.Errorf("DELETE %s: %+v, want 204 and it is gone", path, got)
		}
	}
}

// heldAtRsync kills the service of a call before the call reaches rsync.
func (p *processes) heldAtRsync(path string) {
	p.Helper()
	link := p.link(service(path), "rsync")
	link.hold()
	p.killedInFlight(path, link)
}

// cycle instantiates and terminates.
func (p *processes) cycle(path string) {
	p.Helper()
	for _, call := range []struct{ name, state string }{{"instantiate", "Instantiated"}, {"terminate", "Terminated"}} {
		p.accept(p.T, path+"/"+call.name)
		p.reach(p.T, path, call.state)
	}
}

func (c caller) delete(path string) answer { return c.do(http.MethodDelete, path, nil, nil) }
