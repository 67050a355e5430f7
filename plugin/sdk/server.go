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
	return describe(description), nil
}

func (s *server) Compile(ctx context.Context, request *pluginv1.CompileRequest) (*pluginv1.CompileResponse, error) {
	compiled, err := s.plugin.Compile(ctx, Source{
		Experiment: request.GetExperiment(),
		File:       request.GetFile().GetName(),
		Text:       request.GetFile().GetText(),
		Target:     request.GetTarget(),
		Parameters: request.GetParameters(),
	})
	var problems document.Problems
	switch {
	case errors.As(err, &problems):
		return &pluginv1.CompileResponse{Problems: each(problems, problemToWire)}, nil
	case err != nil:
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
	ctx := stream.Context()
	if timeout := request.GetTimeout().AsDuration(); timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		ctx = limited
	}
	sender := &sender{stream: stream}
	result := s.plugin.Run(ctx, Task{
		Run:       request.GetRun(),
		Attempt:   int(request.GetAttempt()),
		Target:    request.GetTarget(),
		Activity:  request.GetActivity(),
		Arguments: request.GetArguments().AsMap(),
		Timeout:   request.GetTimeout().AsDuration(),
		Resources: request.GetResources(),
		Unanswered: each(request.GetUnanswered(), func(sent *pluginv1.Sent) Sent {
			return Sent{Activity: sent.GetActivity(), Arguments: sent.GetArguments().AsMap()}
		}),
		Settle: request.GetSettle().AsDuration(),
	}, sender)
	sender.send(&pluginv1.RunResponse{Item: &pluginv1.RunResponse_Result{Result: &pluginv1.Result{
		Conclusion: string(result.Conclusion), Message: legible(result.Message), Outcome: result.Outcome, Evidence: legibleAll(result.Evidence),
	}}})
	if err := sender.failure(); err != nil {
		return status.Errorf(codes.Unavailable, "send what %s saw: %v", request.GetActivity(), err)
	}
	return nil
}

// sender sends what an activity sees, each moment as its age.
type sender struct {
	mu     sync.Mutex
	stream pluginv1.Plugin_RunServer
	err    error
}

func (s *sender) send(item *pluginv1.RunResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = s.stream.Send(item)
	}
}

func (s *sender) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *sender) Event(name string, at time.Time, detail map[string]string) {
	s.send(&pluginv1.RunResponse{Item: &pluginv1.RunResponse_Event{Event: &pluginv1.Event{
		Name: name, Age: durationpb.New(time.Since(at)), Detail: legibleAll(detail),
	}}})
}

func (s *sender) Note(at time.Time, text string) {
	s.send(&pluginv1.RunResponse{Item: &pluginv1.RunResponse_Note{Note: &pluginv1.Note{
		Text: legible(text), Age: durationpb.New(time.Since(at)),
	}}})
}

func (s *sender) Resource(resource Resource) {
	s.send(&pluginv1.RunResponse{Item: &pluginv1.RunResponse_Resource{Resource: &pluginv1.Resource{
		Anchor: resource.Anchor, State: string(resource.State), Reason: legible(resource.Reason),
	}}})
}

// legible makes a text one that the wire takes. What a system answers may be
// anything.
func legible(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func legibleAll(texts map[string]string) map[string]string {
	if texts == nil {
		return nil
	}
	all := make(map[string]string, len(texts))
	for key, text := range texts {
		all[legible(key)] = legible(text)
	}
	return all
}
