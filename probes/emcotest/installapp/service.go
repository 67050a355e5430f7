// Package installapp is rsync's gRPC interface, which orchestrator and dcm call: install or uninstall what an
// AppContext holds, or put one in the place of another.
package installapp

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	service   = "installapp.Installapp"
	install   = "/" + service + "/InstallApp"
	uninstall = "/" + service + "/UninstallApp"
	update    = "/" + service + "/UpdateApp"
)

// Server is what answers the calls. It returns as soon as the event is safe in etcd, long before it is worked off.
type Server interface {
	Install(ctx context.Context, contextID string) error
	Uninstall(ctx context.Context, contextID string) error
	Update(ctx context.Context, from, to string) error
}

// Register adds server to a gRPC server. The messages are the well-known wrappers, whose first field is where EMCO's
// own messages have the AppContext's id and the outcome. Any stands for two ids: its fields are numbered as theirs.
func Register(registrar grpc.ServiceRegistrar, server Server) {
	registrar.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*Server)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "InstallApp", Handler: handler(server.Install)},
			{MethodName: "UninstallApp", Handler: handler(server.Uninstall)},
			{MethodName: "UpdateApp", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				var ids anypb.Any
				if err := decode(&ids); err != nil {
					return nil, err
				}
				return wrapperspb.Bool(true), server.Update(ctx, ids.GetTypeUrl(), string(ids.GetValue()))
			}},
		},
	}, server)
}

func handler(call func(context.Context, string) error) grpc.MethodHandler {
	return func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var contextID wrapperspb.StringValue
		if err := decode(&contextID); err != nil {
			return nil, err
		}
		if err := call(ctx, contextID.GetValue()); err != nil {
			return nil, err
		}
		return wrapperspb.Bool(true), nil
	}
}
