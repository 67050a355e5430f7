package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/plugin/local/localtest"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// TestObstacles: what keeps a cluster from being started is found without starting
// it, and the start says the same.
func TestObstacles(t *testing.T) {
	description := describe(t)
	folder := filepath.Dir(description.File)
	for name, mode := range map[string]os.FileMode{"sound": 0o755, "plain": 0o644} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\nexec sleep 60\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for program, want := range map[string]string{
		"./sound":       "",
		"sleep":         "",
		"./plain":       "plain may not be executed (-rw-r--r--); chmod +x " + folder + "/plain",
		"./missing":     "no such file or directory; name another program",
		"no-such-thing": "executable file not found in $PATH; name another program",
		folder:          folder + " is a folder; name another program",
	} {
		pod := local.Pod{Name: "shop", Command: []string{program, "60"}}
		err := description.CheckCommand(pod)
		same(t, program, err, want)
		started := *description
		started.Pods = []local.Pod{pod}
		cluster, err := local.Start(t.Context(), &started, local.Options{})
		if err == nil {
			err = cluster.Close()
		}
		same(t, "start "+program, err, want)
	}
}

func same(t *testing.T, what string, err error, want string) {
	t.Helper()
	_, obstacle := errors.AsType[document.Problem](err)
	switch {
	case want == "" && err != nil, want != "" && !obstacle:
		t.Errorf("%s: got %v", what, err)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("%s: got %v\nwant %s", what, err, want)
	}
}

func TestAddressesInUse(t *testing.T) {
	t.Parallel()
	description := localtest.Description(t)
	link, pod := description.Links[0], description.Pods[0]
	same(t, "link", link.CheckListen(), "")
	same(t, "pod", pod.CheckVacant(t.Context(), time.Minute), "")
	same(t, "lock", description.Locked(), "")
	localtest.Start(t, description)
	same(t, "link", link.CheckListen(), "address already in use; end what has that address, or give the link another port: ss -tlnp 'sport = :")
	same(t, "pod", pod.CheckVacant(t.Context(), time.Millisecond), "something else already answers at "+pod.Ready.String())
	if err := description.Locked(); !errors.Is(err, local.ErrLocked) {
		t.Errorf("got %v", err)
	}
}
