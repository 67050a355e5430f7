package controller

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

const (
	home   = "emco-chaos"
	target = "emco"
	// Users who may ask for runs, and one who may not.
	userToken     = "user-token"
	otherToken    = "other-token"
	outsiderToken = "outsider-token"
	// The cluster knows it, and says that something is wrong with it.
	suspectToken = "suspect-token"
	// The right is allowed and denied at once.
	deniedToken = "denied-token"
	// The review of the token fails, and that of the right.
	uncheckableToken  = "uncheckable-token"
	unreviewableToken = "unreviewable-token"
)

var errReview = errors.New("dial tcp 10.0.0.1:6443: connect: connection refused")

// world is a cluster, and a controller in it.
type world struct {
	t       *testing.T
	cluster client.WithWatch
	runner  *scripted
	*Controller
	registry *prometheus.Registry
	names    int

	mu      sync.Mutex
	reviews int
	// away says that the API server cannot be reached by who wants a lease.
	away    bool
	patches []string
}

func newWorld(t *testing.T, change ...func(*Parts)) *world {
	t.Helper()
	known, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, runner: &scripted{}, registry: prometheus.NewRegistry()}
	w.cluster = fake.NewClientBuilder().WithScheme(known).WithInterceptorFuncs(interceptor.Funcs{Create: w.create, Patch: w.patch}).Build()
	w.start(change...)
	return w
}

// start makes a controller, as after a restart.
func (w *world) start(change ...func(*Parts)) {
	w.t.Helper()
	parts := Parts{
		Cluster: w.cluster, Runner: w.runner, Namespace: home, Targets: []string{target}, Holder: "controller",
		NewName:  func() string { w.names++; return "r" + strconv.Itoa(w.names) },
		Journals: w.t.TempDir(), Keep: 5, Queue: 3, LeaseWait: time.Minute,
		Registry: w.registry, Log: slog.New(slog.DiscardHandler),
	}
	for _, one := range change {
		one(&parts)
	}
	var err error
	if w.Controller, err = New(parts); err != nil {
		w.t.Fatal(err)
	}
}

// create plays the part of the API server that answers reviews.
func (w *world) create(ctx context.Context, cluster client.WithWatch, object client.Object, options ...client.CreateOption) error {
	switch object := object.(type) {
	case *authenticationv1.TokenReview:
		w.mu.Lock()
		w.reviews++
		w.mu.Unlock()
		switch object.Spec.Token {
		case uncheckableToken:
			return errReview
		case userToken, otherToken, outsiderToken, suspectToken, deniedToken, unreviewableToken:
			object.Status = authenticationv1.TokenReviewStatus{
				Authenticated: true, Audiences: []string{"emco-chaos"},
				User: authenticationv1.UserInfo{Username: "system:serviceaccount:x:" + object.Spec.Token, Groups: []string{"g"}},
			}
		default:
			object.Status = authenticationv1.TokenReviewStatus{Error: "no such token"}
		}
		if object.Spec.Token == suspectToken {
			object.Status.Error = "it could not be checked"
		}
		return nil
	case *coordinationv1.Lease:
		w.mu.Lock()
		away := w.away
		w.mu.Unlock()
		if away {
			return &url.Error{Op: "Post", URL: "https://10.0.0.1:6443", Err: syscall.ECONNREFUSED}
		}
	case *authorizationv1.SubjectAccessReview:
		asked := object.Spec.ResourceAttributes
		user := strings.TrimPrefix(object.Spec.User, "system:serviceaccount:x:")
		if user == unreviewableToken {
			return errReview
		}
		object.Status.Denied = user == deniedToken
		object.Status.Allowed = slices.Contains([]string{userToken, otherToken, suspectToken, deniedToken}, user) &&
			asked.Verb == "create" && asked.Group == "emco-chaos.io" && asked.Resource == "runs" && asked.Namespace == home
		return nil
	}
	return cluster.Create(ctx, object, options...)
}

func (w *world) patch(ctx context.Context, cluster client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	data, err := patch.Data(object)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.patches = append(w.patches, string(data))
	w.mu.Unlock()
	return cluster.Patch(ctx, object, patch, options...)
}

// manage does what the manager does: it makes runs and has the leases looked
// at, until stop.
func (w *world) manage() (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		if err := w.queue.Start(ctx); err != nil {
			w.t.Error(err)
		}
	})
	leases, err := w.cluster.Watch(ctx, &coordinationv1.LeaseList{})
	if err != nil {
		w.t.Fatal(err)
	}
	working.Go(func() {
		defer leases.Stop()
		again := time.NewTimer(0)
		for {
			select {
			case <-ctx.Done():
				return
			case <-again.C:
			case <-leases.ResultChan():
			}
			result, err := w.sweeper.Reconcile(ctx, reconcile.Request{})
			if err != nil && ctx.Err() == nil {
				w.t.Error(err)
			}
			if result.RequeueAfter > 0 {
				again.Reset(result.RequeueAfter)
			}
		}
	})
	return func() {
		cancel()
		working.Wait()
	}
}

