package emco

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// deafened listens with a queue that is full, so that a SYN hangs until hear
// is called: then it answers 202 to whoever is there.
//
// Linux drops a SYN that has no room in the queue.
func deafened(t *testing.T) (url string, hear func()) {
	t.Helper()
	descriptor, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(descriptor), "listener")
	defer file.Close()
	if err := syscall.Bind(descriptor, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(descriptor, 0); err != nil {
		t.Fatal(err)
	}
	listener, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	filling, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { filling.Close() })
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })}
	t.Cleanup(func() { server.Close() })
	return fmt.Sprintf("http://%s", listener.Addr()), func() { go func() { _ = server.Serve(listener) }() }
}

// A call waits for its second SYN; a question, which is asked again, does not.
func TestSecondSYN(t *testing.T) {
	for method, want := range map[string]string{http.MethodPost: "accepted", http.MethodGet: "timeout"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			url, hear := deafened(t)
			client := newClient(t, url, func(c *Config) { c.DialTimeout = 900 * time.Millisecond })
			// Between the first SYN, which follows at once, and the second.
			var timer *time.Timer
			answer, err := client.Watch(t.Context(), Request{Method: method, Anchor: "projects/p"}, func(m Moment) {
				if m.Name == Started {
					timer = time.AfterFunc(500*time.Millisecond, hear)
				}
			})
			timer.Stop()
			if err != nil {
				t.Fatal(err)
			}
			if got := answer.Outcome.String(); got != want {
				t.Errorf("the outcome is %s after %s, want %s", got, answer.Ended.Sub(answer.Started), want)
			}
		})
	}
}

// A call that hangs is dialled again from another port, and a question is not.
func TestSecondDial(t *testing.T) {
	for method, want := range map[string]int{http.MethodPost: 2, http.MethodGet: 1} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			url, _ := deafened(t)
			const limit = 50 * time.Millisecond
			client := newClient(t, url, func(c *Config) { c.DialTimeout = limit })
			var moments []string
			answer, err := client.Watch(t.Context(), Request{Method: method, Anchor: "projects/p"}, func(m Moment) {
				moments = append(moments, m.Name)
			})
			if err != nil {
				t.Fatal(err)
			}
			if took := answer.Ended.Sub(answer.Started); took < time.Duration(want)*limit {
				t.Errorf("it ended after %s: that is no %d dials", took, want)
			}
			if got := answer.Outcome; got.Kind != Timeout || got.Sent || !slices.Equal(moments, []string{Started, HasFailed}) {
				t.Errorf("the outcome is %s, sent %t, after %v", got, got.Sent, moments)
			}
		})
	}
}
