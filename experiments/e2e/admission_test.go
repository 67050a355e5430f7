package e2e

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// rights: the Role and the admission policy of the chart's page do as it says.
func (s *site) rights(t *testing.T) {
	t.Cleanup(func() { s.removePolicy(t) })
	for _, block := range blocks(t, chartPage) {
		if !strings.Contains(block, "create rolebinding") && !strings.Contains(block, "kind: ValidatingAdmissionPolicy\n") {
			continue
		}
		command := gently(exec.CommandContext(during(t), "sh", "-eu"))
		command.Env, command.Stdin = s.command(t.Context(), "emco-chaos").Env, strings.NewReader(block)
		if printed, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, printed)
		}
	}
	try := func(spec string, groups ...string) string {
		arguments := []string{"create", "--dry-run=server", "-f", "-", "--as=somebody"}
		for _, group := range groups {
			arguments = append(arguments, "--as-group="+group)
		}
		printed, _ := s.kubectl(t, "{apiVersion: emco-chaos.io/v1alpha1, kind: Run, metadata: {name: try}, spec: "+spec+"}", arguments...)
		return printed
	}
	const byName, ofTheirOwn, refusal = "{experiment: service-refused}", "{text: mine}", "only resilience-leads may run experiments of their own"
	// The API server takes a moment to know a policy.
	eventually(t, time.Minute, func(context.Context) error {
		if printed := try(ofTheirOwn, "resilience"); !strings.Contains(printed, refusal) {
			return errors.New(printed)
		}
		return nil
	})
	for _, test := range []struct {
		spec   string
		groups []string
		says   string
	}{
		{byName, nil, "Forbidden"},
		{byName, []string{"resilience"}, "created"},
		{ofTheirOwn, []string{"resilience-leads"}, "Forbidden"},
		{ofTheirOwn, []string{"resilience", "resilience-leads"}, "created"},
	} {
		if printed := try(test.spec, test.groups...); !strings.Contains(printed, test.says) {
			t.Errorf("%s by %q: %s, want %s", test.spec, test.groups, printed, test.says)
		}
	}
}

// removePolicy removes the admission policy of the chart's page.
func (s *site) removePolicy(t *testing.T) {
	t.Helper()
	named := metav1.ObjectMeta{Name: "own-experiments"}
	s.remove(t, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: named})
	s.remove(t, &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: named})
}
