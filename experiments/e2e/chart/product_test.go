package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	chaosmesh "github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/doctor"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// pod is the part of a manifest that becomes a pod.
type pod struct {
	name string
	spec corev1.PodSpec
	// task says that it is a Workflow's: Chaos Mesh makes the pod, out of a
	// container and volumes alone.
	task bool
}

func pods(all []client.Object) []pod {
	var list []pod
	for _, object := range all {
		switch object := object.(type) {
		case *appsv1.Deployment:
			list = append(list, pod{name: "Deployment " + object.Name, spec: object.Spec.Template.Spec})
		case *corev1.Pod:
			list = append(list, pod{name: "Pod " + object.Name, spec: object.Spec})
		case *chaosmesh.Schedule:
			for _, template := range object.Spec.Workflow.Templates {
				if template.Task != nil {
					spec := corev1.PodSpec{Containers: []corev1.Container{*template.Task.Container}, Volumes: template.Task.Volumes}
					list = append(list, pod{name: "Schedule " + object.Name, spec: spec, task: true})
				}
			}
		}
	}
	return list
}

// TestSecurityOfEveryPod: none is root, writes to its image, has a capability,
// or could get one; what it needs to run is bounded.
func TestSecurityOfEveryPod(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"minimal", "everything", "nothing"} {
		all := pods(objects(t, values(t, name)))
		if len(all) < 2 {
			t.Fatalf("%s: %d pods, want the controller's and doctor's", name, len(all))
		}
		for _, pod := range all {
			place := name + ": " + pod.name
			if !pod.task {
				security := pod.spec.SecurityContext
				if security == nil || security.RunAsNonRoot == nil || !*security.RunAsNonRoot || security.FSGroup == nil ||
					security.SeccompProfile == nil || security.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
					t.Errorf("%s: its security context is %+v", place, security)
				}
			}
			if pod.spec.HostNetwork || pod.spec.HostPID || pod.spec.HostIPC {
				t.Errorf("%s: it shares a namespace with its host", place)
			}
			for _, volume := range pod.spec.Volumes {
				if volume.HostPath != nil {
					t.Errorf("%s: its volume %s is a folder of the host", place, volume.Name)
				}
			}
			for _, container := range slices.Concat(pod.spec.InitContainers, pod.spec.Containers) {
				want := &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
					ReadOnlyRootFilesystem:   new(true),
					RunAsGroup:               new(int64(65532)),
					RunAsNonRoot:             new(true),
					RunAsUser:                new(int64(65532)),
					SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				}
				if !reflect.DeepEqual(container.SecurityContext, want) {
					t.Errorf("%s: the security context of %s is %+v", place, container.Name, container.SecurityContext)
				}
				if container.Resources.Limits.Memory().IsZero() {
					t.Errorf("%s: the memory of %s has no limit", place, container.Name)
				}
				for _, mount := range container.VolumeMounts {
					if !slices.ContainsFunc(pod.spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) {
						t.Errorf("%s: %s has no volume %s", place, container.Name, mount.Name)
					}
				}
			}
		}
	}
}

// right is one verb on one resource in one place.
type right struct{ namespace, group, resource, name, verb string }

func (r right) String() string {
	return fmt.Sprintf("%s %s.%s %s in %q", r.verb, r.resource, r.group, r.name, r.namespace)
}

// granted are the rights of a service account.
func granted(t *testing.T, all []client.Object, account string) map[right]bool {
	t.Helper()
	rights := map[right]bool{}
	add := func(namespace string, rules []rbacv1.PolicyRule) {
		for _, rule := range rules {
			names := rule.ResourceNames
			if len(names) == 0 {
				names = []string{""}
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						for _, name := range names {
							rights[right{namespace, group, resource, name, verb}] = true
						}
					}
				}
			}
		}
	}
	ours := func(subjects []rbacv1.Subject) bool {
		return slices.Contains(subjects, rbacv1.Subject{Kind: "ServiceAccount", Name: account, Namespace: namespace})
	}
	for _, binding := range of[*rbacv1.RoleBinding](all) {
		if !ours(binding.Subjects) {
			continue
		}
		found := false
		for _, role := range of[*rbacv1.Role](all) {
			if role.Name == binding.RoleRef.Name && role.Namespace == binding.Namespace {
				add(role.Namespace, role.Rules)
				found = true
			}
		}
		if !found {
			t.Errorf("the binding %s/%s names the Role %s, which there is not", binding.Namespace, binding.Name, binding.RoleRef.Name)
		}
	}
	return rights
}

