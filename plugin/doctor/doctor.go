// Package doctor finds out whether experiments can be run on a target of a
// Kubernetes cluster: whether the cluster, Chaos Mesh, our rights, the
// target's pods and its endpoints are as a run needs them, and whether an
// earlier run left something. Each finding says what is wrong and how to mend
// it.
//
// Nothing that is not its own is changed. What a check tries out, it takes
// back.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/probes/target"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// DefaultChaosMeshNamespace is where Chaos Mesh's own instructions install it.
const DefaultChaosMeshNamespace = "chaos-mesh"

// Discovery tells what the API server is and has; client-go's discovery
// client does.
type Discovery interface {
	ServerVersionWithContext(ctx context.Context) (*version.Info, error)
	ServerResourcesForGroupVersionWithContext(ctx context.Context, groupVersion string) (*metav1.APIResourceList, error)
}

// Options say what is looked at, and by what means. Those without a word on
// what a zero means are required.
type Options struct {
	Target *target.Target
	// TargetFile is the target's file, for the commands that mend something.
	TargetFile string
	// Server is the API server's address, for the reader.
	Server string
	// Client reads the cluster; its scheme has Chaos Mesh's kinds.
	Client    client.Client
	Discovery Discovery
	// ChaosMesh is the namespace of Chaos Mesh; empty is
	// [DefaultChaosMeshNamespace].
	ChaosMesh string
	// Controller is the namespace of our controller, whose rights are then
	// looked at too; empty leaves them out.
	Controller string
	// Reach asks a service of the target whether it is there, and returns its
	// answer; nil counts any HTTP answer of its URL.
	Reach func(ctx context.Context, service, url string) (string, error)
	// Open starts a driver on the target, with others kept off it, for trying
	// faults out; nil leaves that out. A lease's HeldError says that a run is
	// under way.
	Open func(ctx context.Context) (Driver, error)
	// Run names what is tried out, as a run's name does.
	Run string
	// Limit is how long each check may take, and InjectLimit how long each
	// fault that is tried out; 0 are 15 and 30 seconds.
	Limit       time.Duration
	InjectLimit time.Duration
}

// Driver puts faults on the target until it is closed.
type Driver struct {
	engine.Driver
	Close func() error
}

// check is one thing that is looked at.
type check struct {
	name string
	// needs are the checks without which this one tells nothing.
	needs []string
	look  func(ctx context.Context, e *examination)
	// unlimited says that the check has limits of its own.
	unlimited bool
}

// The names of the checks.
const (
	clusterCheck    = "cluster"
	chaosMeshCheck  = "chaos-mesh"
	controllerCheck = "controller"
	rightsCheck     = "rights"
	podsCheck       = "pods"
	daemonCheck     = "daemon"
	slicesCheck     = "endpoints"
	reachCheck      = "reach"
	leftoversCheck  = "leftovers"
	injectCheck     = "inject"
)

func checks() []check {
	return []check{
		{name: clusterCheck, look: lookAtCluster},
		{name: chaosMeshCheck, needs: []string{clusterCheck}, look: lookAtChaosMesh},
		{name: controllerCheck, needs: []string{clusterCheck, chaosMeshCheck}, look: lookAtController},
		{name: rightsCheck, needs: []string{clusterCheck}, look: lookAtRights},
		{name: podsCheck, needs: []string{clusterCheck}, look: lookAtPods},
		{name: daemonCheck, needs: []string{clusterCheck, chaosMeshCheck, controllerCheck}, look: lookAtDaemon},
		{name: slicesCheck, needs: []string{clusterCheck}, look: lookAtSlices},
		{name: reachCheck, look: lookAtServices, unlimited: true},
		{name: leftoversCheck, needs: []string{clusterCheck, chaosMeshCheck}, look: lookAtLeftovers},
		{name: injectCheck, needs: []string{clusterCheck, chaosMeshCheck, controllerCheck, rightsCheck, daemonCheck}, look: tryFaults, unlimited: true},
	}
}

