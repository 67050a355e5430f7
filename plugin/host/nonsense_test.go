package host_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/sdk/pluginv1"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// wild is a plugin that sends what it likes, by the wire's own types.
type wild struct {
	pluginv1.UnimplementedPluginServer
	compiled *pluginv1.CompileResponse
	run      func(stream grpc.ServerStreamingServer[pluginv1.RunResponse], send func(any)) error
}

func (w wild) Compile(context.Context, *pluginv1.CompileRequest) (*pluginv1.CompileResponse, error) {
	return w.compiled, nil
}

// Run does the steps that are no given and no teardown.
func (w wild) Run(request *pluginv1.RunRequest, stream grpc.ServerStreamingServer[pluginv1.RunResponse]) error {
	send := func(item any) {
		response := &pluginv1.RunResponse{}
		switch item := item.(type) {
		case *pluginv1.Event:
			response.Item = &pluginv1.RunResponse_Event{Event: item}
		case *pluginv1.Note:
			response.Item = &pluginv1.RunResponse_Note{Note: item}
		case *pluginv1.Resource:
			response.Item = &pluginv1.RunResponse_Resource{Resource: item}
		case *pluginv1.Result:
			response.Item = &pluginv1.RunResponse_Result{Result: item}
		}
		_ = stream.Send(response)
	}
	if request.GetActivity() == "given" || request.GetActivity() == "teardown" {
		send(&pluginv1.Event{Name: "started"})
		send(&pluginv1.Event{Name: "passed"})
		send(&pluginv1.Result{Conclusion: "passed"})
		return nil
	}
	return w.run(stream, send)
}

type wildPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	wild
}

func (p *wildPlugin) GRPCServer(_ *goplugin.GRPCBroker, server *grpc.Server) error {
	pluginv1.RegisterPluginServer(server, p.wild)
	return nil
}

func (p *wildPlugin) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.ErrUnsupported
}

func serveWild(w wild) func() {
	return func() {
		goplugin.Serve(&goplugin.ServeConfig{
			HandshakeConfig: sdk.Handshake, GRPCServer: goplugin.DefaultGRPCServer,
			VersionedPlugins: map[int]goplugin.PluginSet{sdk.ProtocolVersion: {sdk.Service: &wildPlugin{wild: w}}},
		})
	}
}

// bad is what an activity must not do, and what is said of it.
var bad = map[string]struct {
	run   func(stream grpc.ServerStreamingServer[pluginv1.RunResponse], send func(any)) error
	is    error
	wants string
}{
	"unknown-conclusion": {run: sends(&pluginv1.Result{Conclusion: "great\x1b[2J"}), is: sdk.ErrContract,
		wants: `probe concluded "great\x1b[2J"; it is passed, failed, inconclusive or error`},
	"unknown-outcome": {run: sends(&pluginv1.Result{Conclusion: "passed", Outcome: "splendid"}), is: sdk.ErrContract,
		wants: `its outcome is "splendid"`},
	"no-result":      {run: sends(), is: sdk.ErrContract, wants: "probe ended without a result"},
	"empty-message":  {run: sends(nil), is: sdk.ErrContract, wants: "probe sent an empty message"},
	"event-name":     {run: sends(&pluginv1.Event{Name: "Started Now\n"}), is: sdk.ErrContract, wants: `probe emitted "Started Now\n"`},
	"no-event-name":  {run: sends(&pluginv1.Event{}), is: sdk.ErrContract, wants: `probe emitted ""`},
	"huge-event":     {run: sends(&pluginv1.Event{Name: strings.Repeat("e", 100_000)}), is: sdk.ErrContract, wants: "63 at most"},
	"resource-state": {run: sends(&pluginv1.Resource{Anchor: "a", State: "lost"}), is: sdk.ErrContract, wants: `a resource is "lost"; it is making, made, removed or left`},
	"no-anchor":      {run: sends(&pluginv1.Resource{State: "made"}), is: sdk.ErrContract, wants: "an anchor has 1 to 1024"},
	"huge-message":   {run: sends(&pluginv1.Note{Text: strings.Repeat("n", 2<<20)}), is: sdk.ErrFlood, wants: "one message is larger than 1024 KiB"},
	"no-utf8":        {run: sends(&pluginv1.Note{Text: "\xff\xfe"}), is: sdk.ErrContract, wants: "invalid UTF-8"},
	"wire-garbage": {run: func(stream grpc.ServerStreamingServer[pluginv1.RunResponse], _ func(any)) error {
		// The text of a note, which is field 1 in field 2, is no UTF-8.
		unknown := &pluginv1.RunResponse{}
		unknown.ProtoReflect().SetUnknown([]byte{0x12, 0x03, 0x0a, 0x01, 0xff})
		return stream.Send(unknown)
	}, is: sdk.ErrContract, wants: "invalid UTF-8"},
	"own-error": {run: func(grpc.ServerStreamingServer[pluginv1.RunResponse], func(any)) error {
		return errors.New("it rains\x1b[2J" + strings.Repeat("!", 30_000))
	}, wants: "have the plugin do probe: it rains"},
	"event-flood": {run: func(stream grpc.ServerStreamingServer[pluginv1.RunResponse], send func(any)) error {
		for stream.Context().Err() == nil {
			send(&pluginv1.Event{Name: "started"})
		}
		return nil
	}, is: sdk.ErrFlood, wants: "probe has sent more than 10000 messages"},
	"note-flood": {run: func(stream grpc.ServerStreamingServer[pluginv1.RunResponse], send func(any)) error {
		note := &pluginv1.Note{Text: strings.Repeat("n", 900<<10)}
		for stream.Context().Err() == nil {
			send(note)
		}
		return nil
	}, is: sdk.ErrFlood, wants: "probe has sent more than 4 MiB"},
}