// TestRights: the controller is granted what doctor asks about, and no verb
// more; the thin client may create, get and
// watch Runs and create Events, unless that is off, and nothing else.
func TestRights(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values  map[string]any
		account string
		places  map[doctor.Where][]string
	}{
		"minimal": {values(t, "minimal"), "emco-chaos", map[doctor.Where][]string{
			doctor.InTarget: {"emco"}, doctor.InChaosMesh: {"chaos-mesh"}, doctor.InController: {namespace},
		}},
		"everything": {values(t, "everything"), "chaos-runner", map[doctor.Where][]string{
			doctor.InTarget: {"data", "emco-clusters", "emco-system"}, doctor.InChaosMesh: {"chaos"}, doctor.InController: {namespace},
		}},
		"no look at Chaos Mesh": {given(t, "rbac: {chaosMesh: false}"), "emco-chaos", map[doctor.Where][]string{
			doctor.InTarget: {"emco"}, doctor.InController: {namespace},
		}},
		"nothing": {values(t, "nothing"), "granted-by-hand", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := objects(t, test.values)
			want := map[right]bool{}
			for _, needed := range doctor.Rights() {
				for _, namespace := range test.places[needed.Where] {
					for _, verb := range needed.Verbs {
						want[right{namespace, needed.Group, needed.Resource, needed.Name, verb}] = true
					}
				}
			}
			compare(t, granted(t, all, test.account), want)
			if name == "nothing" {
				return
			}
			trigger := named[*corev1.Secret](t, all, strings.TrimSuffix(of[*appsv1.Deployment](all)[0].Name, "")+"-trigger")
			want = map[right]bool{
				{namespace, "emco-chaos.io", "runs", "", "create"}: true,
				{namespace, "emco-chaos.io", "runs", "", "get"}:    true,
				{namespace, "emco-chaos.io", "runs", "", "watch"}:  true,
				{namespace, "", "events", "", "create"}:            true,
			}
			if name == "everything" {
				delete(want, right{namespace, "", "events", "", "create"})
			}
			compare(t, granted(t, all, trigger.Annotations[corev1.ServiceAccountNameKey]), want)
		})
	}
}

func compare(t *testing.T, got, want map[right]bool) {
	t.Helper()
	for right := range want {
		if !got[right] {
			t.Errorf("it may not %s", right)
		}
	}
	for right := range got {
		if !want[right] {
			t.Errorf("it may %s, which it need not", right)
		}
	}
}

// TestDefinition: the chart has no cluster-wide object but the definition of
// Runs, as the Go types have it, which stays by default and can be left out.
func TestDefinition(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{"{}": "keep", "crds: {keep: false}": "", "crds: {enabled: false}": "none"} {
		found := "none"
		for _, one := range of[*apiextensions.CustomResourceDefinition](objects(t, given(t, values))) {
			found = one.Annotations["helm.sh/resource-policy"]
			version := one.Spec.Versions[0]
			if len(one.Spec.Versions) != 1 || !version.Storage || version.Name != v1alpha1.GroupVersion.Version || one.Spec.Group != v1alpha1.GroupVersion.Group {
				t.Errorf("its versions are %+v", one.Spec.Versions)
			}
			unbounded(t, "", version.Schema.OpenAPIV3Schema)
		}
		if found != want {
			t.Errorf("%s: %q, want %q", values, found, want)
		}
	}
}

