package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/trace"
)

// TestTracesOfMap: each run of a crash map is sent too.
func TestTracesOfMap(t *testing.T) {
	t.Parallel()
	received, names := make(chan *collector.ExportTraceServiceRequest, 64), map[string]bool{}
	server := collect(t, received)
	folder := t.TempDir()
	command := exec.Command(filepath.Join(bin, "emco-chaos"), "map", "dig.instantiate", "--points", "none", "--target", emulated(t), "--out", folder)
	command.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+server)
	out, err := command.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != report.ExitInconclusive) {
		t.Fatalf("%v: %s", err, out)
	}
	runs := journal.Split((&started{journal: filepath.Join(folder, "journal.jsonl")}).records(t), journal.Run)
	for range runs {
		select {
		case sent := <-received:
			id := sent.ResourceSpans[0].ScopeSpans[0].Spans[0].TraceId
			names[fmt.Sprintf("%x", id)] = true
		default:
		}
	}
	for _, one := range runs {
		if id := trace.ID(one[0]).String(); !names[id] {
			t.Errorf("run %s is not sent as %s", one[0].Run, id)
		}
	}
	if len(runs) == 0 {
		t.Errorf("the map made no run:\n%s", out)
	}
}

// collect is a collector that passes on what it gets.
func collect(t *testing.T, received chan<- *collector.ExportTraceServiceRequest) (endpoint string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		data, err := io.ReadAll(request.Body)
		sent := &collector.ExportTraceServiceRequest{}
		if err != nil || proto.Unmarshal(data, sent) != nil || request.URL.Path != "/v1/traces" {
			t.Errorf("%s: %d bytes are no trace (%v)", request.URL, len(data), err)
		}
		received <- sent
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestTraces: each run of a command is sent as a trace, whose ID is told. A
// collector that takes none costs no verdict and is told once.
func TestTraces(t *testing.T) {
	t.Parallel()
	received := make(chan *collector.ExportTraceServiceRequest, 64)
	server := collect(t, received)
	nobody := httptest.NewServer(nil)
	nobody.Close()
	target := emulated(t)
	for name, test := range map[string]struct {
		endpoint string
		taken    bool
	}{"a collector": {server, true}, "nobody": {nobody.URL, false}} {
		file := filepath.Join(t.TempDir(), "journal.jsonl")
		command := exec.Command(filepath.Join(bin, "emco-chaos"), "run", "service-refused", "dig-instantiate-status-lost", "--target", target, "--journal", file)
		command.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+test.endpoint)
		var said strings.Builder
		command.Stderr = &said
		out, err := command.Output()
		if err != nil || !strings.Contains(string(out), "2 passed, 0 failed") {
			t.Errorf("%s: %v: %s%s", name, err, out, said.String())
		}
		records := (&started{journal: file}).records(t)
		told := regexp.MustCompile(`(?m)^  trace ([0-9a-f]{32})$`).FindAllStringSubmatch(string(out), -1)
		if first := trace.ID(records[0]).String(); len(told) != 2 || told[0][1] != first || told[1][1] == first {
			t.Errorf("%s: the traces are %v, and the first run's is %s", name, told, first)
		}
		if lines := strings.Count(said.String(), "is not sent: "); lines != map[bool]int{true: 0, false: 1}[test.taken] {
			t.Errorf("%s: told %d times that a trace is not sent:\n%s", name, lines, said.String())
		}
		for i := 0; test.taken && i < len(told); i++ {
			spans := (<-received).ResourceSpans[0].ScopeSpans[0].Spans
			if want := trace.Spans(records); i == 0 && (len(spans) != len(want) || spans[0].StartTimeUnixNano != uint64(want[0].StartTime.UnixNano())) {
				t.Errorf("%d spans came of %d, from %d on", len(spans), len(want), spans[0].StartTimeUnixNano)
			}
		}
	}
}
