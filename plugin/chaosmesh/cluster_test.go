package chaosmesh_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

const namespace = "emco"

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func uidOf(version int) types.UID { return types.UID(fmt.Sprintf("uid-%d", version)) }

// mesh plays Chaos Mesh's controller and the kubelet on an API server.
type mesh struct {
	*apiServer
	work sync.WaitGroup
	pods atomic.Int64

	// manner is how it behaves, guarded by the server's lock.
	manner
}

// manner is how Chaos Mesh and the kubelet behave.
type manner struct {
	// silent: the controller does not run.
	silent bool
	// nothing: the controller selects nothing.
	nothing bool
	// failing is the message with which an injection fails.
	failing string
	// stuck is the message with which a recovery fails.
	stuck string
	// besides are pods that an injection hits besides those that match.
	besides []string
	// unset: rules have no sets. unruled: there are none.
	unset, unruled bool
	// lazy: what is killed does not end by itself.
	lazy bool
}

// newMesh makes a cluster with the pods of an orchestrator and an etcd.
func newMesh(t *testing.T) *mesh {
	m := &mesh{apiServer: newAPIServer(t)}
	m.hook = func(event string, object *unstructured.Unstructured) {
		if object.GetAPIVersion() != fault.GroupVersion {
			return
		}
		// As it behaves now, not as it will when it comes to it.
		var now manner
		m.set(func() { now = m.manner })
		m.work.Go(func() { m.reconcile(now, event, object) })
	}
	t.Cleanup(m.work.Wait)
	m.run("orchestrator")
	m.run("etcd")
	return m
}

// open opens a driver that is closed with the test.
func (m *mesh) open(change func(*chaosmesh.Options)) *chaosmesh.Driver {
	m.t.Helper()
	options := chaosmesh.Options{Namespaces: []string{namespace}, Limits: chaosmesh.DefaultLimits(), Services: map[string]target.Service{}}
	for _, app := range []string{"orchestrator", "etcd", "canary"} {
		options.Services[app] = target.Service{Namespace: namespace, Labels: map[string]string{"app": app}}
	}
	if change != nil {
		change(&options)
	}
	driver, err := chaosmesh.Open(m.t.Context(), m.config, options)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if err := driver.Close(); err != nil {
			m.t.Error(err)
		}
	})
	return driver
}

// run runs a ready pod of an app, and returns its name.
func (m *mesh) run(app string) string {
	pod := m.pod(app)
	m.put(pod)
	m.route(app)
	return pod.Name
}

func (m *mesh) pod(app string) *corev1.Pod {
	number := m.pods.Add(1)
	name := fmt.Sprintf("%s-%d", app, number)
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: types.UID("pod-" + name),
			Labels: map[string]string{"app": app, "pod-template-hash": "5d4f"},
		},
		Spec: corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: app, Image: app + ":1"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: address(name),
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: app, Image: app + ":1", ImageID: "sha256:" + app, ContainerID: "containerd://" + name + "-0", Ready: true,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
			}},
		},
	}
}

// route makes the EndpointSlice of an app lead to its ready pods.
func (m *mesh) route(app string) {
	slice := &discoveryv1.EndpointSlice{
		TypeMeta:   metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app, UID: types.UID("slice-" + app), Labels: map[string]string{discoveryv1.LabelServiceName: app}},
	}
	m.set(func() {
		for at, object := range m.objects {
			if at.resource != "pods" || object.GetLabels()["app"] != app || object.GetDeletionTimestamp() != nil || !podReady(object) {
				continue
			}
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
				Addresses: []string{"10.0.0." + strings.TrimPrefix(object.GetName(), app+"-")},
				TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: object.GetName(), UID: object.GetUID()},
			})
		}
	})
	if m.has(key{"endpointslices", namespace, app}) {
		edit(m.apiServer, key{"endpointslices", namespace, app}, func(there *discoveryv1.EndpointSlice) { there.Endpoints = slice.Endpoints })
		return
	}
	m.put(slice)
}

func podReady(object *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, condition := range conditions {
		fields := condition.(map[string]any)
		if fields["type"] == "Ready" {
			return fields["status"] == "True"
		}
	}
	return false
}

func podKey(name string) key { return key{"pods", namespace, name} }

func chaosKey(object fault.Object) key {
	return key{resourceOf(fault.NameOf(object)), object.GetNamespace(), object.GetName()}
}