// unbounded finds what has no bound or no words in the schema of a Run, and
// what keeps unknown fields.
func unbounded(t *testing.T, path string, schema *apiextensions.JSONSchemaProps) {
	t.Helper()
	if path == ".metadata" || path == ".apiVersion" || path == ".kind" {
		return
	}
	if schema.XPreserveUnknownFields != nil || schema.Type == "string" && schema.MaxLength == nil && len(schema.Enum) == 0 && schema.Format != "date-time" ||
		schema.Type == "array" && schema.MaxItems == nil {
		t.Errorf("%s has no bound", path)
	}
	for name, inner := range schema.Properties {
		if inner.Description == "" && path != "" {
			t.Errorf("%s.%s has no description", path, name)
		}
		unbounded(t, path+"."+name, &inner)
	}
	if schema.Items != nil {
		unbounded(t, path+"[]", schema.Items.Schema)
	}
}

// TestSchedules: one for each experiment, as Chaos Mesh's own checks want
// them, and paused such that one start from the dashboard starts one run.
func TestSchedules(t *testing.T) {
	t.Parallel()
	schedules := of[*chaosmesh.Schedule](objects(t, values(t, "minimal")))
	var names []string
	for _, schedule := range schedules {
		experiment := schedule.Labels["emco-chaos.io/experiment"]
		names = append(names, experiment)
		valid(t, schedule)
		if len(schedule.Name) > 30 {
			t.Errorf("%s: the dashboard cuts a name of %d characters", schedule.Name, len(schedule.Name))
		}
		if schedule.Annotations["emco-chaos.io/title"] == "" || len(schedule.Annotations["emco-chaos.io/description"]) < 100 {
			t.Errorf("%s: its annotations %v do not describe it", schedule.Name, schedule.Annotations)
		}
		if !schedule.IsPaused() || schedule.Spec.Schedule != "0 0 1 1 *" || schedule.Labels["emco-chaos.io/rearm"] != "true" || schedule.Status.LastScheduleTime.Year() != 2000 {
			t.Errorf("%s: paused %t, cron %q, labels %v, last %s", schedule.Name, schedule.IsPaused(), schedule.Spec.Schedule, schedule.Labels, schedule.Status.LastScheduleTime)
		}
		if schedule.Spec.Type != chaosmesh.ScheduleTypeWorkflow || schedule.Spec.ConcurrencyPolicy != chaosmesh.ForbidConcurrent || schedule.Spec.HistoryLimit != 5 {
			t.Errorf("%s: %s, %s, %d kept", schedule.Name, schedule.Spec.Type, schedule.Spec.ConcurrencyPolicy, schedule.Spec.HistoryLimit)
		}
		args := task(schedule).Container.Args
		if want := []string{"trigger", experiment, "--wait", "--timeout=60m"}; !slices.Equal(args, want) {
			t.Errorf("%s: its Task runs %q, want %q", schedule.Name, args, want)
		}
	}
	slices.Sort(names)
	if want := experiments.Names(); !slices.Equal(names, want) {
		t.Errorf("there are Schedules for %v, want %v", names, want)
	}
}

func TestScheduleOptions(t *testing.T) {
	t.Parallel()
	all := objects(t, values(t, "everything"))
	one := named[*chaosmesh.Schedule](t, all, "service-refused-logical-cloud")
	valid(t, one)
	// A dollar is doubled for the kubelet, which makes one of it again.
	want := []string{"trigger", "service-refused", "--wait", "--timeout=30m", "--set=call=logical-cloud.terminate", "--set=refused=$$(HOME) 2m"}
	if got := task(one).Container.Args; !slices.Equal(got, want) {
		t.Errorf("its Task runs %q, want %q", got, want)
	}
	if one.Spec.Schedule != "@yearly" || one.Spec.HistoryLimit != 2 {
		t.Errorf("it runs %q, and keeps %d", one.Spec.Schedule, one.Spec.HistoryLimit)
	}
	running := named[*chaosmesh.Schedule](t, all, "dig-terminate-in-flight")
	valid(t, running)
	if running.IsPaused() || running.Spec.Schedule != "0 3 * * 1" || running.Labels["emco-chaos.io/rearm"] != "" || !running.Status.LastScheduleTime.IsZero() {
		t.Errorf("the one that runs by itself: paused %t, %q, labels %v, last %s", running.IsPaused(), running.Spec.Schedule, running.Labels, running.Status.LastScheduleTime)
	}
}

