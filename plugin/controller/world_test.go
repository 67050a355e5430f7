package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	chaosmesh "github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

const (
	home   = "emco-chaos"
	target = "emco"
)

// world is a cluster, and a controller in it.
type world struct {
	t       *testing.T
	cluster client.WithWatch
	runner  *scripted
	events  *recorder
	*Controller
	registry *prometheus.Registry

	mu sync.Mutex
	// away says that the API server cannot be reached.
	away    bool
	patches []string
	made    int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, runner: &scripted{}, events: &recorder{}}
	w.cluster = fake.NewClientBuilder().WithScheme(Scheme()).WithStatusSubresource(&v1alpha1.Run{}).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, cluster client.WithWatch, object client.Object, options ...client.CreateOption) error {
			if err := w.reach(); err != nil {
				return err
			}
			if kept, is := object.(*corev1.ConfigMap); is && kept.Size() > 1<<20 {
				return apierrors.NewInvalid(schema.GroupKind{Kind: "ConfigMap"}, kept.Name, field.ErrorList{field.TooLong(nil, "", 1<<20)})
			}
			return cluster.Create(ctx, object, options...)
		},
		Patch: w.patch,
		SubResourcePatch: func(ctx context.Context, cluster client.Client, _ string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			if err := w.reach(); err != nil {
				return err
			}
			return cluster.Status().Patch(ctx, object, patch, options...)
		},
	}).Build()
	w.start()
	return w
}

// start makes a controller, as after a restart.
func (w *world) start(change ...func(*Parts)) {
	w.t.Helper()
	w.registry = prometheus.NewRegistry()
	parts := Parts{
		Cluster: w.cluster, Runner: w.runner, Events: w.events, Namespace: home, Target: "sample", Targets: []string{target}, Holder: "controller",
		History: 3, Registry: w.registry, Log: slog.New(slog.DiscardHandler),
	}
	for _, one := range change {
		one(&parts)
	}
	var err error
	if w.Controller, err = New(parts); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) reach() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away {
		return &url.Error{Op: "Post", URL: "https://10.0.0.1:6443", Err: syscall.ECONNREFUSED}
	}
	return nil
}

func (w *world) setAway(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = away
}

func (w *world) patch(ctx context.Context, cluster client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	if err := w.reach(); err != nil {
		return err
	}
	if _, is := object.(*chaosmesh.Schedule); is {
		data, err := patch.Data(object)
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.patches = append(w.patches, string(data))
		w.mu.Unlock()
	}
	return cluster.Patch(ctx, object, patch, options...)
}

// manage does what the manager does: it makes runs and has Runs and leases
// looked at, until stop.
func (w *world) manage() (stop func()) {
	w.t.Helper()
	return w.reconcile(map[client.ObjectList]reconcile.Reconciler{&coordinationv1.LeaseList{}: w.queue.lock, &v1alpha1.RunList{}: w.queue})
}

func (w *world) reconcile(all map[client.ObjectList]reconcile.Reconciler) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		if err := w.queue.Start(ctx); err != nil {
			w.t.Error(err)
		}
	})
	for list, reconciler := range all {
		changes, err := w.cluster.Watch(ctx, list)
		if err != nil {
			w.t.Fatal(err)
		}
		var again chan event.GenericEvent
		if reconciler == w.queue {
			again = w.queue.again
		}
		working.Go(func() {
			defer changes.Stop()
			timer := time.NewTimer(0)
			for {
				select {
				case <-ctx.Done():
					return
				case <-timer.C:
				case <-changes.ResultChan():
				case <-again:
				}
				// Several changes are one reason to look.
				for len(changes.ResultChan()) > 0 {
					<-changes.ResultChan()
				}
				result, err := reconciler.Reconcile(ctx, reconcile.Request{})
				switch {
				case err != nil && ctx.Err() == nil:
					if !lease.Transient(err) {
						w.t.Error(err)
					}
					timer.Reset(time.Second)
				case result.RequeueAfter > 0:
					timer.Reset(result.RequeueAfter)
				}
			}
		})
	}
	return func() {
		cancel()
		working.Wait()
	}
}

// ask creates a Run.
func (w *world) ask(experiment string, change ...func(*v1alpha1.Run)) *v1alpha1.Run {
	w.t.Helper()
	w.made++
	name := fmt.Sprintf("%s-%d", experiment, w.made)
	run := &v1alpha1.Run{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: name, UID: types.UID(name), CreationTimestamp: metav1.Now()},
		Spec:       v1alpha1.RunSpec{Experiment: experiment},
	}
	for _, one := range change {
		one(run)
	}
	if err := w.cluster.Create(context.Background(), run); err != nil {
		w.t.Fatal(err)
	}
	return run
}