func (w *world) ask(experiment string) *run {
	w.t.Helper()
	compiled, err := w.runner.Compile(context.Background(), api.Request{Experiment: experiment})
	if err != nil {
		w.t.Fatal(err)
	}
	added, err := w.queue.add(compiled, "", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return added
}

// known returns the run of that name that the queue knows.
func (w *world) known(name string) *run {
	return w.queue.find(func(r *run) bool { return r.name == name })
}

// end waits for the end of a run.
func end(r *run) api.End {
	for n := 0; ; {
		messages, ended, changed := r.after(n)
		if ended {
			return *messages[len(messages)-1].End
		}
		n += len(messages)
		<-changed
	}
}

// heard are the texts of the messages of a kind.
func heard(r *run, kind api.Kind) []string {
	var texts []string
	messages, _, _ := r.after(0)
	for _, message := range messages {
		if message.Kind == kind {
			texts = append(texts, message.Text)
		}
	}
	return texts
}

func (w *world) lease() lease.State {
	w.t.Helper()
	state, err := lease.Read(context.Background(), w.cluster, target)
	if err != nil {
		w.t.Fatal(err)
	}
	return state
}

// die leaves the lease of a command-line run that has just been killed.
func (w *world) die(run string) {
	w.t.Helper()
	held, err := lease.Take(context.Background(), w.cluster, lease.Options{Namespaces: []string{target}, Holder: "alice"})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := held.Note(context.Background(), run); err != nil {
		w.t.Fatal(err)
	}
	left := &coordinationv1.Lease{}
	if err := w.cluster.Get(context.Background(), client.ObjectKey{Namespace: target, Name: lease.Name}, left); err != nil {
		w.t.Fatal(err)
	}
	if err := held.Release(context.Background()); err != nil {
		w.t.Fatal(err)
	}
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
	// left is what each run leaves behind.
	left []string
	// sweep is what a sweep finds; nil finds nothing.
	sweep func(ctx context.Context, tell func(string)) (runs.Swept, error)
	swept []time.Time
	ran   []string
}

func (s *scripted) Compile(_ context.Context, request api.Request) (*plan.Plan, error) {
	switch request.Experiment {
	case "wrong":
		return nil, document.Problems{{Field: "parameters.call", Message: "is not known", Remedy: "write another"}}
	case "broken":
		return nil, errors.New("the plugin does not start")
	case "calm-kill", "busy-kill":
		compiled := calmKill()
		compiled.Experiment, compiled.Parameters = request.Experiment, request.Parameters
		return compiled, nil
	}
	return nil, &UnknownError{Experiment: request.Experiment, Known: []string{"calm-kill", "busy-kill"}}
}

func (s *scripted) Run(ctx context.Context, spec runs.Spec) (engine.Outcome, error) {
	s.mu.Lock()
	s.ran = append(s.ran, spec.Run)
	during := s.during
	s.mu.Unlock()
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
	return append([]time.Time(nil), s.swept...)
}

func calmKill() *plan.Plan {
	object := &v1alpha1.PodChaos{
		TypeMeta:   metav1.TypeMeta{APIVersion: "chaos-mesh.org/v1alpha1", Kind: "PodChaos"},
		ObjectMeta: metav1.ObjectMeta{Namespace: target},
	}
	object.Spec.Action = v1alpha1.PodKillAction
	data, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return &plan.Plan{
		Experiment: "calm-kill", Title: "The orchestrator is killed", Target: "test", Attempts: 1,
		Given:    plan.Step{Name: plan.GivenStep, Activity: &plan.Activity{Name: "ensure", Events: []string{"started", "passed"}, Ends: []string{"passed"}}},
		Teardown: plan.Step{Name: plan.TeardownStep, Activity: &plan.Activity{Name: "teardown", Events: []string{"started", "passed"}, Ends: []string{"passed"}}},
		Steps: []plan.Step{
			{Name: "kill", Fault: &plan.Fault{Kind: "PodChaos", Action: "pod-kill", Summary: "pod-kill orchestrator", Object: data}},
			{Name: "back", Activity: &plan.Activity{Name: "available", Summary: "orchestrator is available", Events: []string{"started", "passed", "failed"}, Ends: []string{"passed", "failed"}}},
		},
	}
}

func messagesOf(events []corev1.Event, kind string) []string {
	var texts []string
	for _, event := range events {
		if event.InvolvedObject.Kind == kind {
			texts = append(texts, event.Message)
		}
	}
	return texts
}
