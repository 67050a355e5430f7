package e2e

import (
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/repeater"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// TestOutageTellsOfRepeaters: what repeats requests in front of a service, and tells
// nobody, is found by an outage: by doctor, and before the first run. A service with
// nothing in front of it refuses.
func TestOutageTellsOfRepeaters(t *testing.T) {
	s := here(t)
	read, problems := target.Read(s.target)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	behind, err := url.Parse(read.Services["orchestrator"].URL)
	if err != nil || behind.Host == "" {
		unavailable(t, "the orchestrator of this target has no url of its own")
	}
	front := httptest.NewServer(repeater.New(behind))
	t.Cleanup(front.Close)
	text, err := os.ReadFile(s.target)
	if err != nil {
		t.Fatal(err)
	}
	// Its files are named from its folder.
	file := s.target + ".repeated.yaml"
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), behind.String(), front.URL, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	})
	const found = "orchestrator: refused: something in front of the service took a connection "
	output, code := s.chaos(t, "doctor", "--outage", "--target", file)
	if code != 4 || !strings.Contains(output, "a call: hangs while the orchestrator is cut off from etcd") || !strings.Contains(output, found) || strings.Count(output, ": refuses requests while it is down, and answers afterwards") != 2 {
		t.Errorf("doctor: exit code %d", code)
	}
	output, code = s.chaos(t, "run", "service-refused", "--set", "refused=10s", "--attempts", "1", "--target", file, "--journal", artefact(t, "repeated.jsonl"))
	before, _, _ := strings.Cut(output, "attempt 1")
	if code != 3 || !strings.Contains(before, "orchestrator: no run will be conclusive in which it is stopped: "+strings.TrimPrefix(found, "orchestrator: ")) {
		t.Errorf("run: exit code %d, or it does not tell before it begins", code)
	}
	s.clean(t)
}