func sends(items ...any) func(grpc.ServerStreamingServer[pluginv1.RunResponse], func(any)) error {
	return func(_ grpc.ServerStreamingServer[pluginv1.RunResponse], send func(any)) error {
		for _, item := range items {
			send(item)
		}
		return nil
	}
}

// garbage are plans that nobody can run, and what is said of them.
var garbage = map[string]struct {
	response *pluginv1.CompileResponse
	is       error
	wants    []string
}{
	"neither":        {&pluginv1.CompileResponse{}, sdk.ErrContract, []string{"neither a plan nor a problem"}},
	"empty-plan":     {&pluginv1.CompileResponse{Plan: &pluginv1.Plan{}}, nil, []string{"there is no step", "is not a name"}},
	"bad-reference":  {planOf(&pluginv1.Step{Name: "one", After: []string{"no reference \x1b"}}), sdk.ErrContract, []string{"is not STEP.EVENT"}},
	"bad-claim":      {&pluginv1.CompileResponse{Plan: &pluginv1.Plan{Evidence: []string{"a.b < "}}}, sdk.ErrContract, []string{"is not STEP.EVENT"}},
	"does-nothing":   {planOf(&pluginv1.Step{Name: "one"}), nil, []string{"is not exactly one of a fault and an activity"}},
	"negative-times": {planOf(&pluginv1.Step{Name: "one", Delay: durationpb.New(-5), Timeout: &durationpb.Duration{Seconds: math.MinInt64, Nanos: math.MaxInt32}}), nil, []string{"is not a time to wait", "cannot be waited for"}},
	"fault-no-json":  {planOf(faultStep("{{")), nil, []string{"is not a JSON object"}},
	"fault-null":     {planOf(faultStep("null")), nil, []string{"is not a JSON object"}},
	"fault-kind":     {planOf(faultStep(`{"apiVersion":"v1","kind":"Secret"}`)), nil, []string{"steps.one.fault"}},
	"fault-types":    {planOf(faultStep(`{"apiVersion":"chaos-mesh.org/v1alpha1","kind":"PodChaos","spec":{"action":7,"selector":[]}}`)), nil, []string{"steps.one.fault"}},
	"fault-all-pods": {planOf(faultStep(`{"apiVersion":"chaos-mesh.org/v1alpha1","kind":"PodChaos","spec":{"action":"pod-kill","mode":"all","duration":"1m","selector":{}}}`)), nil, []string{"selects every pod"}},
	"fault-deep":     {planOf(faultStep(strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000))), nil, []string{"steps.one.fault"}},
	"too-many-steps": {planOf(manySteps(500)...), nil, []string{"has 500 steps, and 100 is the limit"}},
	"nul-names":      {planOf(&pluginv1.Step{Name: "a\x00\x1b[2Jb"}), nil, []string{"cannot be the name of a step"}},
	"huge-plan":      {&pluginv1.CompileResponse{Plan: &pluginv1.Plan{Title: strings.Repeat("t", 2<<20)}}, sdk.ErrFlood, []string{"one message is larger than 1024 KiB"}},
	"swelling-plan":  {&pluginv1.CompileResponse{Plan: &pluginv1.Plan{Title: strings.Repeat("\x01", 900<<10)}}, sdk.ErrFlood, []string{"its plan"}},
	"odd-problem":    {&pluginv1.CompileResponse{Problems: []*pluginv1.Problem{{Line: -3, Column: math.MinInt32, Message: "odd\x1b[2J"}}}, nil, []string{"odd [2J"}},
	"no-utf8":        {&pluginv1.CompileResponse{Plan: &pluginv1.Plan{Title: "\xff"}}, sdk.ErrContract, []string{"invalid UTF-8"}},
	"odd-arguments": {planOf(&pluginv1.Step{Name: "one", What: &pluginv1.Step_Activity{Activity: &pluginv1.Task{
		Activity: "", Arguments: &structpb.Struct{Fields: map[string]*structpb.Value{"x": {}}}, Events: []string{"", "started", "started"}, Ends: []string{"started"},
	}}}), nil, []string{"its activity has no name", `cannot emit ""`}},
}

