package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
)

// apiServer takes one Run, whose status goes through states, or refuses it.
type apiServer struct {
	t *testing.T
	// mu guards what follows while requests are answered.
	mu     *sync.Mutex
	states []v1alpha1.RunStatus
	refuse *metav1.Status
	// fails is how many requests are not answered before.
	fails int
	// deleted: the Run is gone after its states.
	deleted bool
	journal []byte
	asked   v1alpha1.Run
	// The first state lasts until so many requests for the Run, or with Events, have
	// come; behind is a watch that is answered only then.
	awaits   int
	behind   bool
	requests chan struct{}
	events   []corev1.Event
	// mute refuses Events.
	mute bool
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	const runs = "/apis/emco-chaos.io/v1alpha1/namespaces/chaos/runs"
	a.mu.Lock()
	defer a.mu.Unlock()
	begun := false
	answer := func(code int, what any) {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
		}
		if err := json.NewEncoder(w).Encode(what); err != nil {
			a.t.Error(err)
		}
		w.(http.Flusher).Flush()
	}
	switch path := request.URL.Path; {
	case path == "/api/v1/namespaces/chaos/events" && a.mute:
		a.came()
		answer(http.StatusForbidden, refusal(http.StatusForbidden, metav1.StatusReasonForbidden, "no right"))
	case path == "/api/v1/namespaces/chaos/events":
		a.came()
		var event corev1.Event
		body, err := io.ReadAll(request.Body)
		if err == nil {
			_, _, err = scheme.Codecs.UniversalDeserializer().Decode(body, nil, &event)
		}
		if err != nil {
			a.t.Error(err)
		}
		a.events = append(a.events, event)
		answer(http.StatusCreated, event)
	case path == "/api/v1/namespaces/chaos/configmaps/x-1-journal":
		answer(http.StatusOK, corev1.ConfigMap{BinaryData: map[string][]byte{"journal.jsonl.gz": a.journal}})
	case a.fails > 0:
		a.fails--
		answer(http.StatusServiceUnavailable, refusal(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "it restarts"))
	case request.Method == http.MethodPost && a.refuse != nil:
		answer(int(a.refuse.Code), a.refuse)
	case request.Method == http.MethodPost:
		if err := json.NewDecoder(request.Body).Decode(&a.asked); err != nil {
			a.t.Error(err)
		}
		a.asked.UID = "uid"
		answer(http.StatusCreated, a.asked)
	case path == runs && request.URL.Query().Get("watch") != "":
		for i := range a.states {
			a.asked.Status = a.states[i]
			if i == 0 && a.behind {
				a.await(request.Context())
			}
			answer(http.StatusOK, map[string]any{"type": "MODIFIED", "object": a.asked})
			if i == 0 && !a.behind {
				a.await(request.Context())
			}
		}
		if a.deleted {
			a.asked.UID = ""
		}
	case strings.HasPrefix(path, runs+"/") && a.asked.UID != "":
		a.came()
		answer(http.StatusOK, a.asked)
	default:
		answer(http.StatusNotFound, refusal(http.StatusNotFound, metav1.StatusReasonNotFound, "not found"))
	}
}

// came counts a request for the Run, or with an Event, if that is awaited.
func (a *apiServer) came() {
	select {
	case a.requests <- struct{}{}:
	default:
	}
}

// await waits for the requests, and leaves the server to them meanwhile.
func (a *apiServer) await(ctx context.Context) {
	a.mu.Unlock()
	defer a.mu.Lock()
	for range a.awaits {
		select {
		case <-a.requests:
		case <-ctx.Done():
		}
	}
}

func refusal(code int32, reason metav1.StatusReason, text string) *metav1.Status {
	kind := metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	return &metav1.Status{TypeMeta: kind, Status: metav1.StatusFailure, Reason: reason, Code: code, Message: text}
}

