package trace

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

const (
	// closeLimit is how long the end waits for what is not sent yet.
	closeLimit = 5 * time.Second
	// backlog is how many runs may wait to be sent.
	backlog = 64
	// scope is what makes the spans.
	scope = "github.com/emco-chaos/emco-chaos/plugin/trace"
)

var errLate = fmt.Errorf("it was not taken within %v after the last run", closeLimit)

// Sender sends the traces of runs by OTLP over HTTP. Nobody waits for it but
// Close, and a nil one sends nothing.
type Sender struct {
	exporter sdktrace.SpanExporter
	resource *resource.Resource
	tell     func(string)
	runs     chan []journal.Record
	giveUp   context.CancelCauseFunc
	working  sync.WaitGroup
	full     sync.Once
}

// FromEnvironment returns a sender to where the variables of OpenTelemetry's
// specification say; nil when they name no endpoint. That something is not sent
// is told once, until something is.
func FromEnvironment(ctx context.Context, version string, tell func(string)) *Sender {
	endpoint := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
	if endpoint == "" {
		return nil
	}
	// It may have a password, so that it is not repeated.
	if parsed, err := url.Parse(endpoint); err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
		tell("no traces are sent: OTEL_EXPORTER_OTLP_ENDPOINT is no address of a collector; write http://HOST:4318 or https://HOST:4318")
		return nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		tell(fmt.Sprintf("no traces are sent: %v", err))
		return nil
	}
	// What the environment says of the resource counts more. Of what it says
	// wrong, the rest is taken.
	known, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "emco-chaos"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		tell(fmt.Sprintf("traces: OTEL_RESOURCE_ATTRIBUTES: %v", err))
	}
	return New(ctx, exporter, known, tell)
}

// New returns a sender to an exporter of spans.
func New(ctx context.Context, exporter sdktrace.SpanExporter, known *resource.Resource, tell func(string)) *Sender {
	// What ends the runs does not end the sending.
	sending, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	s := &Sender{exporter: exporter, resource: known, tell: tell, runs: make(chan []journal.Record, backlog), giveUp: giveUp}
	s.working.Go(func() { s.work(sending) })
	return s
}

func (s *Sender) work(ctx context.Context) {
	failing := false
	for records := range s.runs {
		err := s.send(ctx, records)
		if err != nil && !failing {
			s.tell(fmt.Sprintf("the trace of run %s is not sent: %v; its journal has everything", records[0].Run, err))
		}
		failing = err != nil
	}
}

func (s *Sender) send(ctx context.Context, records []journal.Record) error {
	spans := Spans(records)
	for i := range spans {
		spans[i].Resource, spans[i].InstrumentationScope = s.resource, instrumentation.Scope{Name: scope}
	}
	err := s.exporter.ExportSpans(ctx, spans.Snapshots())
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// Send sends a run's trace soon, and returns its ID; empty when it is not sent.
func (s *Sender) Send(records []journal.Record) (id string) {
	if s == nil || len(records) == 0 {
		return ""
	}
	select {
	case s.runs <- records:
		return ID(records[0]).String()
	default:
		s.full.Do(func() {
			s.tell(fmt.Sprintf("traces of runs are left out: the collector is slower than the runs, and %d wait", backlog))
		})
		return ""
	}
}

// Close waits for what is not sent yet, but not for long. Nothing is sent then.
func (s *Sender) Close() {
	if s == nil {
		return
	}
	close(s.runs)
	late := time.AfterFunc(closeLimit, func() { s.giveUp(errLate) })
	defer late.Stop()
	s.working.Wait()
	s.giveUp(nil)
}
