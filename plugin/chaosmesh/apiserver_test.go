package chaosmesh_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// apiServer answers as a Kubernetes API server does, as far as the driver
// asks: namespaced objects that are created, read, listed, watched, patched
// and deleted, with resource versions, finalizers and refusals.
type apiServer struct {
	t      *testing.T
	config *rest.Config

	mu      sync.Mutex
	version int
	objects map[key]*unstructured.Unstructured
	watches map[*watching]struct{}
	// refuse, if it returns a status, is the answer to a request.
	refuse func(verb, resource string) *metav1.Status
	// hook is called after every change, outside the lock.
	hook func(event string, object *unstructured.Unstructured)
	// erased is the version of the last deletion, which is not told again.
	erased int
	// counts are how often a verb on a resource was asked.
	counts map[string]int
	// without is a group that is not installed.
	without string
	// delayed is how long a create takes.
	delayed time.Duration
}

type key struct{ resource, namespace, name string }

type watching struct {
	resource, namespace string
	labels              labels.Selector
	fields              fields.Selector
	events              chan watchEvent
}

type watchEvent struct {
	Type   string `json:"type"`
	Object any    `json:"object"`
}

var groups = map[string][]string{
	"v1":                  {"pods Pod", "events Event"},
	"discovery.k8s.io/v1": {"endpointslices EndpointSlice"},
	fault.GroupVersion:    chaosResources(),
}

func chaosResources() []string {
	list := []string{"podnetworkchaos PodNetworkChaos"}
	for _, kind := range fault.Kinds() {
		list = append(list, kind.Resource()+" "+kind.Name)
	}
	return list
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	a := &apiServer{
		t: t, objects: map[key]*unstructured.Unstructured{}, watches: map[*watching]struct{}{}, counts: map[string]int{},
		refuse: func(string, string) *metav1.Status { return nil },
		hook:   func(string, *unstructured.Unstructured) {},
	}
	server := httptest.NewServer(a)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	a.config = &rest.Config{Host: server.URL}
	a.config.ContentType = runtime.ContentTypeJSON
	return a
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	group := ""
	switch {
	case r.URL.Path == "/api":
		answer(w, 200, metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}})
		return
	case r.URL.Path == "/apis":
		answer(w, 200, a.groupList())
		return
	case parts[0] == "api" && len(parts) > 1:
		group, parts = parts[1], parts[2:]
	case parts[0] == "apis" && len(parts) > 2:
		group, parts = parts[1]+"/"+parts[2], parts[3:]
	}
	known, there := groups[group]
	switch {
	case !there, group == a.without:
		answer(w, 404, failed(404, metav1.StatusReasonNotFound, "the server could not find the requested resource"))
	case len(parts) == 0:
		answer(w, 200, resources(group, known))
	case len(parts) >= 3 && parts[0] == "namespaces":
		at := key{resource: parts[2], namespace: parts[1]}
		if len(parts) > 3 {
			at.name = parts[3]
		}
		a.object(w, r, at)
	default:
		answer(w, 404, failed(404, metav1.StatusReasonNotFound, "the server could not find the requested resource"))
	}
}

func (a *apiServer) groupList() metav1.APIGroupList {
	list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		name, version, found := strings.Cut(group, "/")
		if !found || group == a.without {
			continue
		}
		this := metav1.GroupVersionForDiscovery{GroupVersion: group, Version: version}
		list.Groups = append(list.Groups, metav1.APIGroup{Name: name, Versions: []metav1.GroupVersionForDiscovery{this}, PreferredVersion: this})
	}
	return list
}

func resources(group string, known []string) metav1.APIResourceList {
	list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: group}
	for _, line := range known {
		name, kind, _ := strings.Cut(line, " ")
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: name, SingularName: strings.ToLower(kind), Kind: kind, Namespaced: true})
	}
	return list
}

func answer(w http.ResponseWriter, code int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(what)
}

func failed(code int32, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: code, Reason: reason, Message: message,
	}
}

func notFound(at key) *metav1.Status {
	status := failed(404, metav1.StatusReasonNotFound, fmt.Sprintf("%s %q not found", at.resource, at.name))
	status.Details = &metav1.StatusDetails{Name: at.name, Kind: at.resource}
	return status
}

func verbOf(r *http.Request, at key) string {
	switch {
	case r.Method == http.MethodGet && r.URL.Query().Get("watch") != "":
		return "watch"
	case r.Method == http.MethodGet && at.name == "":
		return "list"
	}
	return map[string]string{
		http.MethodGet: "get", http.MethodPost: "create", http.MethodPut: "update",
		http.MethodPatch: "patch", http.MethodDelete: "delete",
	}[r.Method]
}

