package edge

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
)

func TestEdge(t *testing.T) {
	t.Parallel()
	server, err := Open(filepath.Join(t.TempDir(), "objects"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	client := NewClient(listener.Addr().String())
	t.Cleanup(client.Close)

	const (
		deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"
		policy     = "apiVersion: v1\nkind: NetworkPolicy\nmetadata: {name: b, namespace: own, labels: {x: y}}\n"
		applied    = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"labels":{"l":"v"},"name":"a","namespace":"default"}}`
		other      = `{"apiVersion":"v1","kind":"NetworkPolicy","metadata":{"labels":{"l":"v","x":"y"},"name":"b","namespace":"own"}}`
	)
	if err := client.Reach(ctx); err != nil {
		t.Fatal(err)
	}
	for _, manifest := range []string{deployment, policy, deployment} {
		if err := client.Apply(ctx, "default", manifest, "l", "v"); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Apply(ctx, "default", "kind: Deployment\nmetadata: {}\n", "l", "v"); !errors.Is(err, ErrRefused) {
		t.Errorf("apply without a name: %v", err)
	}
	expect := func(path string, code int, want string) {
		t.Helper()
		response, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != code || want != "" && string(body) != want+"\n" {
			t.Errorf("GET %s: %d %s, want %d %s", path, response.StatusCode, body, code, want)
		}
	}
	list := func(items string) string {
		return `{"apiVersion":"v1","items":[` + items + `],"kind":"List","metadata":{}}`
	}
	expect("/objects", 200, "["+other+","+applied+"]")
	expect("/apis/apps/v1/namespaces/default/deployments/a", 200, applied)
	expect("/api/v1/namespaces/own/networkpolicies/b", 200, other)
	expect("/api/v1/namespaces/own/networkpolicies/c", 404, "")
	expect("/apis/apps/v1/namespaces/default/deployments", 200, list(applied))
	expect("/apis/apps/v1/deployments", 200, list(applied))
	expect("/apis/apps/v1/namespaces/own/deployments", 200, list(""))
	for range 2 { // what is gone may be deleted
		if err := client.Delete(ctx, "default", deployment); err != nil {
			t.Fatal(err)
		}
	}
	expect("/objects", 200, "["+other+"]")
}