func planOf(steps ...*pluginv1.Step) *pluginv1.CompileResponse {
	do := func(name string) *pluginv1.Step {
		return &pluginv1.Step{Name: name, Timeout: durationpb.New(time.Second), What: &pluginv1.Step_Activity{
			Activity: &pluginv1.Task{Activity: name, Events: []string{"started", "passed"}, Ends: []string{"passed"}},
		}}
	}
	return &pluginv1.CompileResponse{Plan: &pluginv1.Plan{
		Experiment: "garbage", Attempts: 1, Given: do("given"), Teardown: do("teardown"), Steps: steps,
	}}
}

func faultStep(object string) *pluginv1.Step {
	return &pluginv1.Step{Name: "one", Timeout: durationpb.New(time.Second), What: &pluginv1.Step_Fault{
		Fault: &pluginv1.Fault{Kind: "PodChaos", Action: "pod-kill", Summary: "kill", Object: []byte(object)},
	}}
}

func manySteps(n int) []*pluginv1.Step {
	var steps []*pluginv1.Step
	for i := range n {
		steps = append(steps, faultStep(`{"n":`+strconv.Itoa(i)+`}`))
	}
	return steps
}

func init() {
	for name, one := range bad {
		programs["bad-"+name] = serveWild(wild{run: one.run})
	}
	for name, one := range garbage {
		programs["garbage-"+name] = serveWild(wild{compiled: one.response})
	}
	programs["rewrites-time"] = serveWild(wild{run: sends(
		&pluginv1.Event{Name: "started", Age: durationpb.New(-time.Hour)},
		&pluginv1.Event{Name: "sent", Age: &durationpb.Duration{Seconds: math.MaxInt64, Nanos: math.MinInt32}},
		&pluginv1.Event{Name: "passed", Age: durationpb.New(24 * time.Hour)},
		&pluginv1.Note{Text: strings.Repeat("ü", 100_000)},
		&pluginv1.Result{Conclusion: "passed", Message: strings.Repeat("m", 100_000), Evidence: map[string]string{"e": strings.Repeat("v", 100_000)}},
	)})
	programs["illegible"] = func() {
		sdk.Serve(scripted{run: func(_ context.Context, _ sdk.Task, o sdk.Observer) sdk.Result {
			o.Event("started", time.Now(), map[string]string{"body": "\xff"})
			o.Note(time.Now(), "\xfe")
			o.Resource(sdk.Resource{Anchor: "a", State: sdk.Left, Reason: "\xfd"})
			return sdk.Result{Conclusion: sdk.Passed, Message: "\xfc", Evidence: map[string]string{"body": "\xfb"}}
		}})
	}
	programs["compiles-nothing"] = func() {
		sdk.Serve(scripted{compile: func(context.Context, sdk.Source) (*plan.Plan, error) { return nil, nil }})
	}
	programs["stray-event"] = serveWild(wild{run: sends(&pluginv1.Event{Name: "started"}, &pluginv1.Event{Name: "stray"}, &pluginv1.Result{Conclusion: "passed"})})
}

// TestBadActivities: whatever a plugin sends, the activity ends in a clear
// error, and a run with it in the verdict Error.
func TestBadActivities(t *testing.T) {
	t.Parallel()
	for name, test := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			process := started(t, "bad-"+name)
			seen := &watcher{}
			_, err := process.Run(t.Context(), sdk.Task{Run: "r", Attempt: 1, Activity: "probe"}, seen)
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("the error is not %q", test.is)
			}
			if err == nil || !strings.Contains(err.Error(), test.wants) {
				t.Errorf("the error does not say %q: %v", test.wants, err)
			}
			if err != nil && len(err.Error()) > 20<<10 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if sum := seen.events + seen.notes + seen.resources; sum > sdk.ActivityMessages {
				t.Errorf("%d messages came through", sum)
			}

			var lines bytes.Buffer
			outcome := engine.Run(t.Context(), engine.Config{
				Run: "run", Plan: activityPlan("probe", "started", "passed"), Driver: noDriver{}, Plugin: process,
				Journal: journal.New(&lines), Restart: func(context.Context) (engine.Plugin, error) { return nil, errors.New("no") },
			})
			if outcome.Verdict != verdict.Error || !strings.Contains(outcome.Reason, test.wants) {
				t.Errorf("%s: %s", outcome.Verdict, outcome.Reason)
			}
			if lines.Len() > 12<<20 {
				t.Errorf("the journal has %d bytes", lines.Len())
			}
			if _, err := journal.Read(&lines); err != nil {
				t.Errorf("the journal cannot be read: %v", err)
			}
		})
	}
}

