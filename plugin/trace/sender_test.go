package trace

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

// receiver is a collector that keeps what it gets.
type receiver struct {
	mu   sync.Mutex
	got  []*collector.ExportTraceServiceRequest
	path string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body := io.Reader(request.Body)
	if request.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(body)
	}
	data, _ := io.ReadAll(body)
	sent := &collector.ExportTraceServiceRequest{}
	if err := proto.Unmarshal(data, sent); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got, r.path = append(r.got, sent), request.URL.Path
}

// lines keeps what is told.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) add(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, text)
}

// TestSend: a collector receives the spans of the journal, as often as they are
// sent, with what the environment says of the resource.
func TestSend(t *testing.T) {
	for variable, path := range map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "/v1/traces", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "/"} {
		t.Run(variable, func(t *testing.T) {
			received, said := &receiver{}, &lines{}
			server := httptest.NewServer(received)
			defer server.Close()
			t.Setenv(variable, server.URL)
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab")
			records := read(t, "passed")
			sender := FromEnvironment(t.Context(), "v1", said.add)
			for range 2 {
				if id := sender.Send(records); id != ID(records[0]).String() {
					t.Errorf("it is sent as %q", id)
				}
			}
			sender.Close()
			if len(received.got) != 2 || received.path != path || len(said.text) > 0 {
				t.Fatalf("%d traces came to %s; told: %q", len(received.got), received.path, said.text)
			}
			want := Spans(records)
			for _, sent := range received.got {
				resource := sent.ResourceSpans[0].Resource.String()
				for _, part := range []string{"emco-chaos", "v1", "deployment.environment.name", "lab"} {
					if !strings.Contains(resource, part) {
						t.Errorf("%s is not in the resource %s", part, resource)
					}
				}
				spans := sent.ResourceSpans[0].ScopeSpans[0].Spans
				if len(spans) != len(want) {
					t.Fatalf("%d spans came of %d", len(spans), len(want))
				}
				for i, span := range spans {
					id := want[i].SpanContext.SpanID()
					if span.Name != want[i].Name || string(span.SpanId) != string(id[:]) || len(span.Events) != len(want[i].Events) ||
						span.StartTimeUnixNano != uint64(want[i].StartTime.UnixNano()) || span.EndTimeUnixNano != uint64(want[i].EndTime.UnixNano()) {
						t.Errorf("span %d came as %v, want %v", i, span, want[i])
					}
				}
			}
		})
	}
}

// exporter answers with one error after another, and with the context's when
// there is none left.
type exporter struct{ answers chan error }

func (e exporter) ExportSpans(ctx context.Context, _ []sdktrace.ReadOnlySpan) error {
	select {
	case err := <-e.answers:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e exporter) Shutdown(context.Context) error { return nil }

// TestToldOnce: what cannot be sent is told once, until something is sent.
func TestToldOnce(t *testing.T) {
	said, answers := &lines{}, exporter{make(chan error, 5)}
	sender := New(t.Context(), answers, nil, said.add)
	for _, err := range []error{errors.New("first"), errors.New("second"), nil, errors.New("third"), nil} {
		answers.answers <- err
		sender.Send([]journal.Record{{Kind: journal.Run, Run: "r1"}})
	}
	sender.Close()
	if len(said.text) != 2 || said.text[0] != "the trace of run r1 is not sent: first; its journal has everything" || !strings.Contains(said.text[1], "third") {
		t.Errorf("told: %q", said.text)
	}
}

// TestUnreachable: an endpoint where nobody is, and one that is none.
func TestUnreachable(t *testing.T) {
	nobody := httptest.NewServer(nil)
	nobody.Close()
	const none = "no traces are sent: OTEL_EXPORTER_OTLP_ENDPOINT is no address of a collector; write http://HOST:4318 or https://HOST:4318"
	for endpoint, want := range map[string]string{
		nobody.URL:                "the trace of run rugbpw6u is not sent: ",
		"collector:4318":          none,
		"http://me:secret@[::1":   none,
		"grpc://me:secret@a:4317": none,
		"http:///v1/traces":       none,
	} {
		t.Run(endpoint, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
			said := &lines{}
			sender := FromEnvironment(t.Context(), "v1", said.add)
			for range 3 {
				sender.Send(read(t, "passed"))
			}
			sender.Close()
			if len(said.text) != 1 || !strings.HasPrefix(said.text[0], want) || strings.Contains(said.text[0], "secret") {
				t.Errorf("told: %q, want %q once", said.text, want)
			}
		})
	}
}

// TestOff: without an endpoint nothing is sent, and nothing told.
func TestOff(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	sender := FromEnvironment(t.Context(), "v1", func(text string) { t.Error(text) })
	if id := sender.Send(read(t, "passed")); id != "" {
		t.Errorf("it is sent as %s", id)
	}
	sender.Close()
}

// TestLate: the end waits for a collector that does not answer, and not for long;
// a run waits for none.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := &lines{}
		ctx, end := context.WithCancel(t.Context())
		sender := New(ctx, exporter{}, nil, said.add)
		// An interrupted run is sent too.
		end()
		began := time.Now()
		for range 2 * backlog {
			sender.Send([]journal.Record{{Kind: journal.Run, Run: "r1"}})
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the runs waited %v", took)
		}
		time.Sleep(time.Minute)
		began = time.Now()
		sender.Close()
		if took := time.Since(began); took != closeLimit {
			t.Errorf("the end took %v", took)
		}
		if len(said.text) != 2 || !strings.Contains(said.text[0], "slower than the runs, and 64 wait") || !strings.Contains(said.text[1], "not taken within 5s") {
			t.Errorf("told: %q", said.text)
		}
	})
}
