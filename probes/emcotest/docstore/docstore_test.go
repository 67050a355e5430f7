package docstore

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// serve runs a server until stop.
func serve(t *testing.T, address, file string) (listening string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

func TestRules(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	address, _ := serve(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "documents"))
	client := NewClient(address, time.Second)
	defer client.Close()

	insert := func(key, parent string) error { return client.Insert(ctx, key, parent, "data", key) }
	if err := insert("a/b", "a"); !errors.Is(err, ErrParentMissing) {
		t.Errorf("insert without a parent: %v", err)
	}
	for _, each := range [][2]string{{"a", ""}, {"a/z", "a"}, {"a/b", "a"}, {"a/b/c", "a/b"}, {"ab", ""}} {
		if err := insert(each[0], each[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Insert(ctx, "a/z", "", "state", 7); err != nil {
		t.Fatal(err)
	}
	var state int
	if err := client.Find(ctx, "a/z", "state", &state); err != nil || state != 7 {
		t.Errorf("state %d, %v", state, err)
	}
	var data string
	for _, each := range [][2]string{{"a/b", "state"}, {"nope", "data"}} {
		if err := client.Find(ctx, each[0], each[1], &data); !errors.Is(err, ErrNotFound) {
			t.Errorf("find %v: %v", each, err)
		}
	}
	for _, test := range []struct {
		prefix, tag string
		depth       int
		want        []string
	}{
		{"a/", "data", 1, []string{"a/z", "a/b"}},
		{"a/", "data", 2, []string{"a/b/c"}},
		{"a/", "state", 1, []string{"a/z"}},
		{"", "data", 1, []string{"a", "ab"}},
		{"x/", "data", 1, nil},
	} {
		entries, err := client.List(ctx, test.prefix, test.depth, test.tag)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, entry := range entries {
			keys = append(keys, entry.Key)
		}
		if !slices.Equal(keys, test.want) {
			t.Errorf("list %q %d %s: %v, want %v", test.prefix, test.depth, test.tag, keys, test.want)
		}
	}
	for _, test := range []struct {
		key  string
		want error
	}{{"a", ErrHasChildren}, {"a/b", ErrHasChildren}, {"a/b/c", nil}, {"a/b", nil}, {"a/b", ErrNotFound}} {
		if err := client.Remove(ctx, test.key); !errors.Is(err, test.want) {
			t.Errorf("remove %s: %v, want %v", test.key, err, test.want)
		}
	}
}

func TestServerGone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	file := filepath.Join(t.TempDir(), "documents")
	address, stop := serve(t, "127.0.0.1:0", file)
	client := NewClient(address, 100*time.Millisecond)
	defer client.Close()
	if err := client.Insert(ctx, "a", "", "data", 1); err != nil {
		t.Fatal(err)
	}
	stop()
	var value json.RawMessage
	for _, want := range []string{" incomplete read of message header: ", "server selection error: server selection timeout"} {
		if err := client.Find(ctx, "a", "data", &value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	_, stop = serve(t, address, file)
	if err := client.Find(ctx, "a", "data", &value); err != nil {
		t.Errorf("the server is back: %v", err)
	}
	// A connection that broke while nothing was asked is replaced without an error.
	stop()
	serve(t, address, file)
	if err := client.Find(ctx, "a", "data", &value); err != nil || string(value) != "1" {
		t.Errorf("the server was away in between: %s, %v", value, err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := client.Find(ended, "a", "data", &value); !errors.Is(err, context.Canceled) {
		t.Errorf("the context has ended: %v", err)
	}
}