// look reads a Run; nil when it is gone.
func (w *world) look(run *v1alpha1.Run) *v1alpha1.Run {
	w.t.Helper()
	there := &v1alpha1.Run{}
	err := w.cluster.Get(context.Background(), client.ObjectKeyFromObject(run), there)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return there
}

// end waits for the end of a run.
func (w *world) end(run *v1alpha1.Run) v1alpha1.RunStatus {
	w.t.Helper()
	for deadline := time.Now().Add(time.Hour); time.Now().Before(deadline); time.Sleep(time.Second) {
		if there := w.look(run); there == nil || isFinished(there) {
			if there == nil {
				w.t.Fatalf("%s is gone", run.Name)
			}
			return there.Status
		}
	}
	w.t.Fatalf("%s has not ended: %+v", run.Name, w.look(run).Status)
	panic("unreachable")
}

// passes waits for the end of a run, and checks that it passed.
func (w *world) passes(run *v1alpha1.Run) {
	w.t.Helper()
	if status := w.end(run); status.Verdict != "Passed" {
		w.t.Errorf("%s ended %s: %s", run.Name, status.Verdict, status.Reason)
	}
}

func (w *world) lease() lease.State {
	w.t.Helper()
	state, err := lease.Read(context.Background(), w.cluster, target)
	if err != nil {
		w.t.Fatal(err)
	}
	return state
}

// take has a command line take the target.
func (w *world) take() *lease.Held {
	w.t.Helper()
	held, err := lease.Take(context.Background(), w.cluster, lease.Options{Namespaces: []string{target}, Holder: "alice"})
	if err != nil {
		w.t.Fatal(err)
	}
	return held
}

func (w *world) release(held *lease.Held) {
	w.t.Helper()
	if err := held.Release(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// die leaves the lease of a command-line run that has just been killed.
func (w *world) die(run string) {
	w.t.Helper()
	held := w.take()
	if err := held.Note(context.Background(), run); err != nil {
		w.t.Fatal(err)
	}
	left := &coordinationv1.Lease{}
	if err := w.cluster.Get(context.Background(), client.ObjectKey{Namespace: target, Name: lease.Name}, left); err != nil {
		w.t.Fatal(err)
	}
	w.release(held)
	left.ResourceVersion = ""
	if err := w.cluster.Create(context.Background(), left); err != nil {
		w.t.Fatal(err)
	}
}

// scripted is a runner that does what a test says.
type scripted struct {
	mu sync.Mutex
	// during is what happens in a run; nil passes at once.
	during func(ctx context.Context, spec runs.Spec) error
	// fails is why there is no run.
	fails error
	// tells is what is found before each run.
	tells string
	// left is what each run leaves behind.
	left []string
	// sweep is what a sweep finds; nil finds nothing.
	sweep func(ctx context.Context, tell func(string)) (runs.Swept, error)
	// compiles is how long it takes to compile an experiment.
	compiles time.Duration
	swept    []time.Time
	ran      []string
	// mapping makes crash maps.
	mapping Mapping
}

func (s *scripted) Map(spec v1alpha1.MapSpec) (Mapping, error) {
	if slices.Contains(spec.Calls, "wrong") {
		return nil, errors.New("spec.map: wrong is no call that can be mapped")
	}
	return s.mapping, nil
}

func (s *scripted) Compile(_ context.Context, source sdk.Source) (*plan.Plan, error) {
	time.Sleep(s.compiles)
	switch {
	case source.Experiment == "wrong":
		return nil, document.Problems{{Field: "parameters.call", Message: "is not known", Remedy: "write another"}}
	case string(source.Text) == "own":
		source.Experiment = "own-experiment"
	case source.Experiment == "unknown":
		return nil, errors.New(`there is no experiment "unknown"`)
	}
	compiled := calmKill()
	compiled.Experiment, compiled.Parameters = source.Experiment, source.Parameters
	return compiled, nil
}

func (s *scripted) Run(ctx context.Context, spec runs.Spec, tell func(string)) (engine.Outcome, error) {
	if s.tells != "" {
		tell(s.tells)
	}
	s.mu.Lock()
	s.ran = append(s.ran, spec.Plan.Experiment)
	during := s.during
	s.mu.Unlock()
	if s.fails != nil {
		return engine.Outcome{}, s.fails
	}
	now := func(record journal.Record) { spec.Journal.Add(time.Now(), record) }
	now(journal.Record{Kind: journal.Run, Run: spec.Run, Plan: spec.Plan})
	now(journal.Record{Kind: journal.Attempt, Attempt: 1})
	if during != nil {
		if err := during(ctx, spec); err != nil {
			now(journal.Record{Kind: journal.Trouble, Text: err.Error()})
		}
	}
	for _, step := range append([]plan.Step{spec.Plan.Given}, spec.Plan.Steps...) {
		if step.Activity != nil {
			now(journal.Record{Kind: journal.Result, Step: step.Name, Conclusion: "passed", Outcome: step.Expect, Text: "as planned"})
		}
	}
	for _, claim := range spec.Plan.Evidence {
		for _, ref := range claim.Refs {
			now(journal.Record{Kind: journal.Event, Step: ref.Step, Event: ref.Event})
		}
	}
	for _, one := range s.left {
		now(journal.Record{Kind: journal.Left, Text: one})
	}
	attempts := journal.Split(spec.Journal.Records(), journal.Attempt)
	judged := verdict.Judge(spec.Plan, attempts[len(attempts)-1])
	now(journal.Record{Kind: journal.Verdict, Attempt: 1, Verdict: string(judged.Verdict), Text: judged.Reason})
	now(journal.Record{Kind: journal.End, Run: spec.Run, Attempt: 1, Verdict: string(judged.Verdict)})
	return engine.Outcome{Judgement: judged, Attempt: 1, Left: s.left}, nil
}

func (s *scripted) Sweep(ctx context.Context, tell func(string)) (runs.Swept, error) {
	s.mu.Lock()
	s.swept = append(s.swept, time.Now())
	sweep := s.sweep
	s.mu.Unlock()
	if sweep == nil {
		return runs.Swept{}, nil
	}
	return sweep(ctx, tell)
}

// sweeps are the times of the sweeps so far.
func (s *scripted) sweeps() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.swept)
}

