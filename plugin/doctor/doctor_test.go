package doctor_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/doctor"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/target"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

var update = flag.Bool("update", false, "write the golden files")

// patient is a cluster to look at, and what is wrong with it.
type patient struct {
	objects []client.Object
	// version is what keeps the API server from answering.
	version error
	kinds   []string
	user    string
	// denied are rights that we do not have, as VERB RESOURCE or VERB
	// RESOURCE NAMESPACE.
	denied []string
	// forbidden are resources that we may not list, as NAMESPACE/KIND.
	forbidden []string
	// hanging never answers a list.
	hanging bool
	target  *target.Target
	driver  *scripted
	cluster client.Client
	open    error
	options doctor.Options
	// unreachable services do not answer.
	unreachable []string
	// front stands in front of services, and remains is what dead runs left.
	front                string
	remains              doctor.Finding
	frontErr, remainsErr error
	// outages are what an outage of each service comes to; nil tries none.
	outages   map[string]engine.Outcome
	outageErr error
	// held is what a hold comes to; nil tries none.
	held *engine.Outcome
}

// sound is a cluster on which all is as it should be.
func sound() *patient {
	return &patient{
		objects: slices.Concat(
			chaosMesh("chaos-mesh"),
			[]client.Object{
				daemon("chaos-mesh", "north", true), daemon("chaos-mesh", "south", true),
				pod("shop-1", "north", map[string]string{"app": "shop"}, true), slice("shop", "shop-1"),
				pod("stock-1", "south", map[string]string{"app": "stock"}, true), slice("stock", "stock-1"),
			}),
		kinds: faultKinds(),
		user:  "anna",
		target: &target.Target{
			Name:   "sample",
			Driver: target.Driver{Kubernetes: &target.KubernetesDriver{}},
			Services: map[string]target.Service{
				"shop":    {URL: "http://shop.example", Namespace: "market", Labels: map[string]string{"app": "shop"}},
				"stock":   {Namespace: "market", Labels: map[string]string{"app": "stock"}},
				"courier": {Address: "courier.example:443"},
			},
		},
		driver:  &scripted{},
		remains: doctor.Finding{State: doctor.OK, Message: "no resource of a dead run is there"},
		options: doctor.Options{
			TargetFile: "target.yaml", Server: "https://cluster.example:6443", Run: "trial", ChaosMesh: chaosmesh.Namespace, Limit: 15 * time.Second,
		},
	}
}

func faultKinds() []string {
	var names []string
	for _, kind := range fault.Kinds() {
		names = append(names, kind.Name)
	}
	return names
}

func chaosMesh(namespace string) []client.Object {
	labels := map[string]string{
		"app.kubernetes.io/component": "controller-manager", "app.kubernetes.io/part-of": "chaos-mesh", "app.kubernetes.io/version": "2.8.0",
	}
	return []client.Object{&appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "chaos-controller-manager", Labels: labels},
		Spec: appsv1.DeploymentSpec{Replicas: new(int32(1)), Template: corev1.PodTemplateSpec{
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: "ghcr.io/chaos-mesh/chaos-mesh:v2.8.3"}}},
		}},
		Status: appsv1.DeploymentStatus{ReadyReplicas: 1},
	}}
}

func daemon(namespace, node string, ready bool) *corev1.Pod {
	made := pod("chaos-daemon-"+node, node, map[string]string{"app.kubernetes.io/component": "chaos-daemon"}, ready)
	made.Namespace = namespace
	return made
}

// runtime sets what a node runs containers with, and what its chaos-daemon is set up for.
func (p *patient) runtime(name, runs, set string) {
	for _, object := range p.objects {
		if daemon, is := object.(*corev1.Pod); is && daemon.Name == "chaos-daemon-"+name {
			daemon.Spec.Containers = []corev1.Container{{Command: []string{"/usr/local/bin/chaos-daemon", "--runtime", set, "--http-port", "31766"}}}
			daemon.Status.ContainerStatuses = []corev1.ContainerStatus{{ContainerID: runs + "://5f3a"}}
		}
	}
}

