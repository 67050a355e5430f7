package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/emco-chaos/emco-chaos/experiments"
	runs "github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
)

// dashboard is the REST API that the Chaos dashboard's page works by, for one
// of its users.
type dashboard struct{ address, token string }

func (s *site) dashboard(t *testing.T) dashboard {
	t.Helper()
	service := &corev1.Service{}
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: chaosMesh, Name: "chaos-dashboard"}, service); err != nil {
		t.Fatal(err)
	}
	return dashboard{address: fmt.Sprintf("http://%s:%d", service.Spec.ClusterIP, service.Spec.Ports[0].Port)}
}

// ask asks the dashboard, and reads its answer into into unless that is nil.
func (d dashboard) ask(ctx context.Context, method, path string, into any) error {
	// It answers within milliseconds, or, now and then, not at all.
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, d.address+path, nil)
	if err != nil {
		return err
	}
	if d.token != "" {
		request.Header.Set("Authorization", "Bearer "+d.token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, why)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// logIn makes an account that manages our namespace, as the dashboard itself
// says how, and uses the dashboard with its token.
func (s *site) logIn(t *testing.T, page dashboard) dashboard {
	t.Helper()
	var advice map[string]string
	eventually(t, time.Minute, func(ctx context.Context) error {
		return page.ask(ctx, http.MethodGet, "/api/common/rbac-config?role=manager&namespace="+home, &advice)
	})
	if len(advice) != 1 {
		t.Fatalf("the dashboard tells of %d accounts", len(advice))
	}
	for account, manifests := range advice {
		for _, manifest := range strings.Split(manifests, "\n---\n") {
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(manifest), object); err != nil {
				t.Fatalf("%v in\n%s", err, manifest)
			}
			s.make(t, object)
		}
		clients, err := kubernetes.NewForConfig(s.config)
		if err != nil {
			t.Fatal(err)
		}
		made, err := clients.CoreV1().ServiceAccounts(home).CreateToken(t.Context(), account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		page.token = made.Status.Token
	}
	return page
}

// isKeptOut sees that somebody who has not logged in starts nothing, where the
// dashboard has people log in.
func (d dashboard) isKeptOut(t *testing.T, schedules map[string]dashboardSchedule) {
	t.Helper()
	var config struct {
		Secure bool `json:"security_mode"`
	}
	eventually(t, time.Minute, func(ctx context.Context) error {
		return d.ask(ctx, http.MethodGet, "/api/common/config", &config)
	})
	if !config.Secure {
		t.Log("this dashboard has nobody log in")
		return
	}
	for name, schedule := range schedules {
		eventually(t, time.Minute, func(ctx context.Context) error {
			err := d.ask(ctx, http.MethodPut, "/api/schedules/start/"+schedule.UID, nil)
			switch {
			case err == nil:
				t.Fatalf("somebody who has not logged in has started %s", name)
			case strings.Contains(err.Error(), "400") && strings.Contains(err.Error(), "token is empty"):
				return nil
			}
			return err
		})
	}
}

// What the dashboard says of schedules, workflows and events.
type (
	dashboardSchedule struct {
		UID, Namespace, Name, Status string
	}
	dashboardNode struct {
		Name, Template, State string
	}
	dashboardWorkflow struct {
		Topology struct{ Nodes []dashboardNode }
	}
	dashboardEvent struct {
		Kind, Reason, Message string
	}
)

// schedules are ours, by name.
func (d dashboard) schedules(ctx context.Context) (map[string]dashboardSchedule, error) {
	var all []dashboardSchedule
	if err := d.ask(ctx, http.MethodGet, "/api/schedules?namespace="+home, &all); err != nil {
		return nil, err
	}
	found := map[string]dashboardSchedule{}
	for _, one := range all {
		found[one.Name] = one
	}
	return found, nil
}

// workflows are those that a schedule has started, the latest last.
func (s *site) workflows(ctx context.Context, schedule string) ([]v1alpha1.Workflow, error) {
	var found v1alpha1.WorkflowList
	if err := s.client.List(ctx, &found, client.InNamespace(home), client.MatchingLabels{"managed-by": schedule}); err != nil {
		return nil, err
	}
	slices.SortFunc(found.Items, func(a, b v1alpha1.Workflow) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	return found.Items, nil
}

func accomplished(workflow v1alpha1.Workflow) bool {
	return slices.ContainsFunc(workflow.Status.Conditions, func(condition v1alpha1.WorkflowCondition) bool {
		return condition.Type == v1alpha1.WorkflowConditionAccomplished && condition.Status == corev1.ConditionTrue
	})
}

// TestDashboard starts every experiment from the dashboard, twice: each Start
// makes one run, whose verdict the topology and the events show.
func TestDashboard(t *testing.T) {
	s := here(t)
	s.install(t, s.given())
	visitor := s.dashboard(t)
	page := s.logIn(t, visitor)
	var schedules map[string]dashboardSchedule
	eventually(t, time.Minute, func(ctx context.Context) (err error) {
		if schedules, err = page.schedules(ctx); err == nil && len(schedules) != len(experiments.Names()) {
			err = fmt.Errorf("the dashboard shows %d schedules", len(schedules))
		}
		return err
	})
	visitor.isKeptOut(t, schedules)
	for name := range schedules {
		if begun, err := s.workflows(t.Context(), name); err != nil || len(begun) > 0 {
			t.Fatalf("before any Start %s has %d workflows: %v", name, len(begun), err)
		}
	}
	var delays []time.Duration
	for name, schedule := range schedules {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			s.start(t, page, schedule)
			delays = append(delays, s.firstCall(t, s.follow(t, page, schedule, 1, runLimit)).Sub(begun))
		})
	}
	// Ten at once: they wait for one another, and the first to be followed may be the
	// last in the queue. More have their pods wait for the machine.
	for _, name := range slices.Sorted(maps.Keys(schedules))[10:] {
		delete(schedules, name)
	}
	waits := s.watchWaits(t)
	for _, schedule := range schedules {
		s.start(t, page, schedule)
	}
	s.waiting(t, page, schedules, waits)
	for name, schedule := range schedules {
		t.Run(name+" again", func(t *testing.T) { s.follow(t, page, schedule, 2, time.Duration(len(schedules))*runLimit) })
	}
	slices.Sort(delays)
	if len(delays) > 0 {
		t.Logf("from Start to the first call to EMCO, %d runs: %v to %v, p50 %v", len(delays), delays[0], delays[len(delays)-1], delays[len(delays)/2])
	}
	s.clean(t)
}