// said changes what Chaos Mesh says of an object.
func (m *mesh) said(at key, do func(*metav1.ObjectMeta, *v1alpha1.ChaosStatus)) {
	// What every kind of fault has; the rest of its specification is kept.
	type chaos struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata,omitempty"`
		Spec              map[string]any       `json:"spec"`
		Status            v1alpha1.ChaosStatus `json:"status,omitempty"`
	}
	edit(m.apiServer, at, func(of *chaos) { do(&of.ObjectMeta, &of.Status) })
}

// reconcile does what Chaos Mesh does when an object appears or is deleted.
func (m *mesh) reconcile(now manner, event string, object *unstructured.Unstructured) {
	if now.silent || event == "DELETED" {
		return
	}
	at := key{resourceOf(object.GetKind()), object.GetNamespace(), object.GetName()}
	if at.resource == "podnetworkchaos" {
		m.rules(now, object)
		return
	}
	if event == "ADDED" {
		m.inject(now, at, object)
		return
	}
	if object.GetDeletionTimestamp() == nil {
		return
	}
	phase, _, _ := unstructured.NestedString(object.Object, "status", "experiment", "desiredPhase")
	// While it tries again what fails, it does not get to the annotation.
	if object.GetAnnotations()["chaos-mesh.chaos-mesh.org/cleanFinalizer"] == "forced" && now.failing == "" && now.stuck == "" {
		m.said(at, func(meta *metav1.ObjectMeta, _ *v1alpha1.ChaosStatus) { meta.Finalizers = nil })
		return
	}
	if phase == string(v1alpha1.StoppedPhase) {
		return
	}
	m.recover(now, at)
}

// inject goes through the states that Chaos Mesh goes through, in its order.
func (m *mesh) inject(now manner, at key, object *unstructured.Unstructured) {
	m.said(at, func(meta *metav1.ObjectMeta, _ *v1alpha1.ChaosStatus) {
		meta.Finalizers = []string{"chaos-mesh/records"}
	})
	m.said(at, func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
		status.Experiment.DesiredPhase = v1alpha1.RunningPhase
		status.Conditions = []v1alpha1.ChaosCondition{
			{Type: v1alpha1.ConditionSelected, Status: corev1.ConditionFalse},
			{Type: v1alpha1.ConditionAllInjected, Status: corev1.ConditionFalse},
			{Type: v1alpha1.ConditionAllRecovered, Status: corev1.ConditionFalse},
		}
	})
	if now.nothing {
		m.put(&corev1.Event{
			TypeMeta:       metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
			ObjectMeta:     metav1.ObjectMeta{Namespace: namespace, Name: object.GetName() + ".1"},
			InvolvedObject: corev1.ObjectReference{UID: object.GetUID()},
			Type:           corev1.EventTypeWarning, Message: "Failed to select targets: no pod is selected",
		})
		return
	}
	action, _, _ := unstructured.NestedString(object.Object, "spec", "action")
	wanted, _, _ := unstructured.NestedStringMap(object.Object, "spec", "selector", "labelSelectors")
	hit := m.named(wanted["app"])
	if now.failing != "" {
		m.said(at, func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
			for _, name := range hit {
				status.Experiment.Records = append(status.Experiment.Records, &v1alpha1.Record{
					Id: namespace + "/" + name, SelectorKey: ".", Phase: "Not Injected/Wait",
					Events: []v1alpha1.RecordEvent{*v1alpha1.NewRecordEvent(v1alpha1.TypeFailed, v1alpha1.Apply, now.failing, metav1.Now())},
				})
			}
			status.Conditions[0].Status = corev1.ConditionTrue
		})
		for _, name := range hit {
			kept := &v1alpha1.PodNetworkChaos{
				TypeMeta:   metav1.TypeMeta{APIVersion: fault.GroupVersion, Kind: "PodNetworkChaos"},
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			}
			for _, source := range []string{at.namespace + "/" + at.name, "elsewhere/another"} {
				kept.Spec.TrafficControls = append(kept.Spec.TrafficControls, v1alpha1.RawTrafficControl{
					Type: v1alpha1.Netem, Source: source,
				})
			}
			m.put(kept)
		}
		return
	}
	hit = append(hit, now.besides...)
	for _, name := range hit {
		m.strike(now, action, name)
	}
	records := recordsOf(".", hit)
	if object.GetKind() == fault.NetworkChaos {
		var chaos v1alpha1.NetworkChaos
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &chaos); err != nil {
			m.t.Errorf("read the object: %v", err)
			return
		}
		records = m.partition(now, &chaos, hit)
	}
	m.said(at, func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) { status.Experiment.Records = records })
	m.said(at, func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
		status.Conditions[0].Status, status.Conditions[1].Status = corev1.ConditionTrue, corev1.ConditionTrue
	})
}