func pod(name, node string, labels map[string]string, ready bool) *corev1.Pod {
	made := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "market", Name: name, Labels: labels},
		Spec:       corev1.PodSpec{NodeName: node},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	if !ready {
		made.Status.Conditions[0].Status = corev1.ConditionFalse
		made.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 10s restarting failed container"},
		}}}
	}
	return made
}

func slice(service string, pods ...string) *discoveryv1.EndpointSlice {
	made := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "market", Name: service + "-abc", Labels: map[string]string{"kubernetes.io/service-name": service}},
	}
	for _, name := range pods {
		made.Endpoints = append(made.Endpoints, discoveryv1.Endpoint{
			Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: "market", Name: name},
		})
	}
	return made
}

func chaos(name, run string) *v1alpha1.NetworkChaos {
	return &v1alpha1.NetworkChaos{ObjectMeta: metav1.ObjectMeta{Namespace: "market", Name: name, Labels: map[string]string{fault.RunLabel: run}}}
}

// kept is what Chaos Mesh keeps for a pod.
func kept(pod, source, failed string) *v1alpha1.PodNetworkChaos {
	made := &v1alpha1.PodNetworkChaos{ObjectMeta: metav1.ObjectMeta{Namespace: "market", Name: pod}}
	if source != "" {
		made.Spec.Iptables = []v1alpha1.RawIptables{{RawRuleSource: v1alpha1.RawRuleSource{Source: "market/" + source}}}
	}
	made.Status.FailedMessage = failed
	return made
}

func held(holder, run string, renewed time.Time) *coordinationv1.Lease {
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "market", Name: lease.Name, Annotations: map[string]string{lease.RunAnnotation: run}},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: &holder, LeaseDurationSeconds: new(int32(15)), RenewTime: &metav1.MicroTime{Time: renewed},
		},
	}
}

// without removes the object of that name.
func (p *patient) without(names ...string) {
	p.objects = slices.DeleteFunc(p.objects, func(object client.Object) bool { return slices.Contains(names, object.GetName()) })
}

// mesh sets variables of Chaos Mesh's controller-manager.
func (p *patient) mesh(variables ...corev1.EnvVar) {
	containers := p.objects[0].(*appsv1.Deployment).Spec.Template.Spec.Containers
	containers[0].Env = variables
}

// prepared are the options for an examination.
func (p *patient) prepared() doctor.Options {
	options := p.options
	options.Target = p.target
	options.Discovery = p
	p.cluster = interceptor.NewClient(
		fake.NewClientBuilder().WithScheme(chaosmesh.Scheme()).WithObjects(p.objects...).Build(),
		interceptor.Funcs{Create: p.create, List: p.list},
	)
	options.Client = p.cluster
	options.Reach = func(_ context.Context, service, _ string) (string, error) {
		if slices.Contains(p.unreachable, service) {
			return "", errors.New("connect: connection refused")
		}
		return "available", nil
	}
	options.LookUp = func(_ context.Context, _, host string) ([]netip.Addr, error) {
		addresses := map[string][]netip.Addr{
			"depot.example":   {netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("fd00::3"), netip.MustParseAddr("10.1.2.4")},
			"courier.example": {netip.MustParseAddr("10.1.2.9")},
			"six.example":     {netip.MustParseAddr("fd00::6")},
		}
		if len(addresses[host]) == 0 {
			return nil, errors.New("no such host")
		}
		return addresses[host], nil
	}
	options.Front = func(context.Context, string) (string, error) { return p.front, p.frontErr }
	options.Remains = func(context.Context) (doctor.Finding, error) { return p.remains, p.remainsErr }
	if p.outages != nil {
		options.Outage = func(_ context.Context, service string) (engine.Outcome, error) {
			outcome, known := p.outages[service]
			if !known {
				return outcome, cmp.Or(p.outageErr, errors.New("the target is held"))
			}
			return outcome, nil
		}
	}
	if p.held != nil {
		options.Hold = func(context.Context) (engine.Outcome, error) { return *p.held, p.outageErr }
	}
	if p.driver != nil {
		options.Open = func(context.Context) (doctor.Driver, error) {
			return p.driver, p.open
		}
	}
	return options
}