func (a *apiServer) object(w http.ResponseWriter, r *http.Request, at key) {
	verb := verbOf(r, at)
	a.mu.Lock()
	a.counts[verb+" "+at.resource]++
	refused, delayed := a.refuse(verb, at.resource), a.delayed
	a.mu.Unlock()
	if refused != nil {
		answer(w, int(refused.Code), refused)
		return
	}
	var body map[string]any
	if r.Body != nil {
		_ = json.NewDecoder(r.Body).Decode(&body)
	}
	switch verb {
	case "watch":
		a.watch(w, r, at)
	case "list":
		a.list(w, r, at)
	case "get":
		a.mu.Lock()
		defer a.mu.Unlock()
		if object := a.objects[at]; object != nil {
			answer(w, 200, object.Object)
			return
		}
		answer(w, 404, notFound(at))
	case "create":
		time.Sleep(delayed)
		a.create(w, at, body)
	case "patch":
		code, what := a.change(at, func(object *unstructured.Unstructured) { merge(object.Object, body) })
		answer(w, code, what)
	case "delete":
		options := unstructured.Unstructured{Object: body}
		uid, _, _ := unstructured.NestedString(options.Object, "preconditions", "uid")
		code, what := a.delete(at, uid)
		answer(w, code, what)
	default:
		answer(w, 405, failed(405, metav1.StatusReasonMethodNotAllowed, verb))
	}
}

func merge(into, patch map[string]any) {
	for name, value := range patch {
		inner, is := value.(map[string]any)
		if !is {
			into[name] = value
			continue
		}
		there, is := into[name].(map[string]any)
		if !is {
			there = map[string]any{}
			into[name] = there
		}
		merge(there, inner)
	}
}

// selectors of a list or watch.
func selectors(r *http.Request) (labels.Selector, fields.Selector) {
	having, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		having = labels.Nothing()
	}
	with, err := fields.ParseSelector(r.URL.Query().Get("fieldSelector"))
	if err != nil {
		with = fields.Nothing()
	}
	return having, with
}

func (w *watching) wants(at key, object *unstructured.Unstructured) bool {
	uid, _, _ := unstructured.NestedString(object.Object, "involvedObject", "uid")
	kind, _, _ := unstructured.NestedString(object.Object, "type")
	return at.resource == w.resource && at.namespace == w.namespace &&
		w.labels.Matches(labels.Set(object.GetLabels())) &&
		w.fields.Matches(fields.Set{"involvedObject.uid": uid, "type": kind, "metadata.name": object.GetName()})
}