// partition keeps rules for the pods of a NetworkChaos, and returns their records.
func (m *mesh) partition(now manner, chaos *v1alpha1.NetworkChaos, hit []string) []*v1alpha1.Record {
	var peers []string
	if chaos.Spec.Target != nil {
		peers = m.named(chaos.Spec.Target.Selector.LabelSelectors["app"])
	}
	m.rule(now, chaos, hit, peers, chaos.Spec.ExternalTargets)
	m.rule(now, chaos, peers, hit, nil)
	return append(recordsOf(".", hit), recordsOf(".Target", peers)...)
}

func recordsOf(selector string, pods []string) (records []*v1alpha1.Record) {
	for _, name := range pods {
		records = append(records, &v1alpha1.Record{Id: namespace + "/" + name, SelectorKey: selector, Phase: v1alpha1.Injected, InjectedCount: 1})
	}
	return records
}

// rule keeps for pods that they are cut off from others, as Chaos Mesh does: a
// rule without a set when there are none.
func (m *mesh) rule(now manner, chaos *v1alpha1.NetworkChaos, pods, peers, external []string) {
	source := v1alpha1.RawRuleSource{Source: chaos.Namespace + "/" + chaos.Name}
	var networks []string
	var ports []v1alpha1.CidrAndPort
	for _, target := range external {
		host, port, err := net.SplitHostPort(target)
		if err != nil {
			host = target
		}
		prefix, err := netip.ParsePrefix(host)
		if err != nil {
			prefix = netip.PrefixFrom(netip.MustParseAddr(host), 32)
		}
		if number, err := strconv.ParseUint(port, 10, 16); err == nil {
			ports = append(ports, v1alpha1.CidrAndPort{Cidr: prefix.Masked().String(), Port: uint16(number)})
		} else {
			networks = append(networks, prefix.Masked().String())
		}
	}
	for _, name := range peers {
		networks = append(networks, address(name)+"/32")
	}
	rule := v1alpha1.RawIptables{Name: "rule", Direction: v1alpha1.Output, RawRuleSource: source}
	var sets []v1alpha1.RawIPSet
	if len(networks)+len(ports) > 0 && !now.unset {
		rule.IPSets = []string{"set"}
		sets = []v1alpha1.RawIPSet{
			{Name: "set", IPSetType: v1alpha1.SetIPSet, SetNames: []string{"net", "netport"}, RawRuleSource: source},
			{Name: "net", IPSetType: v1alpha1.NetIPSet, Cidrs: networks, RawRuleSource: source},
			{Name: "netport", IPSetType: v1alpha1.NetPortIPSet, CidrAndPorts: ports, RawRuleSource: source},
		}
	}
	for _, name := range pods {
		kept := &v1alpha1.PodNetworkChaos{
			TypeMeta:   metav1.TypeMeta{APIVersion: fault.GroupVersion, Kind: "PodNetworkChaos"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       v1alpha1.PodNetworkChaosSpec{IPSets: sets, Iptables: []v1alpha1.RawIptables{rule}},
		}
		switch at := (key{"podnetworkchaos", namespace, name}); {
		case now.unruled:
		case m.has(at):
			edit(m.apiServer, at, func(there *v1alpha1.PodNetworkChaos) {
				drop(&there.Spec, source.Source)
				there.Spec.IPSets, there.Spec.Iptables = append(there.Spec.IPSets, sets...), append(there.Spec.Iptables, rule)
			})
		default:
			m.put(kept)
		}
	}
}

// drop takes away the rules of a source.
func drop(spec *v1alpha1.PodNetworkChaosSpec, source string) {
	spec.IPSets = slices.DeleteFunc(spec.IPSets, func(set v1alpha1.RawIPSet) bool { return set.Source == source })
	spec.Iptables = slices.DeleteFunc(spec.Iptables, func(rule v1alpha1.RawIptables) bool { return rule.Source == source })
	spec.TrafficControls = slices.DeleteFunc(spec.TrafficControls, func(rule v1alpha1.RawTrafficControl) bool { return rule.Source == source })
}

// address is the address of a pod.
func address(pod string) string { return "10.0.0." + pod[strings.LastIndex(pod, "-")+1:] }

// rules: what is kept for a pod has changed. An object that failed because of
// its rules there comes to its end without them.
func (m *mesh) rules(now manner, object *unstructured.Unstructured) {
	var kept v1alpha1.PodNetworkChaos
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &kept); err != nil {
		m.t.Errorf("read the rules: %v", err)
		return
	}
	var leaving []key
	m.set(func() {
		for at, object := range m.objects {
			source := at.namespace + "/" + at.name
			if at.resource == "networkchaos" && object.GetDeletionTimestamp() != nil && now.stuck == "" && now.failing != "" &&
				!slices.ContainsFunc(kept.Spec.TrafficControls, func(rule v1alpha1.RawTrafficControl) bool { return rule.Source == source }) {
				leaving = append(leaving, at)
			}
		}
	})
	now.failing = ""
	for _, at := range leaving {
		m.recover(now, at)
	}
}

