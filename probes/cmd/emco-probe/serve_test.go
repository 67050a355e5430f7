package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// served runs emco-probe serve until the test ends or stop is called, which
// returns its exit code.
func served(t *testing.T, args ...string) (url string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		defer writer.Close()
		code <- Main(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), writer, writer)
	}()
	lines := bufio.NewScanner(reader)
	if !lines.Scan() {
		t.Fatal("the server said nothing")
	}
	url, found := strings.CutPrefix(lines.Text(), "listening on ")
	if !found {
		t.Fatal(lines.Text())
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
			continue
		}
	}()
	once := sync.OnceValue(func() int {
		cancel()
		result := <-code
		<-drained
		return result
	})
	t.Cleanup(func() { once() })
	return url, once
}

// ask asks the server on a connection of its own.
func ask(t *testing.T, method, url string, body io.Reader) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// clouds answers for logical clouds: one that is Instantiated, one that
// hangs until the caller has gone.
func clouds(t *testing.T) (url string, hung <-chan struct{}) {
	t.Helper()
	held := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v2/projects/p/logical-clouds/hangs/status":
			held <- struct{}{}
			<-r.Context().Done()
		case "/v2/projects/p/logical-clouds/lc/status":
			_, _ = io.WriteString(w, `{"states":{"statusctxid":"1","actions":[{"state":"Instantiated"}]},"deployedStatus":"Instantiated"}`)
		case "/v2/projects/p":
			_, _ = io.WriteString(w, "{}")
		default:
			http.Error(w, "Logical Cloud not found", http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, held
}

func TestServe(t *testing.T) {
	emcoURL, _ := clouds(t)
	const status = "status,call=logical-cloud.instantiate"
	url, stop := served(t, "--ingress", emcoURL, "--project", "p", "--logical-cloud", "lc",
		"--offer", "deployed="+status+",state=Instantiated", "--offer", "gone="+status+",state=Terminated",
		"--offer", "project=exists,anchor={project}", "--offer", "other=exists,anchor=projects/p/logical-clouds/other", "--timeout", "10s")

	for _, test := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"GET", "/probes/deployed", "", 200, `"conclusion":"passed","message":"status says Instantiated"`},
		{"HEAD", "/probes/deployed", "", 200, ""},
		{"GET", "/probes/gone", "", 503, `"conclusion":"failed","message":"status says Instantiated, not Terminated"`},
		{"GET", "/probes/project", "", 200, `"message":"projects/p is there"`},
		{"GET", "/probes/other", "", 503, `"conclusion":"failed"`},
		{"GET", "/probes", "", 200, `{"name":"project","probe":"exists","arguments":{"anchor":"{project}"}}`},
		{"GET", "/healthz", "", 200, "ok"},
		// A caller can tell the server nothing.
		{"GET", "/probes/none", "", 404, "no such probe is offered"},
		{"GET", "/probes/deployed?url=http://elsewhere", "", 400, "a probe takes nothing from its caller"},
		{"GET", "/probes/deployed", `{"orchestrator":"http://elsewhere"}`, 400, "a probe takes nothing from its caller"},
		{"POST", "/probes/deployed", "", 405, ""},
		{"GET", "/probes/deployed/http://elsewhere", "", 404, ""},
		{"GET", "/", "", 404, ""},
	} {
		var body io.Reader
		if test.body != "" {
			body = strings.NewReader(test.body)
		}
		code, text := ask(t, test.method, url+test.path, body)
		if code != test.code || !strings.Contains(text, test.want) {
			t.Errorf("%s %s: %d %s", test.method, test.path, code, text)
		}
		if strings.HasPrefix(text, "{") && !json.Valid([]byte(text)) {
			t.Errorf("%s %s: no JSON: %s", test.method, test.path, text)
		}
	}
	if code := stop(); code != 0 {
		t.Errorf("stopped with exit %d", code)
	}
	if connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
		connection.Close()
		t.Error("it still listens")
	}
}

func TestServeOffersTheServicesByItself(t *testing.T) {
	emcoURL, _ := clouds(t)
	url, _ := served(t, "--dcm", emcoURL, "--orchestrator", "http://127.0.0.1:1", "--timeout", "5s")
	if code, text := ask(t, "GET", url+"/probes/available-dcm", nil); code != http.StatusOK {
		t.Errorf("%d %s", code, text)
	}
	if code, text := ask(t, "GET", url+"/probes/available-clm", nil); code != http.StatusNotFound {
		t.Errorf("%d %s: nobody said where clm is", code, text)
	}
}

func TestServeTimeout(t *testing.T) {
	emcoURL, _ := clouds(t)
	url, _ := served(t, "--ingress", emcoURL, "--anchor", "projects/p/logical-clouds/hangs",
		"--offer", "hangs=status,call=logical-cloud.instantiate", "--timeout", "100ms")
	if code, text := ask(t, "GET", url+"/probes/hangs", nil); code != http.StatusServiceUnavailable || !strings.Contains(text, "no status gave a state") {
		t.Errorf("%d %s", code, text)
	}
}

func TestServeConcurrencyAndStop(t *testing.T) {
	emcoURL, hung := clouds(t)
	url, stop := served(t, "--ingress", emcoURL, "--anchor", "projects/p/logical-clouds/hangs",
		"--offer", "hangs=status,call=logical-cloud.instantiate", "--timeout", "1m", "--concurrency", "2")
	// Two callers come and stay.
	ctx, leave := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 2 {
		callers.Go(func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/probes/hangs", nil)
			if err != nil {
				t.Error(err)
				return
			}
			if response, err := http.DefaultClient.Do(request); err == nil {
				response.Body.Close()
			}
		})
	}
	<-hung
	<-hung
	if code, text := ask(t, "GET", url+"/probes/hangs", nil); code != http.StatusTooManyRequests || !strings.Contains(text, "too many probes run at once") {
		t.Errorf("%d %s", code, text)
	}
	// Their leaving ends their probes, and so the server stops at once.
	leave()
	callers.Wait()
	began := time.Now()
	if code := stop(); code != 0 || time.Since(began) > graceTime {
		t.Errorf("stopped with exit %d after %s", code, time.Since(began))
	}
}