// waiting sees that the runs that wait say so, where the dashboard shows it.
func (s *site) waiting(t *testing.T, page dashboard, schedules map[string]dashboardSchedule, waits func() []waited) {
	t.Helper()
	began := time.Now()
	eventually(t, time.Minute, func(ctx context.Context) error {
		waits := 0
		for _, schedule := range schedules {
			var events []dashboardEvent
			if err := page.ask(ctx, http.MethodGet, "/api/events?namespace="+home+"&object_id="+url.QueryEscape(schedule.UID), &events); err != nil {
				return err
			}
			if slices.ContainsFunc(events, func(event dashboardEvent) bool { return strings.HasPrefix(event.Message, "waits for its turn: ") }) {
				waits++
			}
		}
		if waits < len(schedules)-2 {
			return fmt.Errorf("of %d Schedules %d say that their run waits", len(schedules), waits)
		}
		return nil
	})
	t.Logf("%d of %d say that they wait %v after the last start", len(schedules)-2, len(schedules), time.Since(began))
	waitedSoon(t, waits(), len(schedules)-2)
}

// waitLimit is how long after its creation a Run that waits may take to say so.
const waitLimit = 2 * time.Second

// waited is when a Run was created, and when its Workflow and its Schedule first
// said that it waits.
type waited struct {
	run, workflowName           string
	created, workflow, schedule time.Time
}

