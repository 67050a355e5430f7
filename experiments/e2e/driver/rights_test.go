package driver_test

import (
	"context"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// TestRights drives with exactly the rights that the driver needs, which Chaos
// Mesh's own web hook looks at as well.
func TestRights(t *testing.T) {
	s := newSite(t)
	p := s.newPair(t)
	meta := metav1.ObjectMeta{Namespace: s.namespace, Name: "driver"}
	const user = "driver-test"
	role := &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{"chaos-mesh.org"}, Resources: []string{"podchaos", "networkchaos"}, Verbs: []string{"create", "get", "list", "watch", "patch", "delete"}},
		{APIGroups: []string{"chaos-mesh.org"}, Resources: []string{"podnetworkchaos"}, Verbs: []string{"get", "patch"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"list"}},
	}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: meta,
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
	}
	if err := s.client.Create(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(s.config)
	config.Impersonate.UserName = user
	driver, err := chaosmesh.Open(t.Context(), config, chaosmesh.Options{Namespaces: []string{s.namespace}})
	if err != nil {
		t.Fatal(err)
	}
	defer driver.Close()
	for _, one := range []struct {
		object fault.Object
		until  string
	}{
		{p.partition(), plan.Injected},
		// One that fails has to be freed; where it does not fail, the better.
		{p.delay(), ""},
		{p.podChaos(v1alpha1.PodKillAction, p.service), plan.Ready},
	} {
		seen := make(chan engine.Moment, 100)
		if err := driver.Apply(t.Context(), one.object, func(m engine.Moment) { seen <- m }); err != nil {
			t.Fatal(err)
		}
		limit := time.After(patience)
		for waiting := true; waiting; {
			select {
			case moment := <-seen:
				if moment.Err != nil && one.until != "" {
					t.Fatal(moment.Err)
				}
				waiting = moment.Event != one.until && (one.until != "" || moment.Event != plan.Injected && moment.Err == nil)
			case <-limit:
				t.Fatalf("%q was not observed", one.until)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := driver.Remove(ctx, one.object)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	left, err := driver.Leftovers(t.Context())
	if err != nil || len(left) > 0 {
		t.Errorf("%d objects are left: %v", len(left), err)
	}
}
