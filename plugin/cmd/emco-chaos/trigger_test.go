package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
)

// answering is a controller that takes down what it is asked and answers with
// messages, or refuses.
type answering struct {
	code     int
	messages []api.Message
	asked    api.Request
	token    string
}

func (a *answering) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	a.token = request.Header.Get("Authorization")
	if request.Method == http.MethodGet {
		http.Error(w, `{"error":"there is no such run"}`, http.StatusNotFound)
		return
	}
	if err := json.NewDecoder(request.Body).Decode(&a.asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := json.NewEncoder(w)
	if a.code != 0 {
		w.WriteHeader(a.code)
		// The test sees what came of it.
		_ = out.Encode(api.Problem{Error: "because"})
		return
	}
	for _, message := range a.messages {
		message.Run = "r1"
		_ = out.Encode(message)
	}
}

// trigger runs the command against the controller, and returns its exit code
// and what it printed.
func trigger(t *testing.T, controller *answering, args ...string) (code int, out, errs string) {
	t.Helper()
	web := httptest.NewTLSServer(controller)
	defer web.Close()
	folder := t.TempDir()
	token, ca := filepath.Join(folder, "token"), filepath.Join(folder, "ca.crt")
	if err := os.WriteFile(token, []byte("canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(serverEnv, web.URL)
	t.Setenv(tokenFileEnv, token)
	t.Setenv(caFileEnv, ca)
	var stdout, stderr bytes.Buffer
	code = Main(append([]string{"trigger"}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestTrigger(t *testing.T) {
	begun := []api.Message{
		{Kind: api.Queued, Position: 2},
		{Kind: api.Queued},
		{Kind: api.Waiting, Text: "waiting until alice gives up the target"},
		{Kind: api.Line, Text: "   +0.001 s  kill  down"},
	}
	const timeline = "run r1 waits, 2 before it\nrun r1 is the next one\nwaiting until alice gives up the target\n   +0.001 s  kill  down\n"
	for name, test := range map[string]struct {
		controller answering
		args       []string
		code       int
		out, errs  string
	}{
		"passed": {
			answering{messages: append(begun, api.Message{Kind: api.Ended, End: &api.End{Verdict: "Passed", Report: "x: PASSED\n"}})},
			[]string{"--wait"}, 0, timeline + "\nx: PASSED\n", "",
		},
		"failed": {
			answering{messages: append(begun, api.Message{Kind: api.Ended, End: &api.End{Verdict: "Failed", ExitCode: 1, Report: "x: FAILED\n"}})},
			[]string{"--wait"}, 1, timeline + "\nx: FAILED\n", "",
		},
		"never began": {
			answering{messages: []api.Message{{Kind: api.Ended, End: &api.End{Verdict: "Error", ExitCode: 4, Reason: "the controller is stopping"}}}},
			[]string{"--wait"}, 4, "x: ERROR: the controller is stopping\n", "",
		},
		"not awaited": {answering{messages: begun}, nil, 0, "run r1 of x has been taken in\n", ""},
		"unknown":     {answering{code: 404}, []string{"--wait"}, 2, "", "the controller says 404: because\n"},
		"stranger":    {answering{code: 403}, []string{"--wait"}, 4, "", "the controller says 403: because\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := trigger(t, &test.controller, append(test.args, "x", "--set", "a=b")...)
			if code != test.code || out != test.out || errs != test.errs {
				t.Errorf("exit code %d, printed\n%s%s", code, out, errs)
			}
			asked := test.controller.asked
			if asked.Experiment != "x" || asked.Parameters["a"] != "b" || asked.Workflow != nil || asked.Key == "" {
				t.Errorf("asked for %+v", asked)
			}
			if test.controller.token != "Bearer canary" {
				t.Errorf("the token was %q", test.controller.token)
			}
			if strings.Contains(out+errs, "canary") {
				t.Error("the token is printed")
			}
		})
	}
}

// The controller was killed before the run's turn came, and is back.
func TestTriggerOfARunThatIsForgotten(t *testing.T) {
	code, out, errs := trigger(t, &answering{messages: []api.Message{{Kind: api.Queued}}}, "x", "--wait")
	if code != 4 || out != "run r1 is the next one\n" || !strings.Contains(errs, "404: there is no such run; if run r1 has not ended it goes on: GET https://") {
		t.Errorf("exit code %d, printed\n%s%s", code, out, errs)
	}
}

func TestTriggerFromAWorkflow(t *testing.T) {
	ended := []api.Message{{Kind: api.Ended, End: &api.End{Verdict: "Passed"}}}
	t.Setenv(workflowNamespaceEnv, "emco-chaos")
	t.Setenv(workflowEnv, "x-abcde")
	controller := &answering{messages: ended}
	trigger(t, controller, "x", "--wait")
	if named := controller.asked.Workflow; named == nil || *named != (api.Workflow{Namespace: "emco-chaos", Name: "x-abcde"}) {
		t.Errorf("by the environment it was %+v", named)
	}
	controller = &answering{messages: ended}
	trigger(t, controller, "x", "--wait", "--workflow", "other/y")
	if named := controller.asked.Workflow; named == nil || *named != (api.Workflow{Namespace: "other", Name: "y"}) {
		t.Errorf("by the flag it was %+v", named)
	}
}
