package sdk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/sdk/pluginv1"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// server offers a plugin by the contract.
type server struct {
	pluginv1.UnimplementedPluginServer
	plugin Plugin
}

func (s *server) Describe(ctx context.Context, _ *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	description, err := s.plugin.Describe(ctx)
	if err != nil {
		return nil, err
	}
	return recode[*pluginv1.DescribeResponse](description)
}

func (s *server) Compile(ctx context.Context, request *pluginv1.CompileRequest) (*pluginv1.CompileResponse, error) {
	compiled, err := s.plugin.Compile(ctx, Source{
		Experiment: request.GetExperiment(), File: request.GetFile().GetName(), Text: request.GetFile().GetText(),
		Target: request.GetTarget(), Parameters: request.GetParameters(),
	})
	if problems, is := errors.AsType[document.Problems](err); is {
		wire, err := recode[[]*pluginv1.Problem](problems)
		return &pluginv1.CompileResponse{Problems: wire}, err
	}
	if err != nil {
		return nil, err
	}
	if compiled == nil {
		return nil, errors.New("the plugin compiled the experiment into nothing")
	}
	wire, err := planToWire(compiled)
	if err != nil {
		return nil, fmt.Errorf("send the plan: %w", err)
	}
	return &pluginv1.CompileResponse{Plan: wire}, nil
}

func (s *server) Run(request *pluginv1.RunRequest, stream pluginv1.Plugin_RunServer) error {
	ctx, task := stream.Context(), taskFromWire(request)
	if task.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, task.Timeout)
		defer cancel()
		ctx = limited
	}
	sender := &sender{stream: stream}
	result := s.plugin.Run(ctx, task, sender)
	err := sender.send(&pluginv1.RunResponse{Item: &pluginv1.RunResponse_Result{Result: &pluginv1.Result{
		Conclusion: string(result.Conclusion), Message: legible(result.Message), Outcome: result.Outcome, Evidence: values(result.Evidence, legible),
	}}})
	if err != nil {
		return status.Errorf(codes.Unavailable, "send what %s saw: %v", task.Activity, err)
	}
	return nil
}

// sender sends what an activity sees, each moment as its age: the clocks of
// two processes need not agree.
type sender struct {
	mu     sync.Mutex
	stream pluginv1.Plugin_RunServer
	err    error
}

// send returns the first error of all that was sent.
func (s *sender) send(item *pluginv1.RunResponse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = s.stream.Send(item)
	}
	return s.err
}

func (s *sender) Event(name string, at time.Time, detail map[string]string) {
	_ = s.send(&pluginv1.RunResponse{Item: &pluginv1.RunResponse_Event{Event: &pluginv1.Event{
		Name: name, Age: durationpb.New(time.Since(at)), Detail: values(detail, legible),
	}}})
}

func (s *sender) Note(at time.Time, text string) {
	_ = s.send(&pluginv1.RunResponse{Item: &pluginv1.RunResponse_Note{Note: &pluginv1.Note{
		Text: legible(text), Age: durationpb.New(time.Since(at)),
	}}})
}

func (s *sender) Resource(resource Resource) {
	_ = s.send(&pluginv1.RunResponse{Item: &pluginv1.RunResponse_Resource{Resource: &pluginv1.Resource{
		Anchor: resource.Anchor, State: string(resource.State), Reason: legible(resource.Reason),
	}}})
}

// legible makes a text one that the wire takes: what a system answers may be
// anything.
func legible(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
