// Package doctor finds out whether experiments can be run on a target: whether
// the cluster, Chaos Mesh, our rights, the target's pods and its endpoints are
// as a run needs them, or the processes and links of a local one, and whether
// an earlier run left something. Each finding says what is wrong and how to
// mend it.
//
// Nothing that is not its own is changed. What a check tries out, it takes
// back.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// injectLimit is how long each fault that is tried out may take.
const injectLimit = 30 * time.Second

// Discovery is the part of client-go's discovery client that is used.
type Discovery interface {
	ServerVersionWithContext(ctx context.Context) (*version.Info, error)
	ServerResourcesForGroupVersionWithContext(ctx context.Context, groupVersion string) (*metav1.APIResourceList, error)
}

// Options say what is looked at, and by what means. Those without a word on
// what a zero means are required; of a local target those of a cluster are not.
type Options struct {
	Target     *target.Target
	TargetFile string        // for the commands that mend something
	Server     string        // the API server's address, for the reader
	Client     client.Client // its scheme has Chaos Mesh's kinds
	Discovery  Discovery
	ChaosMesh  string           // its namespace
	Controller string           // the namespace of our controller, whose rights are looked at too; empty leaves them out
	LookUp     chaosmesh.LookUp // finds the addresses of services outside the cluster, by nil as the system does
	Run        string           // names what is tried out, as a run's name does
	Limit      time.Duration    // how long each check may take
	// Reach asks a service of the target whether it is there, and returns its answer.
	Reach func(ctx context.Context, service, url string) (string, error)
	// Front describes what stands in front of a service, as [Front] does.
	Front func(ctx context.Context, url string) (string, error)
	// Remains asks what dead runs left in the system under test, without a remedy; nil leaves that out.
	Remains func(ctx context.Context) (Finding, error)
	// Open starts a driver for trying faults out, with others kept off the target; nil
	// leaves that out, on a cluster. A HeldError of package lease is a run under way.
	Open func(ctx context.Context) (Driver, error)
	// Outage takes a service down for a moment and returns what its clients saw,
	// as [run.Target.Front] does; nil leaves that out.
	Outage func(ctx context.Context, service string) (engine.Outcome, error)
	// Hold cuts a call off from its back end; nil tries no hold.
	Hold func(ctx context.Context) (engine.Outcome, error)
}

// Driver puts faults on the target until it is closed.
type Driver interface {
	engine.Driver
	Close() error
}

// check is a row of the table of checks.
type check struct {
	name      string
	needs     string                      // names of the checks without which this one says nothing
	over      func(*examination) []string // the subjects to look at; nil leaves them to run
	none      Finding                     // when there is no subject
	run       func(ctx context.Context, e *examination, subject string)
	sound     string // the message when nothing was found wrong; empty leaves it to run
	unlimited bool   // it has limits of its own
}

// These rows are in the tables of both drivers.
var (
	filesCheck = check{name: "files", over: (*examination).named, run: checkFiles, sound: "the target's files are for those who need them"}
	noLabels   = Finding{
		State: Fail, Message: "no service of the target has labels, so no fault can select anything",
		Remedy: "write namespace and labels under services in the target file",
	}
	reachCheck = check{
		name: "reach", needs: "start", over: (*examination).reachable, run: checkReach, unlimited: true,
		none: Finding{State: Warn, Message: "no service of the target has a URL, so none was asked", Remedy: "write url: under services in the target file"},
	}
	frontCheck     = check{name: "front", needs: "reach", over: (*examination).reachable, run: checkFront, unlimited: true}
	resourcesCheck = check{name: "resources", needs: "reach", run: checkResources}
	holdCheck      = check{name: "hold", needs: "reach inject", over: (*examination).holding, run: checkHold, unlimited: true}
	outageCheck    = check{name: "outage", needs: "reach inject", over: (*examination).stopped, run: checkOutage, unlimited: true}
)

// clusterChecks is the table of checks of a target on a cluster, in their order.
var clusterChecks = []check{
	filesCheck,
	{name: "cluster", run: checkCluster},
	{name: "chaos-mesh", needs: "cluster", run: checkKinds},
	{name: "controller", needs: "cluster chaos-mesh", run: checkController},
	{name: "rights", needs: "cluster", over: (*examination).places, run: checkRights},
	{name: "pods", needs: "cluster", over: (*examination).selecting, run: checkPods, none: noLabels},
	{name: "daemon", needs: "cluster chaos-mesh controller", run: checkDaemon},
	{name: "endpoints", needs: "cluster", over: (*examination).namespaces, run: checkEndpoints},
	{name: "names", over: (*examination).outside, run: checkName},
	reachCheck,
	frontCheck,
	resourcesCheck,
	{
		name: "leftovers", needs: "cluster chaos-mesh", over: (*examination).namespaces, run: checkLeftovers,
		sound: "no fault and no lease of a dead run is there",
	},
	{name: "inject", needs: "cluster chaos-mesh controller rights daemon", run: checkInjection, unlimited: true},
	holdCheck,
	outageCheck,
}