// watchWaits notes when Runs are created and say that they wait.
func (s *site) watchWaits(t *testing.T) func() []waited {
	t.Helper()
	var mu sync.Mutex
	seen := map[string]*waited{}
	var watching sync.WaitGroup
	var stops []func()
	first := func(at *time.Time) {
		if at.IsZero() {
			*at = time.Now()
		}
	}
	for _, list := range []client.ObjectList{&runs.RunList{}, &corev1.EventList{}} {
		changes := s.watch(t.Context(), t, list, client.InNamespace(home))
		stops = append(stops, changes.Stop)
		watching.Go(func() {
			for change := range changes.ResultChan() {
				mu.Lock()
				switch object := change.Object.(type) {
				case *runs.Run:
					if change.Type == watch.Added {
						seen[object.Name] = &waited{run: object.Name, workflowName: object.Spec.Workflow, created: time.Now()}
					}
				case *corev1.Event:
					if object.Source.Component != "emco-chaos" || !strings.HasPrefix(object.Message, "wait") {
						break
					}
					for _, one := range seen {
						switch on := object.InvolvedObject; {
						case on.Kind == v1alpha1.KindWorkflow && on.Name == one.workflowName:
							first(&one.workflow)
						case on.Kind == v1alpha1.KindSchedule && strings.HasSuffix(object.Message, "(run "+one.run+")"):
							first(&one.schedule)
						}
					}
				}
				mu.Unlock()
			}
		})
	}
	stop := sync.OnceFunc(func() {
		for _, stop := range stops {
			stop()
		}
		watching.Wait()
	})
	t.Cleanup(stop)
	return func() []waited {
		mu.Lock()
		defer mu.Unlock()
		var all []waited
		for _, one := range seen {
			all = append(all, *one)
		}
		return all
	}
}

// waitedSoon sees that at least so many Runs said that they wait, on both, and each
// of them in time.
func waitedSoon(t *testing.T, all []waited, least int) {
	t.Helper()
	var delays []time.Duration
	for _, one := range all {
		if !one.workflow.IsZero() && !one.schedule.IsZero() {
			delays = append(delays, max(one.workflow.Sub(one.created), one.schedule.Sub(one.created)))
		}
	}
	if len(delays) < least {
		t.Fatalf("%d Runs say that they wait, not %d", len(delays), least)
	}
	slices.Sort(delays)
	last := delays[len(delays)-1]
	t.Logf("from a Run to the Events that it waits, %d runs: %v to %v, p50 %v", len(delays), delays[0], last, delays[(len(delays)-1)/2])
	if last > waitLimit {
		t.Errorf("they do not all say within %v that they wait", waitLimit)
	}
}

// TestWithoutController starts an experiment when no controller is there: the
// Schedule and the Workflow say so in time, and the run passes when one is back.
func TestWithoutController(t *testing.T) {
	s := here(t)
	s.install(t, s.given())
	page := s.logIn(t, s.dashboard(t))
	var schedule dashboardSchedule
	eventually(t, time.Minute, func(ctx context.Context) error {
		all, err := page.schedules(ctx)
		if schedule = all["03-service-refused"]; err == nil && schedule.UID == "" {
			err = errors.New("the dashboard does not show the Schedule")
		}
		return err
	})
	waits := s.watchWaits(t)
	s.scaleController(t, 0)
	s.start(t, page, schedule)
	var all []waited
	eventually(t, time.Minute, func(context.Context) error {
		if all = waits(); len(all) != 1 || all[0].schedule.IsZero() || all[0].workflow.IsZero() {
			return fmt.Errorf("it is not told that they wait: %+v", all)
		}
		return nil
	})
	waitedSoon(t, all, 1)
	eventually(t, 10*time.Second, func(ctx context.Context) error {
		var events []dashboardEvent
		err := page.ask(ctx, http.MethodGet, "/api/events?namespace="+home+"&object_id="+url.QueryEscape(schedule.UID), &events)
		if err == nil && !slices.ContainsFunc(events, func(event dashboardEvent) bool { return strings.HasPrefix(event.Message, "waits for a controller: ") }) {
			err = fmt.Errorf("the Schedule's page shows %+v", events)
		}
		return err
	})
	if printed, err := s.kubectl(t, "", "events", "--for", "workflow.chaos-mesh.org/"+all[0].workflowName); err != nil || !strings.Contains(printed, "waits for a controller: ") {
		t.Errorf("kubectl shows no Event of the Workflow: %v", err)
	}
	s.scaleController(t, 2)
	s.follow(t, page, schedule, 1, runLimit)
	s.clean(t)
}

// scaleController has so many controllers.
func (s *site) scaleController(t *testing.T, replicas int32) {
	t.Helper()
	one := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "emco-chaos"}}
	if err := s.client.Patch(t.Context(), one, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, func(ctx context.Context) error {
		there, err := s.pods(ctx, home, map[string]string{"app.kubernetes.io/component": "controller"})
		if err == nil && len(there) != int(replicas) {
			err = fmt.Errorf("%d controllers are there", len(there))
		}
		return err
	})
}