// recover takes the fault off.
func (m *mesh) recover(now manner, at key) {
	m.said(at, func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
		status.Experiment.DesiredPhase = v1alpha1.StoppedPhase
	})
	if now.failing != "" {
		return
	}
	if now.stuck != "" {
		m.said(at, func(_ *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
			for _, record := range status.Experiment.Records {
				record.Phase = "Injected/Wait"
				record.Events = append(record.Events, *v1alpha1.NewRecordEvent(v1alpha1.TypeFailed, v1alpha1.Recover, now.stuck, metav1.Now()))
			}
		})
		return
	}
	var kept []key
	m.set(func() {
		for at := range m.objects {
			if at.resource == "podnetworkchaos" {
				kept = append(kept, at)
			}
		}
	})
	for _, pod := range kept {
		edit(m.apiServer, pod, func(kept *v1alpha1.PodNetworkChaos) {
			drop(&kept.Spec, at.namespace+"/"+at.name)
		})
	}
	m.said(at, func(meta *metav1.ObjectMeta, status *v1alpha1.ChaosStatus) {
		for _, record := range status.Experiment.Records {
			record.Phase, record.RecoveredCount = v1alpha1.NotInjected, 1
		}
		meta.Finalizers = nil
	})
}

// named are the pods of an app, leaving ones too.
func (m *mesh) named(app string) []string {
	var list []string
	m.set(func() {
		for _, object := range m.matching(&watching{resource: "pods", namespace: namespace, labels: everything, fields: anything}) {
			if object.GetLabels()["app"] == app {
				list = append(list, object.GetName())
			}
		}
	})
	return list
}

// strike does to a pod what the kubelet does then.
func (m *mesh) strike(how manner, action, name string) {
	if action == string(v1alpha1.PodKillAction) {
		edit(m.apiServer, podKey(name), func(pod *corev1.Pod) {
			now := metav1.Now()
			pod.DeletionTimestamp = &now
		})
		if !how.lazy {
			m.end(name)
		}
	}
}

// end: the containers of a killed pod have ended, and the pod goes.
func (m *mesh) end(name string) {
	m.stop(name, 137)
	m.erase(podKey(name))
}

// stop ends the containers of a pod.
func (m *mesh) stop(name string, code int32) {
	edit(m.apiServer, podKey(name), func(pod *corev1.Pod) {
		for i := range pod.Status.ContainerStatuses {
			status := &pod.Status.ContainerStatuses[i]
			status.Ready = false
			status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: code, Reason: "Error", ContainerID: status.ContainerID,
			}}
		}
		pod.Status.Conditions[0].Status = corev1.ConditionFalse
	})
	m.route(appOf(name))
}

// start starts the containers of a pod anew, of its image.
func (m *mesh) start(name string) {
	edit(m.apiServer, podKey(name), func(pod *corev1.Pod) {
		for i := range pod.Status.ContainerStatuses {
			status := &pod.Status.ContainerStatuses[i]
			status.LastTerminationState = status.State
			status.RestartCount++
			status.ContainerID = fmt.Sprintf("containerd://%s-%d", name, status.RestartCount)
			status.ImageID = "sha256:" + strings.TrimSuffix(pod.Spec.Containers[i].Image, ":1")
			status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
		}
	})
}

// ready: the pod serves.
func (m *mesh) ready(name string) {
	edit(m.apiServer, podKey(name), func(pod *corev1.Pod) { pod.Status.Conditions[0].Status = corev1.ConditionTrue })
	m.route(appOf(name))
}

// image gives a pod another image.
func (m *mesh) image(name, image string) {
	edit(m.apiServer, podKey(name), func(pod *corev1.Pod) { pod.Spec.Containers[0].Image = image })
}

func appOf(pod string) string { return pod[:strings.LastIndex(pod, "-")] }
