package driver_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/doctor"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// needed are the rights in the target's namespace that doctor asks about for a
// command line, which are fewer than those of the chart's controller.
func needed() []doctor.Right {
	return slices.DeleteFunc(doctor.Rights(), func(right doctor.Right) bool {
		return right.Where != doctor.InTarget || right.Controller
	})
}

// grant gives a user the rights in the site's namespace, and no more, and
// waits until the API server knows of them.
func (s *site) grant(t *testing.T, user string, rights []doctor.Right) {
	t.Helper()
	meta := metav1.ObjectMeta{Namespace: s.namespace, Name: user}
	role := &rbacv1.Role{ObjectMeta: meta}
	for _, right := range rights {
		rule := rbacv1.PolicyRule{APIGroups: []string{right.Group}, Resources: []string{right.Resource}, Verbs: right.Verbs}
		if right.Name != "" {
			rule.ResourceNames = []string{right.Name}
		}
		role.Rules = append(role.Rules, rule)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: meta,
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
	}
	for _, object := range []client.Object{role, binding} {
		if err := s.client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	for _, right := range rights {
		for _, verb := range right.Verbs {
			s.passable(t, fmt.Sprintf("%s %s is not granted", verb, right.FullResource()), func(ctx context.Context) error {
				return s.allowed(ctx, user, right, verb)
			})
		}
	}
}

// allowed asks the API server as Chaos Mesh's web hook does. Its authorizer
// hears of Roles and their bindings a moment after they are made.
func (s *site) allowed(ctx context.Context, user string, right doctor.Right, verb string) error {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: s.namespace, Verb: verb, Group: right.Group, Resource: right.Resource, Name: right.Name,
		},
	}}
	if err := s.client.Create(ctx, review); err != nil {
		return err
	}
	if !review.Status.Allowed {
		return fmt.Errorf("denied: %s %s", review.Status.Reason, review.Status.EvaluationError)
	}
	return nil
}

// TestRights drives with exactly the rights that doctor asks about, which
// Chaos Mesh's own web hook looks at as well.
func TestRights(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.newPair(t)
	const user = "driver-test"
	s.grant(t, user, needed())
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
