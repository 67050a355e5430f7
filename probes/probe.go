// Package probes observes an EMCO and acts on it. It knows EMCO's REST API and the
// edge, and no faults.
package probes

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Subject is one EMCO, and the resources there of one attempt of one run.
type Subject struct {
	Client *emco.Client
	Names  emco.Names
	Setup  Setup
	// Existing is set if the resources exist already. Then Names are chosen ones,
	// nothing is created or deleted, and calls are all that is done to them.
	Existing bool
	// Unanswered are calls without an answer that may still take effect, for as
	// long as Settle. A teardown waits for them.
	Unanswered []emco.Call
	Settle     time.Duration
	Recheck    bool     // the probe passed before: does what it found still hold?
	Slowest    *Slowest // of the attempt; may be nil
}

// task is one run of a probe.
type task struct {
	Subject
	Observer
	Probe
	call emco.Call // that the probe's argument names, if any
}

type (
	Observer   = activity.Observer
	Resource   = activity.Resource // its anchor is the path below /v2/, as in emcoctl's resource files
	Result     = activity.Result
	Conclusion = activity.Conclusion
)

// The states of a resource and the conclusions of a probe.
const (
	Making, Made, Removed, Left           = activity.Making, activity.Made, activity.Removed, activity.Left
	Passed, Failed, Inconclusive, Errored = activity.Passed, activity.Failed, activity.Inconclusive, activity.Errored
)

// Setup is what the target gives for an attempt's resources.
type Setup struct {
	Kubeconfig string   // the file with that of the edge cluster
	Rsync      string   // where EMCO reaches its gRPC port, as HOST:PORT
	Apps       []string // of the composite app

	interval, patience, quiet time.Duration // if not 0, replace those of each probe in tests
}

const (
	shortInterval   = 20 * time.Millisecond // for what is soon over
	steadyInterval  = 100 * time.Millisecond
	longestInterval = time.Second
	statusTimeout   = 5 * time.Second // of one GET
)

func (s Setup) pace(p pace) pace {
	p.interval = cmp.Or(s.interval, p.interval, steadyInterval)
	return p
}

func (s Setup) rsync() (host string, port int, err error) {
	host, text, err := net.SplitHostPort(s.Rsync)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || host == "" || port < 1 || port > 65535 {
		return "", 0, document.Problem{Field: "rsync", Message: fmt.Sprintf("%q is no address", s.Rsync),
			Remedy: "give HOST:PORT of rsync's gRPC port, as EMCO reaches it"}
	}
	return host, port, nil
}

// material is what the resources are made of; the kubeconfig only on demand.
func (s Subject) material(kubeconfig bool) (material emco.Material, err error) {
	material.Apps = s.Setup.Apps
	if kubeconfig {
		material.Kubeconfig, err = readKubeconfig(s.Setup.Kubeconfig)
	}
	return material, err
}

// send sends a request once. It fails if it could not, or EMCO refuses the token.
func (s Subject) send(ctx context.Context, request emco.Request) sample {
	return s.follow(ctx, request, s.Client.Do)
}

// follow sends a request as send does, by a method of the client's.
func (s Subject) follow(ctx context.Context, request emco.Request, do asks) sample {
	if request.Method == http.MethodGet { // one that hangs must not take all the time there is
		limited, cancel := context.WithTimeout(ctx, statusTimeout)
		defer cancel()
		ctx = limited
	}
	answer, err := do(ctx, request)
	if answer.Code == http.StatusUnauthorized || answer.Code == http.StatusForbidden {
		err = fmt.Errorf("%s %s: %s; give a token that EMCO takes", request.Method, request.Anchor, answer)
	}
	return sample{Answer: answer, err: err}
}

func (s Subject) get(ctx context.Context, anchor string) sample { return s.send(ctx, emco.Get(anchor)) }

func (s Subject) request(call emco.Call) (emco.Request, error) {
	if call.Creates == "" {
		return call.Request(s.Names, emco.Material{}), nil
	}
	if s.Existing {
		return emco.Request{}, document.Problem{Field: "call", Remedy: "run it on resources of its own",
			Message: fmt.Sprintf("%s makes a %s, and a run on existing resources makes nothing", call.Name, call.Creates)}
	}
	material, err := s.material(call.Creates == emco.Cluster)
	return call.Request(s.Names, material), err
}