// examination is one look at a target, and what has been found so far.
type examination struct {
	Options
	notify  func(Finding)
	report  Report
	check   string           // the one under way
	failed  map[string]bool  // the checks that failed or were skipped
	pods    map[string][]Pod // those that were found of each service
	expired string           // the run whose lease on the target has expired, or empty
	// denied are the resources on which we lack a right, as NAMESPACE/RESOURCE,
	// and those that the cluster does not have, as /RESOURCE.
	denied map[string]bool
	self   string // who we are, as kubectl's flags name it

	local  *local.Description // of a local target; empty until it was read
	taken  bool               // another process runs it
	driver Driver             // that of a local target, while it runs
}

// Examine goes through the table of checks, and notifies of each finding as it
// comes. A check that needs what an earlier one found wrong is skipped.
func Examine(ctx context.Context, options Options, notify func(Finding)) (report Report, err error) {
	e := &examination{
		Options: options, notify: notify,
		report: Report{Target: options.Target.Name, Findings: []Finding{}},
		failed: map[string]bool{}, pods: map[string][]Pod{}, denied: map[string]bool{}, self: "--user=NAME", local: &local.Description{},
	}
	defer func() {
		if e.driver != nil {
			err = errors.Join(err, e.driver.Close())
		}
	}()
	checks := clusterChecks
	if options.Target.Driver.Kubernetes == nil {
		checks = localChecks
	}
	for _, check := range checks {
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
	subjects := []string{""}
	if check.over != nil {
		subjects = check.over(e)
	}
	if len(subjects) == 0 && check.none.State == "" {
		return
	}
	for _, need := range strings.Fields(check.needs) {
		if e.failed[need] {
			e.say(Skipped, "", "", "not looked at, since %s has failed", need)
			return
		}
	}
	if len(subjects) == 0 {
		e.found(check.none)
		return
	}
	if !check.unlimited {
		limited, cancel := e.limited(ctx)
		defer cancel()
		ctx = limited
	}
	wrong := e.report.Warned + e.report.Failed
	for _, subject := range subjects {
		check.run(ctx, e, subject)
	}
	if check.sound != "" && wrong == e.report.Warned+e.report.Failed {
		e.say(OK, "", "", "%s", check.sound)
	}
}

func (e *examination) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, e.Limit, fmt.Errorf("no answer within %s", e.Limit))
}

func (e *examination) found(finding Finding) {
	finding.Check = e.check
	e.failed[e.check] = e.failed[e.check] || finding.State == Fail || finding.State == Skipped
	e.report.Findings = append(e.report.Findings, finding)
	*map[State]*int{OK: &e.report.OK, Warn: &e.report.Warned, Fail: &e.report.Failed, Skipped: &e.report.Skipped}[finding.State]++
	e.notify(finding)
}

func (e *examination) say(state State, subject, remedy, format string, args ...any) {
	e.found(Finding{State: state, Subject: subject, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

// list lists what a namespace has, and finds it wrong if that cannot be done.
func (e *examination) list(ctx context.Context, list client.ObjectList, resource, namespace string, options ...client.ListOption) bool {
	return e.listed(ctx, resource, namespace, e.Client.List(ctx, list, append(options, client.InNamespace(namespace))...))
}

func (e *examination) listed(ctx context.Context, resource, namespace string, err error) bool {
	if err != nil {
		e.say(Fail, "namespace "+namespace, kubectl(namespace, "get "+resource), "its %s cannot be listed: %v", resource, cause(ctx, err))
	}
	return err == nil
}

// kubectl are its commands in a namespace; an empty one is the whole cluster.
func kubectl(namespace string, commands ...string) string {
	prefix := "kubectl "
	if namespace != "" {
		prefix += "-n " + namespace + " "
	}
	return prefix + strings.Join(commands, "\n"+prefix)
}

// clean is the command that removes what dead runs left on this target.
func (e *examination) clean() string {
	return "emco-chaos clean --target " + cmp.Or(e.TargetFile, "FILE")
}

// services are the names of the target's services of that kind, sorted.
func (e *examination) services(is func(target.Service) bool) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(e.Target.Services)), func(name string) bool { return !is(e.Target.Services[name]) })
}

// namespaces are those that the target has pods in, sorted.
func (e *examination) namespaces() []string { return run.Namespaces(e.Target) }

// cause is the error of a request, or what its context ended for.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		return context.Cause(ctx)
	}
	return err
}