// order are the experiments that ran so far.
func (s *scripted) order() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ran)
}

func calmKill() *plan.Plan {
	object := &chaosmesh.PodChaos{
		TypeMeta:   metav1.TypeMeta{APIVersion: "chaos-mesh.org/v1alpha1", Kind: "PodChaos"},
		ObjectMeta: metav1.ObjectMeta{Namespace: target},
	}
	object.Spec.Action = chaosmesh.PodKillAction
	data, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return &plan.Plan{
		Experiment: "calm-kill", Title: "The orchestrator is killed", Target: "test", Attempts: 3,
		Given:    plan.Step{Name: plan.GivenStep, Activity: &plan.Activity{Name: "ensure", Events: []string{"started", "passed"}, Ends: []string{"passed"}}},
		Teardown: plan.Step{Name: plan.TeardownStep, Activity: &plan.Activity{Name: "teardown", Events: []string{"started", "passed"}, Ends: []string{"passed"}}},
		Steps: []plan.Step{
			{Name: "kill", Fault: &plan.Fault{Kind: "PodChaos", Action: "pod-kill", Summary: "pod-kill orchestrator", Object: data}},
			{Name: "back", Activity: &plan.Activity{Name: "available", Summary: "orchestrator is available", Events: []string{"started", "passed", "failed"}, Ends: []string{"passed", "failed"}}},
		},
		Evidence: []plan.Claim{{Refs: []plan.Ref{{Step: "back", Event: "passed"}}}},
	}
}

// recorder keeps Events.
type recorder struct {
	mu   sync.Mutex
	told []told
}

// told is one Event.
type told struct {
	on             corev1.ObjectReference
	severity, text string
}

func (r *recorder) Event(object runtime.Object, severity, reason, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, told{*object.(*corev1.ObjectReference), severity, reason + ": " + message})
}

func (r *recorder) Eventf(object runtime.Object, severity, reason, format string, values ...any) {
	r.Event(object, severity, reason, fmt.Sprintf(format, values...))
}

func (r *recorder) AnnotatedEventf(object runtime.Object, _ map[string]string, severity, reason, format string, values ...any) {
	r.Event(object, severity, reason, fmt.Sprintf(format, values...))
}

// on are the texts of the Events on objects of a kind.
func (r *recorder) on(kind string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var texts []string
	for _, one := range r.told {
		if one.on.Kind == kind {
			texts = append(texts, one.text)
		}
	}
	return texts
}

// waits are the reasons to wait that were told of a Run.
// waitsForOthers is what waits returns, without the first look for what dead runs
// left: that begins with the controller, and either may get the free target first.
func (r *recorder) waitsForOthers(run *v1alpha1.Run) []string {
	return slices.DeleteFunc(r.waits(run), func(text string) bool { return text == "waiting until what dead runs left is removed" })
}

func (r *recorder) waits(run *v1alpha1.Run) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var texts []string
	for _, one := range r.told {
		if text, is := strings.CutPrefix(one.text, "Waiting: "); is && one.on.Kind == "Run" && one.on.Name == run.Name {
			texts = append(texts, text)
		}
	}
	return texts
}