func (p *patient) examine(t *testing.T) (doctor.Report, string) {
	t.Helper()
	var text strings.Builder
	report, err := doctor.Examine(t.Context(), p.prepared(), func(finding doctor.Finding) {
		if err := doctor.Text(&text, finding); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return report, text.String() + report.String() + "\n"
}

func (p *patient) ServerVersionWithContext(context.Context) (*version.Info, error) {
	return &version.Info{GitVersion: "v1.34.2"}, p.version
}

func (p *patient) ServerResourcesForGroupVersionWithContext(_ context.Context, groupVersion string) (*metav1.APIResourceList, error) {
	if len(p.kinds) == 0 {
		return nil, apierrors.NewNotFound(schema.GroupResource{}, groupVersion)
	}
	list := &metav1.APIResourceList{}
	for _, kind := range p.kinds {
		list.APIResources = append(list.APIResources, metav1.APIResource{Kind: kind})
	}
	return list, nil
}

func (p *patient) create(ctx context.Context, cluster client.WithWatch, object client.Object, options ...client.CreateOption) error {
	switch object := object.(type) {
	case *authenticationv1.SelfSubjectReview:
		object.Status.UserInfo.Username = p.user
	case *authorizationv1.SelfSubjectAccessReview:
		asked := object.Spec.ResourceAttributes
		right := asked.Verb + " " + asked.Resource
		object.Status.Allowed = !slices.Contains(p.denied, right) && !slices.Contains(p.denied, right+" "+asked.Namespace)
	default:
		return cluster.Create(ctx, object, options...)
	}
	return nil
}

func (p *patient) list(ctx context.Context, cluster client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	if p.hanging {
		<-ctx.Done()
		return fmt.Errorf("get: %w", ctx.Err())
	}
	asked := (&client.ListOptions{}).ApplyOptions(options)
	name := fmt.Sprintf("%s/%T", asked.Namespace, list)
	if slices.Contains(p.forbidden, name) {
		return apierrors.NewForbidden(schema.GroupResource{Resource: name}, "", errors.New("not for us"))
	}
	return cluster.List(ctx, list, options...)
}

// scripted is a driver that does as it is told, and remembers what it was
// asked for.
type scripted struct {
	// refused are the errors of Apply, broken of the injection, stuck of
	// Remove, by action. An action in silent is never injected.
	refused, broken, stuck map[string]error
	silent                 string
	there                  map[string]fault.Object
	applied                []fault.Object
	closed                 int
	// during is what happens while the first fault is on.
	during func()
}

func actionOf(object fault.Object) string {
	return string(object.(*v1alpha1.NetworkChaos).Spec.Action)
}

func (d *scripted) Apply(_ context.Context, object fault.Object, observe func(engine.Moment)) error {
	if err := fault.Check(object); err != nil {
		return err
	}
	d.applied = append(d.applied, object)
	action := actionOf(object)
	if err := d.refused[action]; err != nil {
		return err
	}
	if d.there == nil {
		d.there = map[string]fault.Object{}
	}
	d.there[object.GetName()] = object
	observe(engine.Moment{Event: plan.Created})
	if d.during != nil {
		d.during()
	}
	switch err := d.broken[action]; {
	case err != nil:
		observe(engine.Moment{Err: err})
	case d.silent != action:
		observe(engine.Moment{Event: plan.Injected})
	}
	return nil
}

func (d *scripted) Remove(ctx context.Context, object fault.Object) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.stuck[actionOf(object)]; err != nil {
		return err
	}
	delete(d.there, object.GetName())
	return nil
}

func (d *scripted) Leftovers(context.Context) ([]fault.Object, error) { return nil, nil }

func (d *scripted) Close() error { d.closed++; return nil }

func TestExamine(t *testing.T) {
	// Whatever the file mode creation mask was when it was checked out.
	if err := os.Chmod(filepath.Join("testdata", "token"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		ill    func(*patient)
		healed bool // nothing fails
	}{
		{"sound", func(*patient) {}, true},
		{"sound-controller", func(p *patient) {
			p.options.Controller, p.user = "emco-chaos", "system:serviceaccount:emco-chaos:controller"
		}, true},
		{"no-inject", func(p *patient) { p.driver = nil }, true},
		{"api-server-down", func(p *patient) { p.version = errors.New("dial tcp 10.0.0.1:6443: connect: connection refused") }, false},
		{"credentials-expired", func(p *patient) { p.version = apierrors.NewUnauthorized("Unauthorized") }, false},
		{"credentials-program-missing", func(p *patient) {
			p.version = errors.New("Get \"https://cluster.example:6443/version\": getting credentials: exec: executable aws not found\n\nIt looks like you are trying to use a plugin")
		}, false},
		{"proxy-down", func(p *patient) {
			p.version = errors.New("proxyconnect tcp: dial tcp 127.0.0.1:3: connect: connection refused")
		}, false},
		{"chaos-mesh-of-another-namespace", func(p *patient) {
			p.mesh(corev1.EnvVar{Name: "CLUSTER_SCOPED", Value: "false"}, corev1.EnvVar{Name: "TARGET_NAMESPACE", Value: "chaos-mesh"})
		}, false},
		{"chaos-mesh-old", func(p *patient) {
			p.objects[0].(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = "ghcr.io/chaos-mesh/chaos-mesh:v2.7.2"
		}, true},
		{"namespace-not-annotated", func(p *patient) {
			p.mesh(corev1.EnvVar{Name: "ENABLE_FILTER_NAMESPACE", Value: "true"})
			p.objects = append(p.objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "market"}})
		}, false},
		{"namespace-annotated", func(p *patient) {
			p.mesh(corev1.EnvVar{Name: "ENABLE_FILTER_NAMESPACE", Value: "true"})
			p.objects = append(p.objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				Name: "market", Annotations: map[string]string{"chaos-mesh.org/inject": "enabled"},
			}})
		}, true},
		{"files", func(p *patient) {
			p.target.Credentials.Token = target.SecretRef{File: filepath.Join("testdata", "token")}
			p.target.Settings = map[string]any{"edge": map[string]any{"kubeconfig": map[string]any{"file": filepath.Join("testdata", "edge.kubeconfig")}}}
		}, true},
		{"files-missing", func(p *patient) {
			p.target.Credentials.Token = target.SecretRef{File: "nowhere"}
			p.target.Settings = map[string]any{"kubeconfig": map[string]any{"file": "nobody"}}
		}, false},
		{"outside", func(p *patient) {
			p.target.Services["depot"] = target.Service{Address: "depot.example:6443"}
		}, true},
		{"outside-ipv6", func(p *patient) {
			p.target.Services["depot"] = target.Service{Address: "six.example:6443"}
		}, true},
		{"outside-unknown", func(p *patient) {
			p.target.Services["depot"] = target.Service{Address: "nowhere.example"}
		}, true},
		{"slow", func(p *patient) { p.hanging = true }, false},
		{"chaos-mesh-missing", func(p *patient) { p.kinds = nil }, false},
		{"kinds-missing", func(p *patient) {
			p.kinds = []string{"PodChaos", "NetworkChaos", "StressChaos"}
			p.forbidden = []string{"market/*v1alpha1.DNSChaosList"}
		}, true},
		{"kinds-denied", func(p *patient) {
			p.denied = []string{"list timechaos", "create timechaos"}
			p.forbidden = []string{"market/*v1alpha1.TimeChaosList"}
		}, true},
		{"chaos-mesh-elsewhere", func(p *patient) {
			p.without("chaos-controller-manager", "chaos-daemon-north", "chaos-daemon-south")
			p.objects = append(p.objects, chaosMesh("chaos-testing")...)
			p.objects = append(p.objects, daemon("chaos-testing", "north", true), daemon("chaos-testing", "south", true))
		}, true},
		{"chaos-mesh-nowhere", func(p *patient) { p.without("chaos-controller-manager") }, false},
		{"chaos-mesh-not-ready", func(p *patient) { p.objects[0].(*appsv1.Deployment).Status.ReadyReplicas = 0 }, false},
		{"chaos-mesh-scaled-away", func(p *patient) { p.objects[0].(*appsv1.Deployment).Spec.Replicas = new(int32(0)) }, false},
		{"chaos-mesh-unreadable", func(p *patient) {
			p.forbidden = []string{"chaos-mesh/*v1.DeploymentList", "chaos-mesh/*v1.PodList"}
		}, true},
		{"daemon-away", func(p *patient) { p.without("chaos-daemon-south") }, false},
		{"daemon-for-another-runtime", func(p *patient) {
			p.runtime("north", "cri-o", "containerd")
			p.runtime("south", "containerd", "containerd")
		}, false},
		{"daemon-for-cri-o", func(p *patient) { p.runtime("north", "cri-o", "crio") }, true},
		{"daemon-not-ready", func(p *patient) {
			p.without("chaos-daemon-north")
			p.objects = append(p.objects, daemon("chaos-mesh", "north", false))
		}, false},
		{"rights-missing", func(p *patient) {
			p.denied = []string{"create networkchaos", "delete networkchaos", "update leases", "patch runs", "list events"}
			p.options.Controller, p.user = "emco-chaos", "system:serviceaccount:emco-chaos:controller"
		}, false},
		{"label-mistyped", func(p *patient) {
			shop := p.target.Services["shop"]
			shop.Labels = map[string]string{"app": "shopp"}
			p.target.Services["shop"] = shop
		}, false},
		{"label-unknown", func(p *patient) {
			shop := p.target.Services["shop"]
			shop.Labels = map[string]string{"app.kubernetes.io/name": "shop"}
			p.target.Services["shop"] = shop
		}, false},
		{"namespace-empty", func(p *patient) {
			p.without("shop-1", "stock-1")
		}, false},
		{"replicas", func(p *patient) {
			p.objects = append(p.objects, pod("shop-2", "south", map[string]string{"app": "shop"}, false))
		}, true},
		{"not-ready", func(p *patient) {
			p.without("stock-1")
			p.objects = append(p.objects, pod("stock-2", "south", map[string]string{"app": "stock"}, false))
		}, false},
		{"evicted", func(p *patient) {
			gone := pod("shop-2", "south", map[string]string{"app": "shop"}, false)
			gone.Status.Phase, gone.Status.Reason = corev1.PodFailed, "Evicted"
			p.objects = append(p.objects, gone)
		}, false},
		{"host-network", func(p *patient) {
			p.without("stock-1")
			own := pod("stock-2", "south", map[string]string{"app": "stock"}, true)
			own.Spec.HostNetwork = true
			p.objects = append(p.objects, own)
		}, true},
		{"no-service", func(p *patient) { p.without("stock-abc") }, true},
		{"unreachable", func(p *patient) { p.unreachable = []string{"shop"} }, false},
		{"leftovers", func(p *patient) {
			hanging := chaos("rdead-1-hold", "rdead")
			hanging.DeletionTimestamp, hanging.Finalizers = new(metav1.Now()), []string{"chaos-mesh/records"}
			p.objects = append(p.objects, hanging, held("anna@laptop_x", "rdead", time.Now().Add(-time.Minute)))
		}, true},
		{"front", func(p *patient) { p.front = "Server: envoy" }, true},
		{"ingress", func(p *patient) {
			p.front, p.target.Ingress = "Server: envoy", &target.Ingress{URL: "http://ingress.example"}
		}, true},
		{"front-untold", func(p *patient) { p.frontErr, p.remainsErr = errors.New("EOF"), errors.New("the plugin died") }, true},
		{"remains", func(p *patient) { p.remains = doctor.Finding{State: doctor.Warn, Message: "run r1 left 3 resources"} }, true},
		{"rules-stay", func(p *patient) {
			p.objects = append(p.objects,
				kept("shop-1", "rdead-1-hold", ""), kept("stock-1", "", "connection refused"),
				// It goes with its pod.
				kept("courier-1", "rdead-1-hold", ""),
			)
		}, false},
		{"run-under-way", func(p *patient) {
			p.objects = append(p.objects, chaos("rlive-1-hold", "rlive"), chaos("rdead-1-hold", "rdead"), held("anna@laptop_x", "rlive", time.Now()))
			p.open = &lease.HeldError{State: lease.State{Namespace: "market", Holder: "anna@laptop", Run: "rlive"}}
		}, true},
		{"no-netem", func(p *patient) {
			p.driver.broken = map[string]error{"delay": errors.New("unable to set tcs for pod market/shop-1")}
		}, true},
		{"no-freeing", func(p *patient) { p.denied = []string{"patch podnetworkchaos"} }, true},
		{"no-ipset", func(p *patient) {
			p.driver.broken = map[string]error{"partition": errors.New("unable to flush ip sets for pod market/shop-1")}
		}, false},
		{"never-injected", func(p *patient) { p.driver.silent = "partition" }, false},
		{"never-removed", func(p *patient) { p.driver.stuck = map[string]error{"partition": errors.New("it hangs")} }, false},
		{"outage", func(p *patient) {
			p.outages = map[string]engine.Outcome{"shop": {Judgement: verdict.Judgement{Verdict: verdict.Passed}}}
		}, true},
		{"hold", func(p *patient) {
			p.held = &engine.Outcome{Judgement: verdict.Judgement{Verdict: verdict.Passed}}
		}, true},
		{"hold-drops-nothing", func(p *patient) {
			p.held = &engine.Outcome{Judgement: verdict.Judgement{Verdict: verdict.Inconclusive, Reason: "the call was accepted"}}
		}, false},
		{"hold-after-a-dead-run", func(p *patient) {
			p.held = &engine.Outcome{}
			p.objects = append(p.objects, held("anna@laptop_x", "rdead", time.Now().Add(-time.Minute)))
		}, true},
		{"outage-repeated", func(p *patient) {
			p.outages = map[string]engine.Outcome{
				"shop": {Judgement: verdict.Judgement{Verdict: verdict.Inconclusive, Reason: "refused: something in front of the service took a connection"}},
			}
		}, false},
		{"outage-failed", func(p *patient) {
			p.outages = map[string]engine.Outcome{"shop": {Judgement: verdict.Judgement{Verdict: verdict.Error, Reason: "the pod was not seen to go"}}}
		}, false},
		{"outage-left", func(p *patient) {
			p.outages = map[string]engine.Outcome{"shop": {Judgement: verdict.Judgement{Verdict: verdict.Passed}, Left: []string{"the fault r1-1-outage"}}}
		}, false},
		{"outage-under-way", func(p *patient) {
			p.outages, p.outageErr = map[string]engine.Outcome{}, &lease.HeldError{State: lease.State{Namespace: "market", Holder: "anna@laptop", Run: "rlive"}}
		}, true},
		{"outage-after-a-dead-run", func(p *patient) {
			p.outages = map[string]engine.Outcome{}
			p.objects = append(p.objects, held("anna@laptop_x", "rdead", time.Now().Add(-time.Minute)))
		}, true},
		{"outage-untold", func(p *patient) {
			p.outages, p.outageErr = map[string]engine.Outcome{}, fmt.Errorf("%w: it has no such probe", run.ErrUntold)
		}, true},
		{"outage-refused", func(p *patient) { p.outages = map[string]engine.Outcome{} }, false},
		{"driver-refused", func(p *patient) { p.open = errors.New("watch pods: forbidden") }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				patient := sound()
				test.ill(patient)
				report, text := patient.examine(t)
				if report.Healthy() != test.healed {
					t.Errorf("healthy: %v", report.Healthy())
				}
				golden(t, test.name, text)
				if patient.driver != nil && patient.driver.stuck == nil && len(patient.driver.there) > 0 {
					t.Errorf("left faults: %v", patient.driver.there)
				}
				if patient.driver != nil && len(patient.driver.applied) > 0 && patient.driver.closed != 1 {
					t.Errorf("the driver was closed %d times", patient.driver.closed)
				}
			})
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (write it with -update):\n%s", file, got)
	}
}