// start starts a schedule from the dashboard. When the dashboard gives no
// answer it may have done it all the same, and is only asked again if not: two
// starts would be two runs.
func (s *site) start(t *testing.T, page dashboard, schedule dashboardSchedule) {
	t.Helper()
	before, err := s.workflows(t.Context(), schedule.Name)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func(ctx context.Context) error {
		there, err := s.workflows(ctx, schedule.Name)
		if err != nil || len(there) > len(before) {
			return err
		}
		return page.ask(ctx, http.MethodPut, "/api/schedules/start/"+schedule.UID, nil)
	})
}

// follow follows the run of a schedule that was started for the count-th time,
// no longer than limit, and returns the name of its Workflow.
func (s *site) follow(t *testing.T, page dashboard, schedule dashboardSchedule, count int, limit time.Duration) string {
	t.Helper()
	var workflow v1alpha1.Workflow
	eventually(t, limit, func(ctx context.Context) error {
		found, err := s.workflows(ctx, schedule.Name)
		if err != nil {
			return err
		}
		if len(found) != count {
			return fmt.Errorf("%d workflows are there after start %d", len(found), count)
		}
		workflow = found[count-1]
		if !accomplished(workflow) {
			return fmt.Errorf("workflow %s is not accomplished", workflow.Name)
		}
		return nil
	})
	var shown dashboardWorkflow
	eventually(t, time.Minute, func(ctx context.Context) error {
		return page.ask(ctx, http.MethodGet, "/api/workflows/"+string(workflow.UID), &shown)
	})
	var verdicts []string
	for _, node := range shown.Topology.Nodes {
		if slices.Contains([]string{"passed", "failed", "inconclusive", "error"}, node.Template) {
			verdicts = append(verdicts, node.Template)
		}
	}
	if !slices.Equal(verdicts, []string{"passed"}) {
		t.Errorf("the topology leads to %v: %+v", verdicts, shown.Topology.Nodes)
	}
	for kind, path := range map[string]string{
		"Workflow": "/api/events/workflow/" + string(workflow.UID) + "?namespace=" + home,
		"Schedule": "/api/events?namespace=" + home + "&object_id=" + url.QueryEscape(schedule.UID),
	} {
		// What the dashboard shows of events comes a moment later.
		eventually(t, time.Minute, func(ctx context.Context) error {
			var events []dashboardEvent
			if err := page.ask(ctx, http.MethodGet, path, &events); err != nil {
				return err
			}
			ours := 0
			for _, event := range events {
				if strings.HasPrefix(event.Message, "Passed: recovered: ") {
					ours++
				}
			}
			if want := map[string]int{"Workflow": 1, "Schedule": count}[kind]; ours != want {
				return fmt.Errorf("%d events of the %s tell of a run that passed, not %d: %+v", ours, kind, want, events)
			}
			return nil
		})
	}
	// Armed again: the Schedule is paused, and due as soon as it is not.
	eventually(t, 10*time.Second, func(ctx context.Context) error {
		armed := &v1alpha1.Schedule{}
		if err := s.client.Get(ctx, client.ObjectKey{Namespace: home, Name: schedule.Name}, armed); err != nil {
			return err
		}
		if !armed.IsPaused() || time.Since(armed.Status.LastScheduleTime.Time) < 24*time.Hour {
			return fmt.Errorf("the schedule is not armed: paused %v, last time %v", armed.IsPaused(), armed.Status.LastScheduleTime)
		}
		return nil
	})
	return workflow.Name
}

// firstCall is when the run that a workflow asked for called EMCO first, by
// the kubelet's times in the Task's log.
func (s *site) firstCall(t *testing.T, workflow string) time.Time {
	t.Helper()
	found, err := s.pods(t.Context(), home, map[string]string{"chaos-mesh.org/workflow": workflow})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d pods of the task: %v", len(found), err)
	}
	clients, err := kubernetes.NewForConfig(s.config)
	if err != nil {
		t.Fatal(err)
	}
	text, err := clients.CoreV1().Pods(home).GetLogs(found[0].Name, &corev1.PodLogOptions{Timestamps: true}).DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if at, rest, _ := strings.Cut(line, " "); strings.Contains(rest, "given") && strings.Contains(rest, "started") {
			moment, err := time.Parse(time.RFC3339Nano, at)
			if err != nil {
				t.Fatal(err)
			}
			return moment
		}
	}
	t.Fatalf("the task's log tells of no call:\n%s", text)
	return time.Time{}
}
