package appcontext_test

import (
	"context"
	"errors"
	"net"
	"reflect"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/appcontext"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/etcd"
)

// contexts are AppContexts in an etcd that runs until the test ends.
func contexts(t *testing.T) appcontext.Contexts {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	listening, served := make(chan string, 1), make(chan error, 1)
	go func() {
		served <- etcd.Serve(ctx, func() (net.Listener, error) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err == nil {
				listening <- listener.Addr().String()
			}
			return listener, err
		}, t.TempDir())
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	select {
	case address := <-listening:
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{address}, Logger: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		return appcontext.New(client)
	case err := <-served:
		served <- nil
		t.Fatal(err)
		return appcontext.Contexts{}
	}
}

// write writes an AppContext with one resource.
func write(t *testing.T, all appcontext.Contexts, id string) {
	t.Helper()
	ctx := t.Context()
	for _, err := range []error{
		all.Begin(ctx, id, appcontext.Meta{Project: "p", Namespace: "default", Level: "0"}),
		all.AddApp(ctx, id, "app"),
		all.AddCluster(ctx, id, "app", "provider+cluster"),
		all.AddResource(ctx, id, "app", "provider+cluster", appcontext.Resource{Name: "name+Service", Manifest: "kind: Service\n", Order: 3}),
		all.AddOrder(ctx, id, []string{"app"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppContext(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	all := contexts(t)
	if _, err := all.Load(ctx, "1"); !errors.Is(err, appcontext.ErrMissing) {
		t.Errorf("load what is missing: %v", err)
	}
	if _, err := all.Enqueue(ctx, "1", appcontext.Event{Kind: appcontext.Instantiate}); !errors.Is(err, appcontext.ErrMissing) {
		t.Errorf("enqueue to what is missing: %v", err)
	}
	write(t, all, "1")
	work, err := all.Enqueue(ctx, "1", appcontext.Event{Kind: appcontext.Instantiate})
	if err != nil {
		t.Fatal(err)
	}
	place, event, current, found, err := work.Next(ctx)
	if err != nil || place != 0 || event.Kind != appcontext.Instantiate || current != appcontext.Created || !found {
		t.Fatalf("next: %d %+v %s %v %v", place, event, current, found, err)
	}
	for _, err := range []error{
		work.Start(ctx, appcontext.Instantiated, appcontext.Instantiating),
		work.SetConnectivity(ctx, "app", "provider+cluster", appcontext.Available),
		work.SetResource(ctx, "app", "provider+cluster", "name+Service", appcontext.Applied),
		work.Finish(ctx, place, appcontext.EventDone, appcontext.Instantiated),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := all.Load(ctx, "1")
	want := appcontext.Context{
		ID: "1", Meta: appcontext.Meta{Project: "p", Namespace: "default", Level: "0"}, State: appcontext.Instantiated,
		Apps: []appcontext.App{{Name: "app", Clusters: []appcontext.Cluster{{
			Name: "provider+cluster", Connectivity: appcontext.Available,
			Resources: []appcontext.Resource{{Name: "name+Service", Manifest: "kind: Service\n", Order: 3, State: appcontext.Applied}},
		}}}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
	if _, _, _, found, err := work.Next(ctx); found || err != nil {
		t.Errorf("next of an empty queue: %v %v", found, err)
	}
	if active, err := all.Active(ctx); err != nil || !reflect.DeepEqual(active, []string{"1"}) {
		t.Errorf("active %v, %v", active, err)
	}
	if err := work.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if err := work.Start(ctx, appcontext.Instantiated, appcontext.Instantiating); !errors.Is(err, appcontext.ErrWithdrawn) {
		t.Errorf("write after release: %v", err)
	}
	if _, err := all.Resume(ctx, "1"); !errors.Is(err, appcontext.ErrWithdrawn) {
		t.Errorf("resume after release: %v", err)
	}
}

func TestWithdraw(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	all := contexts(t)
	for _, test := range []struct {
		kind appcontext.Kind
		want error
	}{{appcontext.Instantiate, appcontext.ErrMissing}, {appcontext.Terminate, nil}} {
		id := string(test.kind)
		write(t, all, id)
		work, err := all.Enqueue(ctx, id, appcontext.Event{Kind: test.kind})
		if err != nil {
			t.Fatal(err)
		}
		withdrawn := work.Withdrawn(ctx)
		if err := all.Withdraw(ctx, id, test.kind); err != nil {
			t.Fatal(err)
		}
		<-withdrawn
		if err := work.SetResource(ctx, "app", "provider+cluster", "name+Service", appcontext.Applied); !errors.Is(err, appcontext.ErrWithdrawn) {
			t.Errorf("%s: write after withdrawal: %v", test.kind, err)
		}
		state, err := all.StateOf(ctx, id)
		if !errors.Is(err, test.want) || err == nil && state != appcontext.Instantiated {
			t.Errorf("%s: state %q, %v", test.kind, state, err)
		}
	}
}