// matching are the objects of a list or watch; the lock is held.
func (a *apiServer) matching(w *watching) []*unstructured.Unstructured {
	var list []*unstructured.Unstructured
	for at, object := range a.objects {
		if w.wants(at, object) {
			list = append(list, object)
		}
	}
	slices.SortFunc(list, func(a, b *unstructured.Unstructured) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return list
}

func (a *apiServer) list(w http.ResponseWriter, r *http.Request, at key) {
	having, with := selectors(r)
	a.mu.Lock()
	defer a.mu.Unlock()
	items := []any{}
	for _, object := range a.matching(&watching{resource: at.resource, namespace: at.namespace, labels: having, fields: with}) {
		items = append(items, object.Object)
	}
	group, kind := kindOf(at.resource)
	answer(w, 200, map[string]any{
		"apiVersion": group, "kind": kind + "List", "items": items,
		"metadata": map[string]any{"resourceVersion": strconv.Itoa(a.version)},
	})
}

func kindOf(resource string) (group, kind string) {
	for group, known := range groups {
		for _, line := range known {
			if name, kind, _ := strings.Cut(line, " "); name == resource {
				return group, kind
			}
		}
	}
	return "", ""
}

func (a *apiServer) watch(w http.ResponseWriter, r *http.Request, at key) {
	having, with := selectors(r)
	watch := &watching{resource: at.resource, namespace: at.namespace, labels: having, fields: with, events: make(chan watchEvent, 1000)}
	a.mu.Lock()
	if since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion")); since > 0 && since < a.erased {
		a.mu.Unlock()
		answer(w, 410, failed(410, metav1.StatusReasonExpired, "too old resource version"))
		return
	}
	if since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion")); since == 0 || r.URL.Query().Get("sendInitialEvents") == "true" {
		for _, object := range a.matching(watch) {
			watch.events <- watchEvent{"ADDED", object.DeepCopy().Object}
		}
	} else {
		for _, object := range a.matching(watch) {
			if version, _ := strconv.Atoi(object.GetResourceVersion()); version > since {
				watch.events <- watchEvent{"ADDED", object.DeepCopy().Object}
			}
		}
	}
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		group, kind := kindOf(at.resource)
		watch.events <- watchEvent{"BOOKMARK", map[string]any{"apiVersion": group, "kind": kind, "metadata": map[string]any{
			"resourceVersion": strconv.Itoa(a.version),
			"annotations":     map[string]any{metav1.InitialEventsAnnotationKey: "true"},
		}}}
	}
	a.watches[watch] = struct{}{}
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.watches, watch)
		a.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(200)
	control := http.NewResponseController(w)
	_ = control.Flush()
	encoder := json.NewEncoder(w)
	for {
		select {
		case event, open := <-watch.events:
			if !open || encoder.Encode(event) != nil || control.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// dropWatches ends all watches of a resource.
func (a *apiServer) dropWatches(resource string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for watch := range a.watches {
		if watch.resource == resource {
			close(watch.events)
			delete(a.watches, watch)
		}
	}
}

// interrupt ends all watches of a resource, and refuses new ones.
func (a *apiServer) interrupt(resource string) {
	a.set(func() {
		a.refuse = func(verb, of string) *metav1.Status {
			if of != resource || verb != "list" && verb != "watch" {
				return nil
			}
			return failed(503, metav1.StatusReasonServiceUnavailable, "the server is starting")
		}
	})
	a.dropWatches(resource)
}

// tell gives an object a new version and tells whoever watches; the lock is
// held.
func (a *apiServer) tell(event string, at key, object *unstructured.Unstructured) {
	a.version++
	if event == "DELETED" {
		a.erased = a.version
	}
	object.SetResourceVersion(strconv.Itoa(a.version))
	for watch := range a.watches {
		if watch.wants(at, object) {
			watch.events <- watchEvent{event, object.DeepCopy().Object}
		}
	}
}

func (a *apiServer) create(w http.ResponseWriter, at key, body map[string]any) {
	object := &unstructured.Unstructured{Object: body}
	at.name = object.GetName()
	a.mu.Lock()
	if a.objects[at] != nil {
		a.mu.Unlock()
		status := failed(409, metav1.StatusReasonAlreadyExists, fmt.Sprintf("%s %q already exists", at.resource, at.name))
		answer(w, 409, status)
		return
	}
	object.SetNamespace(at.namespace)
	object.SetUID(uidOf(a.version))
	object.SetCreationTimestamp(metav1.Now())
	a.objects[at] = object
	a.tell("ADDED", at, object)
	copied := object.DeepCopy()
	a.mu.Unlock()
	a.hook("ADDED", copied)
	answer(w, 201, copied.Object)
}

func (a *apiServer) change(at key, do func(*unstructured.Unstructured)) (int, any) {
	a.mu.Lock()
	object := a.objects[at]
	if object == nil {
		a.mu.Unlock()
		return 404, notFound(at)
	}
	object = object.DeepCopy()
	do(object)
	event := "MODIFIED"
	if object.GetDeletionTimestamp() != nil && len(object.GetFinalizers()) == 0 && at.resource != "pods" {
		event = "DELETED"
		delete(a.objects, at)
	} else {
		a.objects[at] = object
	}
	a.tell(event, at, object)
	copied := object.DeepCopy()
	a.mu.Unlock()
	a.hook(event, copied)
	return 200, copied.Object
}

func (a *apiServer) delete(at key, uid string) (int, any) {
	a.mu.Lock()
	object := a.objects[at]
	switch {
	case object == nil:
		a.mu.Unlock()
		return 404, notFound(at)
	case uid != "" && uid != string(object.GetUID()):
		a.mu.Unlock()
		return 409, failed(409, metav1.StatusReasonConflict, "the UID in the precondition does not match")
	}
	object = object.DeepCopy()
	event := "DELETED"
	if len(object.GetFinalizers()) > 0 {
		event = "MODIFIED"
		now := metav1.Now()
		object.SetDeletionTimestamp(&now)
		a.objects[at] = object
	} else {
		delete(a.objects, at)
	}
	a.tell(event, at, object)
	copied := object.DeepCopy()
	a.mu.Unlock()
	a.hook(event, copied)
	return 200, copied.Object
}

// put creates an object on behalf of the cluster.
func (a *apiServer) put(object client.Object) {
	a.t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		a.t.Fatal(err)
	}
	made := &unstructured.Unstructured{Object: fields}
	resource := resourceOf(made.GetKind())
	at := key{resource, made.GetNamespace(), made.GetName()}
	a.mu.Lock()
	if made.GetUID() == "" {
		made.SetUID(uidOf(a.version))
	}
	a.objects[at] = made
	a.tell("ADDED", at, made)
	a.mu.Unlock()
}

// edit changes an object of the cluster, as type T. That it is gone is no
// failure.
func edit[T any](a *apiServer, at key, do func(*T)) {
	a.change(at, func(object *unstructured.Unstructured) {
		var typed T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
			a.t.Errorf("read %v: %v", at, err)
			return
		}
		do(&typed)
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&typed)
		if err != nil {
			a.t.Errorf("write %v: %v", at, err)
			return
		}
		object.Object = fields
	})
}

// erase removes an object, whatever its finalizers.
func (a *apiServer) erase(at key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if object := a.objects[at]; object != nil {
		delete(a.objects, at)
		a.tell("DELETED", at, object.DeepCopy())
	}
}

// count is how often a verb on a resource was asked.
func (a *apiServer) count(what string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counts[what]
}

// has says whether there is an object.
func (a *apiServer) has(at key) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.objects[at] != nil
}

func (a *apiServer) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

func resourceOf(kind string) string {
	for _, known := range groups {
		for _, line := range known {
			if name, of, _ := strings.Cut(line, " "); of == kind {
				return name
			}
		}
	}
	return ""
}