// examination is one look at a target, and what has been found so far.
type examination struct {
	Options
	tell   func(Finding)
	report Report
	// check is the one that is under way, and failed what came to nothing.
	check  string
	failed map[string]bool
	// pods are those of each service that were found, in the target's order.
	pods map[string][]Pod
	// dead is who died and still holds the target; empty when nobody does.
	dead string
	// stuck are the namespaces in which we may not free a pod of a network
	// fault that cannot be injected.
	stuck map[string]bool
	// we is who we are, as kubectl's flags name it.
	we string
}

// Examine looks at everything, one thing after another, and tells each
// finding as it comes. A check that needs what an earlier one found wrong is
// skipped, and the finding says so.
func Examine(ctx context.Context, options Options, tell func(Finding)) (Report, error) {
	if options.Target.Driver.Kubernetes == nil {
		return Report{}, fmt.Errorf("target %s: its driver is not kubernetes, so there is no cluster to look at; name a target with driver: {kubernetes: {}}", options.Target.Name)
	}
	if options.ChaosMesh == "" {
		options.ChaosMesh = DefaultChaosMeshNamespace
	}
	if options.Reach == nil {
		options.Reach = AnyAnswer
	}
	if options.Limit == 0 {
		options.Limit = 15 * time.Second
	}
	if options.InjectLimit == 0 {
		options.InjectLimit = 30 * time.Second
	}
	e := &examination{
		Options: options, tell: tell,
		report: Report{Target: options.Target.Name, Findings: []Finding{}},
		failed: map[string]bool{}, pods: map[string][]Pod{}, stuck: map[string]bool{}, we: "--user=NAME",
	}
	for _, check := range checks() {
		if ctx.Err() == nil {
			e.run(ctx, check)
		}
		if ctx.Err() != nil {
			return e.report, fmt.Errorf("look at target %s: %w", options.Target.Name, context.Cause(ctx))
		}
	}
	return e.report, nil
}

func (e *examination) run(ctx context.Context, check check) {
	e.check = check.name
	for _, need := range check.needs {
		if e.failed[need] {
			e.failed[check.name] = true
			e.found(Finding{State: Skipped, Message: "not looked at, since " + need + " has failed"})
			return
		}
	}
	if !check.unlimited {
		limited, cancel := context.WithTimeoutCause(ctx, e.Limit, fmt.Errorf("no answer within %s", e.Limit))
		defer cancel()
		ctx = limited
	}
	check.look(ctx, e)
}

func (e *examination) found(finding Finding) {
	finding.Check = e.check
	if finding.State == Fail {
		e.failed[e.check] = true
	}
	e.report.add(finding)
	if e.tell != nil {
		e.tell(finding)
	}
}

func (e *examination) ok(subject, format string, args ...any) {
	e.found(Finding{State: OK, Subject: subject, Message: fmt.Sprintf(format, args...)})
}

func (e *examination) warn(subject, remedy, format string, args ...any) {
	e.found(Finding{State: Warn, Subject: subject, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (e *examination) fail(subject, remedy, format string, args ...any) {
	e.found(Finding{State: Fail, Subject: subject, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

// command is one of ours on this target.
func (e *examination) command(name string) string {
	file := e.TargetFile
	if file == "" {
		file = "FILE"
	}
	return "emco-chaos " + name + " --target " + file
}

// services are the names of the target's services, sorted.
func (e *examination) services() []string { return slices.Sorted(maps.Keys(e.Target.Services)) }

// namespaces are those that the target has pods in, sorted.
func (e *examination) namespaces() []string {
	var names []string
	for _, service := range e.Target.Services {
		if service.HasPods() {
			names = append(names, service.Namespace)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// cause is the error of a request, or what its context ended for.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		return context.Cause(ctx)
	}
	return err
}