// TestTriedFaultsHurtNobody: what is tried out on the pods of a system that
// may be in use cuts them off from an address that nobody has, and ends by
// itself.
func TestTriedFaultsHurtNobody(t *testing.T) {
	patient := sound()
	patient.examine(t)
	if len(patient.driver.applied) != 4 {
		t.Fatalf("%d faults on two nodes, want 4", len(patient.driver.applied))
	}
	names := map[string]bool{}
	for _, object := range patient.driver.applied {
		chaos, ok := object.(*v1alpha1.NetworkChaos)
		if !ok {
			t.Fatalf("a %T was tried", object)
		}
		names[chaos.Name] = true
		if !slices.Equal(chaos.Spec.ExternalTargets, []string{"192.0.2.1"}) || chaos.Spec.Target != nil || chaos.Spec.Direction != v1alpha1.To {
			t.Errorf("%s is between %v and %v", chaos.Name, chaos.Spec.ExternalTargets, chaos.Spec.Target)
		}
		if chaos.Spec.Duration == nil || chaos.Labels[fault.RunLabel] != "trial" || len(chaos.Spec.Selector.Pods["market"]) != 1 {
			t.Errorf("%s: %+v", chaos.Name, chaos.Spec)
		}
	}
	if len(names) != 4 {
		t.Errorf("names are shared: %v", names)
	}
}

func TestExamineEndsWhenItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	_, err := doctor.Examine(ctx, doctor.Options{Target: sound().target}, nil)
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v", err)
	}
}

// TestInterruptedTrial: a fault that is on when the examination is interrupted
// is taken off, no other is put on, and the target is given back.
func TestInterruptedTrial(t *testing.T) {
	patient := sound()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	patient.driver.silent = string(v1alpha1.PartitionAction)
	patient.driver.during = func() { cancel(errors.New("interrupted")) }
	report, err := doctor.Examine(ctx, patient.prepared(), func(doctor.Finding) {})
	if err == nil || !strings.Contains(err.Error(), "interrupted") || report.Failed > 0 {
		t.Errorf("got %v, with %d findings of the target", err, report.Failed)
	}
	if len(patient.driver.applied) != 1 || len(patient.driver.there) != 0 || patient.driver.closed != 1 {
		t.Errorf("%d faults were put on, %d are still there, and the target was given back %d times",
			len(patient.driver.applied), len(patient.driver.there), patient.driver.closed)
	}
}

func TestReportAsJSON(t *testing.T) {
	patient := sound()
	patient.without("chaos-daemon-south")
	report, _ := patient.examine(t)
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var read doctor.Report
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	if read.Failed != 1 || read.Skipped != 1 || len(read.Findings) != len(report.Findings) {
		t.Errorf("got %s", data)
	}
	for _, finding := range read.Findings {
		if finding.Check == "pods" && finding.Subject == "shop" {
			if want := []doctor.Pod{{Namespace: "market", Name: "shop-1", Node: "north", Ready: true}}; !slices.Equal(finding.Pods, want) {
				t.Errorf("pods of shop: %v", finding.Pods)
			}
			return
		}
	}
	t.Errorf("no pods of shop in %s", data)
}