func task(schedule *chaosmesh.Schedule) *chaosmesh.Task {
	for _, template := range schedule.Spec.Workflow.Templates {
		if template.Task != nil {
			return template.Task
		}
	}
	return nil
}

// valid asks Chaos Mesh's own checks, and whether the names that it makes stay
// within what a label can hold.
func valid(t *testing.T, schedule *chaosmesh.Schedule) {
	t.Helper()
	if _, err := schedule.ValidateCreate(t.Context(), schedule); err != nil {
		t.Errorf("%s: %v", schedule.Name, err)
	}
	workflow := &chaosmesh.Workflow{ObjectMeta: metav1.ObjectMeta{Name: schedule.Name}, Spec: *schedule.Spec.Workflow}
	if _, err := workflow.ValidateCreate(t.Context(), workflow); err != nil {
		t.Errorf("%s: its Workflow: %v", schedule.Name, err)
	}
	const suffix = len("-abcde")
	if length := len(schedule.Name) + suffix; length > 63 {
		t.Errorf("%s: its Workflow's name has %d characters", schedule.Name, length)
	}
	templates := map[string]chaosmesh.Template{}
	for _, template := range schedule.Spec.Workflow.Templates {
		templates[template.Name] = template
		if length := len(template.Name) + 2*suffix; length > 63 {
			t.Errorf("%s: the name of a pod of its template %s has %d characters", schedule.Name, template.Name, length)
		}
	}
	entry := templates[schedule.Spec.Workflow.Entry]
	branches := map[string]string{}
	for _, branch := range entry.ConditionalBranches {
		branches[branch.Target] = branch.Expression
		if templates[branch.Target].Type != chaosmesh.TypeSuspend {
			t.Errorf("%s: the branch %s leads to %+v", schedule.Name, branch.Target, templates[branch.Target])
		}
	}
	if want := map[string]string{
		"passed": "exitCode == 0", "failed": "exitCode == 1", "inconclusive": "exitCode == 3",
		"error": "exitCode != 0 && exitCode != 1 && exitCode != 3",
	}; !maps.Equal(branches, want) {
		t.Errorf("%s: its branches are %v", schedule.Name, branches)
	}
}

// TestTarget: the target file is one that emco-chaos reads, and by default
// that of EMCO's own chart.
func TestTarget(t *testing.T) {
	t.Parallel()
	target := targetOf(t, values(t, "minimal"))
	chart, err := experiments.ChartTarget()
	if err != nil {
		t.Fatal(err)
	}
	for name, service := range chart.Services {
		got := target.Services[name]
		if got.Namespace != service.Namespace || !maps.Equal(got.Labels, service.Labels) || got.Address != service.Address {
			t.Errorf("%s is %+v, want the pods and the address of %+v", name, got, service)
		}
	}
	for name, url := range map[string]string{
		"orchestrator": "http://orchestrator.emco:9015", "dcm": "http://dcm.emco:9077", "clm": "http://clm.emco:9061", "rsync": "",
	} {
		if target.Services[name].URL != url {
			t.Errorf("%s is asked at %q, want %q", name, target.Services[name].URL, url)
		}
	}
	if len(target.Services) != len(chart.Services) {
		t.Errorf("it has the services %v", slices.Sorted(maps.Keys(target.Services)))
	}
	// What runs by it is what the embedded target has.
	for _, name := range experiments.Names() {
		source, err := experiments.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, problems := experiments.Compile(source, target, nil); problems.Err() != nil {
			t.Errorf("%s does not compile for it: %v", name, problems.Err())
		}
	}
}

