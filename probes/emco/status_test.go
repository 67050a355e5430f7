package emco

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// recorded is one recorded call of a real EMCO 22.12.
type recorded struct {
	Set, Given, Call, Method, Path, ContentType, Body string
	Status                                            int
}

func (r recorded) answer() Answer {
	a := Answer{Code: r.Status, ContentType: r.ContentType, Body: []byte(r.Body)}
	a.Outcome = Outcome{Kind: Rejected, Code: r.Status}
	if r.Status < 300 {
		a.Outcome.Kind = Accepted
	}
	return a
}

func (r recorded) isStatus() bool {
	path, _, _ := strings.Cut(r.Path, "?")
	return r.Method == http.MethodGet && strings.HasSuffix(path, "/status")
}

func readRecorded(t testing.TB) []recorded {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "emcotest", "conformance", "recorded.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []recorded
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if lines.Err() != nil || len(all) < 300 {
		t.Fatalf("%d calls read, error %v", len(all), lines.Err())
	}
	return all
}

// Every recorded status gives a state if, and only if, EMCO answered 200,
// and both flavours give the same.
func TestRecordedStatuses(t *testing.T) {
	read := 0
	for _, r := range readRecorded(t) {
		// Some long bodies were cut when they were recorded.
		if !r.isStatus() || strings.HasSuffix(r.Body, "...") {
			continue
		}
		status, err := r.answer().Status()
		if (err == nil) != (r.Status == 200) {
			t.Errorf("%s/%s: %d gives %v, error %v", r.Set, r.Call, r.Status, status, err)
		}
		if err != nil {
			if !errors.Is(err, ErrNoStatus) {
				t.Errorf("%s/%s: error %v", r.Set, r.Call, err)
			}
			continue
		}
		read++
		last := status.LastAction()
		if last == "" {
			t.Errorf("%s/%s: no last action", r.Set, r.Call)
		}
		for _, state := range []State{Instantiated, Terminated} {
			// A flavour for readiness counts other things.
			if strings.HasPrefix(r.Call, string(state)+" DIG status") && !strings.Contains(r.Path, "status=ready") {
				counts := map[State]string{Instantiated: "Applied", Terminated: "Deleted"}
				if status.Deployed != state || last != state || !status.Final() || status.Counts[counts[state]] != 4 {
					t.Errorf("%s %s: %+v", r.Call, r.Path, status)
				}
			}
		}
	}
	if read < 20 {
		t.Errorf("only %d recorded statuses were read", read)
	}
}

func TestStatusWithoutState(t *testing.T) {
	for _, body := range []string{
		"", "\n", "null", "[]", "{}", "true", `{"states":null}`, `{"states":{"statusctxid":"","actions":null}}`,
		"Logical Cloud state not found\n{\"states\":{\"statusctxid\":\"\",\"actions\":null}}\n",
		`{"deployedStatus":"Terminated"}`,
		`{"states":{"actions":[{"state":"Created"},{"instance":"1"}]},"deployedStatus":"Instantiated"}`,
		`{"states":{"actions":[{"state":"Created"}]}} and more`,
		`{"states":{"actions":[{"state":"Created"}]},"deployedStatus":5}`,
		"Invalid delete status State",
	} {
		status, err := ParseStatus([]byte(body))
		if !errors.Is(err, ErrNoStatus) {
			t.Errorf("ParseStatus(%q) = %+v, %v, want %v", body, status, err, ErrNoStatus)
		}
	}
}

func TestStatusString(t *testing.T) {
	for _, test := range []struct {
		last, deployed State
		want           string
	}{
		{Created, "", "Created"},
		{Approved, "", "Approved"},
		{Instantiated, "", "nothing yet (last action Instantiated)"},
		{Instantiated, Created, "Created (last action Instantiated)"},
		{Instantiated, Instantiating, "Instantiating"},
		{Instantiated, Instantiated, "Instantiated"},
		{Terminated, Instantiated, "Instantiated (last action Terminated)"},
		{Terminated, TerminateFailed, "TerminateFailed"},
		{Instantiated, Terminating, "Terminating (last action Instantiated)"},
		{"", "", "no state"},
	} {
		status := Status{Deployed: test.deployed}
		if test.last != "" {
			status.History = []State{Created, test.last}
		}
		if got := status.String(); got != test.want {
			t.Errorf("last action %s, deployed %s: %q, want %q", test.last, test.deployed, got, test.want)
		}
	}
}

func FuzzParseStatus(f *testing.F) {
	for _, r := range readRecorded(f) {
		if r.isStatus() {
			f.Add([]byte(r.Body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		status, err := ParseStatus(body)
		if err != nil {
			if !errors.Is(err, ErrNoStatus) {
				t.Fatalf("error %v", err)
			}
			if strings.ContainsFunc(err.Error(), unicode.IsControl) || utf8.RuneCountInString(err.Error()) > 2*512 {
				t.Fatalf("error %q is not fit to be shown", err)
			}
			return
		}
		if !json.Valid(bytes.TrimSpace(body)) {
			t.Fatalf("%q is no JSON and gave %+v", body, status)
		}
		if status.LastAction() == "" {
			t.Fatalf("%q has no history and gave %+v", body, status)
		}
		_ = status.String()
	})
}

// The state of the deployment lags behind the last action: until it follows
// from that, EMCO is at work.
func TestResting(t *testing.T) {
	for _, test := range []struct {
		deployed State
		history  []State
		want     State
	}{
		{"", nil, ""},
		{"", []State{Created}, Created},
		{"", []State{Created, Approved}, Approved},
		{Created, []State{Created, Approved, Instantiated}, ""},
		{Instantiating, []State{Created, Approved, Instantiated}, ""},
		{Instantiated, []State{Created, Approved, Instantiated}, Instantiated},
		{InstantiateFailed, []State{Created, Approved, Instantiated}, InstantiateFailed},
		{Instantiated, []State{Created, Approved, Instantiated, Terminated}, ""},
		{TerminateFailed, []State{Created, Approved, Instantiated, Terminated}, TerminateFailed},
		// The state write was lost: EMCO has recovered, but the history has not.
		{Terminated, []State{Created, Instantiated}, ""},
		{Terminated, []State{Created, Approved, Instantiated, Terminated, Approved}, Approved},
	} {
		if got := (Status{Deployed: test.deployed, History: test.history}).Resting(); got != test.want {
			t.Errorf("%s after %v: %q, want %q", test.deployed, test.history, got, test.want)
		}
	}
}