// kubeconfig serves the API, and returns how it is reached.
func (a *apiServer) kubeconfig(t *testing.T) string {
	t.Helper()
	a.t, a.mu, a.requests = t, &sync.Mutex{}, make(chan struct{}, a.awaits)
	web := httptest.NewServer(a)
	t.Cleanup(web.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: %q}}],
contexts: [{name: c, context: {cluster: c, namespace: chaos, user: u}}], users: [{name: u, user: {token: canary}}]}`, web.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func emcoChaos(args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = Main(args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func waiting(why string) v1alpha1.RunStatus {
	return v1alpha1.RunStatus{Phase: v1alpha1.Queued, Conditions: []metav1.Condition{{Type: v1alpha1.ConditionStarted, Status: metav1.ConditionFalse, Message: why}}}
}

func running(lines int) v1alpha1.RunStatus {
	status := v1alpha1.RunStatus{Phase: v1alpha1.Running, StartTime: new(metav1.NowMicro()), Experiment: "x", Attempt: 1}
	for i := range lines {
		status.Timeline = append(status.Timeline, v1alpha1.Moment{At: metav1.Duration{Duration: time.Duration(i) * time.Second}, Step: "kill", Text: fmt.Sprintf("line %d", i)})
	}
	return status
}

func finished(verdict, reason string) v1alpha1.RunStatus {
	status := running(3)
	status.Phase, status.Verdict, status.Reason = v1alpha1.Finished, verdict, reason
	status.Outage, status.RecoveredIn = &metav1.Duration{Duration: 1500 * time.Millisecond}, &metav1.Duration{Duration: 4 * time.Second}
	status.Evidence, status.Left = []v1alpha1.Claim{{Text: "a < b", Holds: true}, {Text: "b < c"}}, []string{"a fault"}
	return status
}

func TestTrigger(t *testing.T) {
	const timeline = "run NAME waits for its turn: 1 run before it\n   +0.000 s  kill  line 0\n   +1.000 s  kill  line 1\n   +2.000 s  kill  line 2\n"
	const summary = "  run NAME, attempt 1\n  outage 1.5s\n  recovered in 4s\n  evidence yes: a < b\n  evidence NO : b < c\n  left behind: a fault\n"
	begun := []v1alpha1.RunStatus{{}, waiting("waits for its turn: 1 run before it"), waiting("waits for its turn: 1 run before it"), running(2)}
	quota := `runs.emco-chaos.io "x" is forbidden: exceeded quota: emco-chaos-runs, requested: count/runs.emco-chaos.io=1, used: 3, limited: 3`
	for name, test := range map[string]struct {
		server    apiServer
		args      []string
		code      int
		out, errs string
	}{
		"passed": {apiServer{states: append(begun, finished("Passed", ""))}, []string{"--wait"}, 0, timeline + "\nx: PASSED\n" + summary, ""},
		"failed": {apiServer{states: append(begun, finished("Failed", "because"))}, []string{"--wait"}, 1, timeline + "\nx: FAILED\n  because\n" + summary, ""},
		"inconclusive": {
			apiServer{states: append(begun, finished("Inconclusive", "because"))}, []string{"--wait"}, 3, timeline + "\nx: INCONCLUSIVE\n  because\n" + summary, "",
		},
		"not awaited": {apiServer{}, nil, 0, "", ""},
		"API server restarts": {
			apiServer{fails: 2, states: append(begun, finished("Passed", ""))}, []string{"--wait"}, 0, timeline + "\nx: PASSED\n" + summary, "it restarts; asking again\nit restarts; asking again\n",
		},
		"quota": {
			apiServer{refuse: refusal(http.StatusForbidden, metav1.StatusReasonForbidden, quota)}, []string{"--wait"}, 4, "", "create the Run: " + quota + "\n",
		},
		"invalid": {
			apiServer{refuse: refusal(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "spec.attempts: too many")}, nil, 2, "", "spec.attempts: too many\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(workflowEnv, "x-abcde")
			code, out, errs := emcoChaos(append([]string{"trigger", "--kubeconfig", test.server.kubeconfig(t), "x", "--set", "a=b", "--attempts", "2"}, test.args...)...)
			asked := test.server.asked
			want := strings.ReplaceAll(test.out, "NAME", asked.Name)
			if test.server.refuse == nil {
				want = fmt.Sprintf("run %s is created\n", asked.Name) + want
				if asked.Spec.Experiment != "x" || asked.Spec.Parameters["a"] != "b" || asked.Spec.Workflow != "x-abcde" || asked.Spec.Attempts != 2 || !strings.HasPrefix(asked.Name, "x-") {
					t.Errorf("asked for %+v", asked)
				}
			}
			if code != test.code || out != want || errs != test.errs {
				t.Errorf("exit code %d, printed\n%s%s\nwant\n%s%s", code, out, errs, want, test.errs)
			}
			if strings.Contains(out+errs, "canary") {
				t.Error("the token is printed")
			}
		})
	}
}

// A Run that no controller takes up is told of by the trigger, within two seconds,
// and one that is taken up is not.
func TestTriggerWithoutController(t *testing.T) {
	t.Setenv(scheduleEnv, "03-x")
	t.Setenv(scheduleUIDEnv, "a-schedule-uid")
	const told = "waits for a controller: none has taken it up within 1.5s; is one running in this namespace?"
	for name, test := range map[string]struct {
		first  v1alpha1.RunStatus
		behind bool
		mute   bool
		events bool
		errs   string
	}{
		"none":                         {events: true, errs: "the run " + told + "\n"},
		"none, and a watch is silent":  {behind: true, events: true, errs: "the run " + told + "\n"},
		"none, and no right":           {mute: true, errs: "the run " + told + "\n"},
		"one that has others to do":    {first: v1alpha1.RunStatus{Phase: v1alpha1.Queued}},
		"one that the watch is behind": {first: v1alpha1.RunStatus{Phase: v1alpha1.Queued}, behind: true},
	} {
		t.Run(name, func(t *testing.T) {
			// The Run is asked for before the watch, and when it should have been taken up.
			awaits := 2
			if test.errs != "" {
				awaits += 3 // Events
			}
			server := &apiServer{states: []v1alpha1.RunStatus{test.first, finished("Passed", "")}, awaits: awaits, behind: test.behind, mute: test.mute}
			code, _, errs := emcoChaos("trigger", "--kubeconfig", server.kubeconfig(t), "x", "--wait", "--workflow", "x-abcde", "--timeout", "1m")
			if code != 0 || errs != test.errs {
				t.Errorf("exit code %d, printed %s", code, errs)
			}
			got := map[string]string{}
			server.mu.Lock()
			defer server.mu.Unlock()
			for _, event := range server.events {
				on := event.InvolvedObject
				if event.Namespace != "chaos" || on.Namespace != "chaos" || event.Source.Component != "emco-chaos" || event.Type != corev1.EventTypeWarning || event.Reason != "Waiting" {
					t.Errorf("an Event is %+v", event)
				}
				got[fmt.Sprintf("%s %s %s %s", on.APIVersion, on.Kind, on.Name, on.UID)] = event.Message
			}
			want := map[string]string{}
			if test.events {
				run := server.asked.Name
				want = map[string]string{
					"emco-chaos.io/v1alpha1 Run " + run + " uid":           told,
					"chaos-mesh.org/v1alpha1 Workflow x-abcde ":            told,
					"chaos-mesh.org/v1alpha1 Schedule 03-x a-schedule-uid": told + " (run " + run + ")",
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
		})
	}
}

func TestTriggerOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(file, []byte("kind: Experiment\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := &apiServer{}
	code, _, errs := emcoChaos("trigger", "--kubeconfig", server.kubeconfig(t), "-f", file)
	if code != 0 || server.asked.Spec.Text != "kind: Experiment\n" || server.asked.Spec.Experiment != "" {
		t.Errorf("exit code %d, %s, asked for %+v", code, errs, server.asked)
	}
}

// The command gives up, and the Run goes on.
func TestTriggerThatGivesUp(t *testing.T) {
	server := &apiServer{states: []v1alpha1.RunStatus{running(1)}}
	code, _, errs := emcoChaos("trigger", "--kubeconfig", server.kubeconfig(t), "x", "--wait", "--timeout", "1s")
	if code != 4 || !strings.Contains(errs, "the run has not ended within 1s; if run x-") || !strings.Contains(errs, "kubectl -n chaos get ecrun x-") {
		t.Errorf("exit code %d, printed %s", code, errs)
	}
}

// Time that is up is told as such wherever it cuts a request short: a dial and a
// client's own limiter end a little before the context does.
func TestTriggerThatGivesUpInARequest(t *testing.T) {
	var logged bytes.Buffer
	defer klog.CaptureState().Restore()
	klog.LogToStderr(false)
	klog.SetOutput(&logged)
	server := &apiServer{states: []v1alpha1.RunStatus{running(1)}}
	config := server.kubeconfig(t)
	for limit := 200 * time.Microsecond; limit < 5*time.Millisecond; limit += 20 * time.Microsecond {
		code, _, errs := emcoChaos("trigger", "--kubeconfig", config, "x", "--wait", "--timeout", limit.String())
		if code != 4 || !strings.Contains(errs, "the run has not ended within "+limit.String()) {
			t.Errorf("exit code %d, printed %s", code, errs)
		}
	}
	klog.Flush()
	if logged.Len() > 0 {
		t.Errorf("client-go logs beside the error:\n%s", &logged)
	}
}

// A Run that is deleted has no verdict.
func TestTriggerOfARunThatIsDeleted(t *testing.T) {
	server := &apiServer{deleted: true, states: []v1alpha1.RunStatus{running(1)}}
	code, out, errs := emcoChaos("trigger", "--kubeconfig", server.kubeconfig(t), "x", "--wait")
	if code != 4 || !strings.Contains(out, "line 0") || !strings.HasPrefix(errs, "the Run was deleted; ") {
		t.Errorf("exit code %d, printed %s%s", code, out, errs)
	}
}

// The reports of a Run are made from its journal.
func TestReportOfARun(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "report", "testdata", "passed.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	server := &apiServer{journal: packed.Bytes()}
	config := server.kubeconfig(t)
	server.asked = v1alpha1.Run{ObjectMeta: metav1.ObjectMeta{Namespace: "chaos", Name: "x-1", UID: "uid"}}
	for _, test := range []struct {
		status v1alpha1.RunStatus
		code   int
		says   string
	}{
		{running(1), 2, "run/x-1: it has not finished; `kubectl get ecrun x-1 --watch` tells when"},
		{v1alpha1.RunStatus{Phase: v1alpha1.Finished, Verdict: "Error", Reason: "the controller died"}, 2, "run/x-1: it has no journal: Error: the controller died"},
		{v1alpha1.RunStatus{Phase: v1alpha1.Finished, Verdict: "Passed", Journal: &v1alpha1.Journal{ConfigMap: "x-1-journal"}}, 0, "Verdict: Passed"},
	} {
		server.asked.Status = test.status
		code, out, errs := emcoChaos("explain", "--kubeconfig", config, "run/x-1")
		if code != test.code || !strings.Contains(out+errs, test.says) {
			t.Errorf("exit code %d, printed %s%s", code, out, errs)
		}
	}
	if code, out, errs := emcoChaos("report", "--kubeconfig", config, "run/x-1"); code != 0 || !strings.Contains(out, "PASSED") {
		t.Errorf("exit code %d, printed %s%s", code, out, errs)
	}
}