func TestTargetOfEverything(t *testing.T) {
	t.Parallel()
	read := targetOf(t, values(t, "everything"))
	read.File, read.Places = "", nil
	got, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"chaos","driver":{"kubernetes":{}},"services":{` +
		`"clm":{"namespace":"emco-clusters","labels":{"app":"clm"}},` +
		`"dcm":{"namespace":"emco-system","labels":{"app":"dcm"}},` +
		`"edge":{"address":"edge.example:6443"},` +
		`"etcd":{"namespace":"emco-system","labels":{"app.kubernetes.io/name":"etcd"}},` +
		`"mongodb":{"namespace":"data","labels":{"app":"mongodb"}},` +
		`"orchestrator":{"url":"https://orchestrator.example:9015","namespace":"emco-system","labels":{"role":"orchestrator"}},` +
		`"rsync":{"address":"rsync.emco-system:9031","namespace":"emco-system","labels":{"app":"rsync"}}},` +
		`"ingress":{"url":"https://emco.example"},` +
		`"credentials":{"token":{"file":"/etc/emco-chaos/token/token"},"ca":{"file":"/etc/emco-chaos/ca/ca.crt"}},` +
		`"settings":{"apps":["frontend","redis"],"edge":{"kubeconfig":{"file":"/etc/emco-chaos/edge/kubeconfig"}},` +
		`"emcoctl":{"config":{"file":"/plugins/emco-cfg.yaml"}},"existing":{"dig":"gms-dig","project":"gms"}}}`
	if string(got) != want {
		t.Errorf("the target is\n%s\nwant\n%s", got, want)
	}
}

func targetOf(t *testing.T, given map[string]any) *target.Target {
	t.Helper()
	for _, config := range of[*corev1.ConfigMap](objects(t, given)) {
		if text, there := config.Data["target.yaml"]; there {
			target, problems := target.Parse("/etc/emco-chaos/target/target.yaml", []byte(text))
			if err := problems.Err(); err != nil {
				t.Fatal(err)
			}
			return target
		}
	}
	t.Fatal("no ConfigMap has the target")
	return nil
}

// TestSelectors: the Deployment and the NetworkPolicy select the controller's pod
// and no other of ours.
func TestSelectors(t *testing.T) {
	t.Parallel()
	all := objects(t, values(t, "everything"))
	deployment := of[*appsv1.Deployment](all)[0]
	controllers := deployment.Spec.Template.Labels
	others := []map[string]string{of[*corev1.Pod](all)[0].Labels, task(of[*chaosmesh.Schedule](all)[0]).Labels}
	for name, selector := range map[string]map[string]string{
		"the Deployment":    deployment.Spec.Selector.MatchLabels,
		"the NetworkPolicy": of[*networkingv1.NetworkPolicy](all)[0].Spec.PodSelector.MatchLabels,
	} {
		selects := labels.SelectorFromSet(selector)
		if !selects.Matches(labels.Set(controllers)) || selects.Matches(labels.Set(others[0])) || selects.Matches(labels.Set(others[1])) {
			t.Errorf("%s selects %v", name, selector)
		}
	}
}

// TestTrigger: the pods that the dashboard starts have the token of the service
// account that may create Runs where a pod has its own.
func TestTrigger(t *testing.T) {
	t.Parallel()
	all := objects(t, values(t, "minimal"))
	secret := named[*corev1.Secret](t, all, "emco-chaos-trigger")
	run := task(of[*chaosmesh.Schedule](all)[0])
	if mount := run.Container.VolumeMounts; len(mount) != 1 || mount[0].MountPath != "/var/run/secrets/kubernetes.io/serviceaccount" || !mount[0].ReadOnly {
		t.Errorf("its mounts are %+v", mount)
	}
	if volume := run.Volumes; len(volume) != 1 || volume[0].Secret == nil || volume[0].Secret.SecretName != secret.Name || secret.Type != corev1.SecretTypeServiceAccountToken {
		t.Errorf("its volumes are %+v", volume)
	}
}

// TestQuota: the API server refuses more Runs than the values say.
func TestQuota(t *testing.T) {
	t.Parallel()
	if quotas := of[*corev1.ResourceQuota](objects(t, values(t, "minimal"))); len(quotas) > 0 {
		t.Errorf("without a value there are the quotas %+v", quotas)
	}
	hard := of[*corev1.ResourceQuota](objects(t, given(t, "runs: {quota: 40}")))[0].Spec.Hard
	if runs := hard["count/runs.emco-chaos.io"]; len(hard) != 1 || runs.Value() != 40 {
		t.Errorf("the quota is %v", hard)
	}
}