// TestFloodIsBounded: a flood does not fill this process's memory.
func TestFloodIsBounded(t *testing.T) {
	process := started(t, "bad-note-flood")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 10 {
		if _, err := process.Run(t.Context(), sdk.Task{Activity: "probe"}, &watcher{}); !errors.Is(err, sdk.ErrFlood) {
			t.Fatalf("error %v", err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}

func TestGarbagePlans(t *testing.T) {
	t.Parallel()
	for name, test := range garbage {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compiled, err := started(t, "garbage-"+name).Compile(t.Context(), sdk.Source{Experiment: "one"})
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("the error is not %q", test.is)
			}
			if err == nil {
				// As the command does with every plan.
				err = append(plan.Check(compiled), fault.CheckPlan(compiled)...).Err()
			}
			if err == nil {
				t.Fatal("nothing was found")
			}
			for _, want := range test.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("not said: %q in\n%v", want, err)
				}
			}
			if strings.ContainsAny(err.Error(), "\x00\x1b") {
				t.Errorf("control characters: %q", err)
			}
			if len(err.Error()) > 200<<10 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// TestTimesAreBounded: what an activity sees happened neither before it was
// asked for nor after it was told, and in the order of the telling.
func TestTimesAreBounded(t *testing.T) {
	t.Parallel()
	process := started(t, "rewrites-time")
	var note string
	seen := &watcher{note: func(text string) { note = text }}
	begun := time.Now()
	result, err := process.Run(t.Context(), sdk.Task{Activity: "probe"}, seen)
	if err != nil {
		t.Fatal(err)
	}
	last := begun
	for i, at := range seen.at {
		if !at.After(last) || at.After(time.Now()) {
			t.Errorf("moment %d is %v after the beginning, the one before %v", i, at.Sub(begun), last.Sub(begun))
		}
		last = at
	}
	for what, text := range map[string]string{"note": note, "message": result.Message, "evidence": result.Evidence["e"]} {
		if len(text) > 17<<10 || !strings.HasSuffix(text, "…") {
			t.Errorf("the %s has %d bytes", what, len(text))
		}
	}
}

// TestIllegible: what a system answers may be anything, and a plugin may pass
// it on.
func TestIllegible(t *testing.T) {
	t.Parallel()
	var note string
	result, err := started(t, "illegible").Run(t.Context(), sdk.Task{Activity: "probe"}, &watcher{note: func(text string) { note = text }})
	if err != nil || result.Message != "\uFFFD" || result.Evidence["body"] != "\uFFFD" || note != "\uFFFD" {
		t.Errorf("%+v, %q, %v", result, note, err)
	}
}

func TestCompilesNothing(t *testing.T) {
	t.Parallel()
	_, err := started(t, "compiles-nothing").Compile(t.Context(), sdk.Source{Experiment: "one"})
	says(t, err, "have the plugin compile the experiment", "into nothing")
}

func TestStrayEvent(t *testing.T) {
	t.Parallel()
	outcome := engine.Run(t.Context(), engine.Config{
		Run: "run", Plan: activityPlan("probe", "started", "passed"), Driver: noDriver{}, Plugin: started(t, "stray-event"), Journal: journal.New(&bytes.Buffer{}),
	})
	if want := `step one emitted "stray", which is none of its events (started passed)`; outcome.Verdict != verdict.Error || outcome.Reason != want {
		t.Errorf("%s: %s", outcome.Verdict, outcome.Reason)
	}
}

// noDriver has nothing to do.
type noDriver struct{}

func (noDriver) Apply(context.Context, fault.Object, func(engine.Moment)) error {
	return fmt.Errorf("no fault was due")
}
func (noDriver) Remove(context.Context, fault.Object) error { return nil }
func (noDriver) Leftovers(context.Context) ([]fault.Object, error) {
	return nil, nil
}

var _ engine.Plugin = (*host.Process)(nil)
