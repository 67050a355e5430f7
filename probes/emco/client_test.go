package emco

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// newClient is a client whose microservices all are at one URL.
func newClient(t *testing.T, url string, change ...func(*Config)) *Client {
	t.Helper()
	config := Config{
		Endpoints: map[Service]string{Orchestrator: url, DCM: url, CLM: url},
		// A machine may be busy.
		DialTimeout: 10 * time.Second,
	}
	for _, c := range change {
		c(&config)
	}
	client, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// listen serves each connection to a port of its own by serve, until the
// test ends, and says where.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer connection.Close()
				serve(connection)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	return "http://" + listener.Addr().String()
}

// readRequest reads the head of a request and, if there is one, its body.
func readRequest(connection net.Conn) {
	buffer := make([]byte, 64<<10)
	var all []byte
	for !bytes.Contains(all, []byte("\r\n\r\n")) {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		all = append(all, buffer[:n]...)
	}
}

// reset closes a connection so that the other end sees a reset.
func reset(connection net.Conn) {
	_ = connection.(*net.TCPConn).SetLinger(0)
	connection.Close()
}

// refusing is a URL where nothing listens, nor will: its port is that of the
// calling end of a connection.
func refusing(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	connection, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return "http://" + connection.LocalAddr().String()
}

// hanging is a URL where a request is read and never answered.
func hanging(t *testing.T) string {
	return listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
}

func TestOutcomes(t *testing.T) {
	const say202 = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
	answer := func(text string) func(t *testing.T) string {
		return func(t *testing.T) string {
			return listen(t, func(c net.Conn) {
				readRequest(c)
				_, _ = io.WriteString(c, text)
			})
		}
	}
	untrusted := func(t *testing.T) string {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
		return server.URL
	}
	short := func(c *Config) { c.Timeout = 100 * time.Millisecond }
	all := []string{Started, Connected, Sent, FirstByte}

	for _, test := range []struct {
		name    string
		url     func(t *testing.T) string
		change  func(*Config)
		want    string
		words   string // one of several, separated by |
		sent    bool
		gateway bool
		moments []string
	}{
		{name: "202", url: answer(say202), want: "accepted", sent: true, moments: append(slices.Clone(all), WasAccepted)},
		{name: "500", url: answer("HTTP/1.1 500 x\r\nContent-Length: 2\r\n\r\nno"), want: "rejected 500", sent: true,
			moments: append(slices.Clone(all), WasRejected)},
		{name: "a redirect is not followed", url: answer("HTTP/1.1 307 x\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
			want: "rejected 307", sent: true, moments: append(slices.Clone(all), WasRejected)},
		{name: "refused", url: refusing, want: "refused", words: "connect: connection refused", moments: []string{Started, HasFailed}},
		{name: "closed after the request", url: answer(""), want: "connection-lost", words: "EOF", sent: true,
			moments: []string{Started, Connected, Sent, HasFailed}},
		{name: "reset after the request", want: "connection-lost", words: "connection reset by peer", sent: true,
			url:     func(t *testing.T) string { return listen(t, func(c net.Conn) { readRequest(c); reset(c) }) },
			moments: []string{Started, Connected, Sent, HasFailed}},
		{name: "closed in the middle of the answer's head", url: answer("HTTP/1.1 202 Acc"), want: "connection-lost", words: "EOF", sent: true,
			moments: append(slices.Clone(all), HasFailed)},
		{name: "closed in the middle of the body", url: answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
			want: "connection-lost", words: "EOF", sent: true, moments: append(slices.Clone(all), HasFailed)},
		{name: "no HTTP", url: answer("220 mail.example ESMTP\r\n"), want: "other", words: "malformed HTTP", sent: true,
			moments: append(slices.Clone(all), HasFailed)},
		{name: "hangs", url: hanging, change: short, want: "timeout", words: "deadline exceeded", sent: true,
			moments: []string{Started, Connected, Sent, HasFailed}},
		{name: "a name that does not resolve", url: func(*testing.T) string { return "http://x.invalid" }, want: "dns", words: "x.invalid",
			moments: []string{Started, HasFailed}},
		{name: "a certificate that is not trusted", url: untrusted, want: "tls", words: "certificate", moments: []string{Started, HasFailed}},
		{name: "TLS to a plain server", want: "tls", words: "does not look like a TLS handshake", moments: []string{Started, HasFailed},
			url: func(t *testing.T) string {
				return strings.Replace(listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 x\r\n\r\n") }), "http:", "https:", 1)
			}},
		{name: "closed during the handshake", want: "connection-lost", words: "EOF|reset", moments: []string{Started, HasFailed},
			url: func(t *testing.T) string {
				return strings.Replace(listen(t, func(c net.Conn) { c.Close() }), "http:", "https:", 1)
			}},
		{name: "a handshake that hangs", change: func(c *Config) { c.DialTimeout = 50 * time.Millisecond }, want: "timeout", words: "deadline exceeded",
			moments: []string{Started, HasFailed},
			url:     func(t *testing.T) string { return strings.Replace(hanging(t), "http:", "https:", 1) }},
		{name: "502 of EMCO", url: answer("HTTP/1.1 502 x\r\nContent-Length: 0\r\n\r\n"), want: "rejected 502", sent: true,
			moments: append(slices.Clone(all), WasRejected)},
		{name: "502 of an ingress", url: answer("HTTP/1.1 502 x\r\nContent-Length: 0\r\n\r\n"), change: behindIngress, want: "refused",
			words: "502 Bad Gateway", sent: true, gateway: true, moments: append(slices.Clone(all), HasFailed)},
		{name: "503 of an ingress", url: answer("HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"), change: behindIngress, want: "refused",
			words: "503", sent: true, gateway: true, moments: append(slices.Clone(all), HasFailed)},
		{name: "504 of an ingress", url: answer("HTTP/1.1 504 x\r\nContent-Length: 0\r\n\r\n"), change: behindIngress, want: "refused",
			words: "504", sent: true, gateway: true, moments: append(slices.Clone(all), HasFailed)},
		{name: "500 through an ingress", url: answer("HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n"), change: behindIngress, want: "rejected 500",
			sent: true, moments: append(slices.Clone(all), WasRejected)},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(test.name+"/"+method, func(t *testing.T) {
				t.Parallel()
				client := newClient(t, test.url(t))
				if test.change != nil {
					client = newClient(t, client.endpoints[DCM].base.String(), test.change)
				}
				var moments []string
				var last Moment
				got, err := client.Watch(t.Context(), Request{Method: method, Anchor: "projects/p"}, func(m Moment) {
					if m.At.Before(last.At) {
						t.Errorf("%s at %s is before %s at %s", m.Name, m.At, last.Name, last.At)
					}
					last = m
					moments = append(moments, m.Name)
				})
				if err != nil {
					t.Fatal(err)
				}
				if got.Outcome.String() != test.want {
					t.Errorf("outcome %q (%s), want %q", got.Outcome, got.Outcome.Words, test.want)
				}
				if !slices.ContainsFunc(strings.Split(test.words, "|"), func(w string) bool { return strings.Contains(got.Outcome.Words, w) }) {
					t.Errorf("words %q, want %q in them", got.Outcome.Words, test.words)
				}
				if got.Outcome.Sent != test.sent || got.Outcome.Gateway != test.gateway {
					t.Errorf("sent %t, gateway %t, want %t, %t", got.Outcome.Sent, got.Outcome.Gateway, test.sent, test.gateway)
				}
				if !slices.Equal(moments, test.moments) {
					t.Errorf("moments %v, want %v", moments, test.moments)
				}
				if last.Outcome != got.Outcome {
					t.Errorf("the last moment has outcome %+v, the answer %+v", last.Outcome, got.Outcome)
				}
			})
		}
	}
}

func behindIngress(c *Config) {
	c.Ingress = c.Endpoints[DCM]
	c.Endpoints = nil
}

// A connection that is closed before the request is written is lost too,
// whichever of the possible errors comes.
func TestConnectionClosedAtOnce(t *testing.T) {
	for _, shut := range []func(net.Conn){func(c net.Conn) { c.Close() }, reset} {
		url := listen(t, shut)
		for range 50 {
			answer, err := newClient(t, url).Do(t.Context(), Post("projects/p"))
			if err != nil {
				t.Fatal(err)
			}
			if answer.Outcome.Kind != ConnectionLost {
				t.Fatalf("outcome %s (%s), want %s", answer.Outcome, answer.Outcome.Words, ConnectionLost)
			}
		}
	}
}

// http.Transport closes a connection whose end it has read; a write that comes
// after that must not hide how it ended.
func TestWriteToAConnectionThatHasEnded(t *testing.T) {
	for _, test := range []struct {
		name string
		shut func(net.Conn) // after a byte
		read bool
		want error
	}{
		{"closed", func(c net.Conn) { c.Close() }, true, io.EOF},
		{"reset", reset, true, syscall.ECONNRESET},
		{"closed by the client", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, false, net.ErrClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := listen(t, func(c net.Conn) {
				_, _ = io.ReadFull(c, make([]byte, 1))
				test.shut(c)
			})
			connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			watched := &watchedConnection{Conn: connection, watch: newWatch(func(Moment) {})}
			if _, err := watched.Write([]byte("P")); err != nil {
				t.Fatal(err)
			}
			if test.read {
				if _, err := watched.Read(make([]byte, 1)); !errors.Is(err, test.want) {
					t.Fatalf("read: %v, want %v", err, test.want)
				}
			}
			watched.Close()
			if _, err := watched.Write([]byte("OST")); !errors.Is(err, test.want) {
				t.Errorf("write: %v, want %v", err, test.want)
			}
		})
	}
}

func TestGivenUpByTheCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	answer, err := newClient(t, hanging(t)).Watch(ctx, Post("projects/p"), func(m Moment) {
		if m.Name == Sent {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if answer.Outcome.Kind != Other || !answer.Outcome.Sent {
		t.Errorf("outcome %+v, want other and sent", answer.Outcome)
	}
}

// Go sends a GET again by itself when it fails on a connection that was used
// before. Each call must be seen by the server exactly once, and fail.
func TestNothingIsSentTwice(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		var connections, failing atomic.Int32
		url := listen(t, func(c net.Conn) {
			connections.Add(1)
			for {
				readRequest(c)
				if failing.Load() != 0 {
					return
				}
				// The server keeps the connection open, as HTTP/1.1 does.
				if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"); err != nil {
					return
				}
			}
		})
		client := newClient(t, url)
		request := Request{Method: method, Anchor: "projects"}
		if answer, err := client.Do(t.Context(), request); err != nil || answer.Outcome.Kind != Accepted {
			t.Fatalf("%s: %v, %v", method, answer, err)
		}
		failing.Store(1)
		before := connections.Load()
		answer, err := client.Do(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Outcome.Kind != ConnectionLost {
			t.Errorf("%s: outcome %s, want %s", method, answer.Outcome, ConnectionLost)
		}
		if n := connections.Load() - before; n != 1 {
			t.Errorf("%s: the server saw %d connections for one call, want 1", method, n)
		}
	}
}

// When Sent is told the whole request is on its way, whatever its size.
func TestSentMeansThatTheRequestHasLeft(t *testing.T) {
	for _, size := range []int{0, 1, 4 << 10, 70 << 10} {
		arrived := make(chan int, 1)
		release := make(chan struct{})
		url := listen(t, func(c net.Conn) {
			request, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				arrived <- -1
				return
			}
			n, _ := io.Copy(io.Discard, request.Body)
			arrived <- int(n)
			<-release
			_, _ = io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
		})
		request := Post("projects")
		body := 0
		if size > 0 {
			request.JSON = strings.Repeat("x", size)
			body = size + 2
		}
		var moments []string
		answer, err := newClient(t, url).Watch(t.Context(), request, func(m Moment) {
			moments = append(moments, m.Name)
			if m.Name == Sent {
				// The server can read it all while the client stands here.
				if n := <-arrived; n != body {
					t.Errorf("%d bytes arrived by the time of Sent, want %d", n, body)
				}
				close(release)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{Started, Connected, Sent, FirstByte, WasAccepted}; !slices.Equal(moments, want) || answer.Code != 201 {
			t.Errorf("size %d: moments %v, code %d", size, moments, answer.Code)
		}
	}
}

func TestRequestOnTheWire(t *testing.T) {
	var got *http.Request
	var form map[string]string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, form = r, map[string]string{}
		if r.ParseMultipartForm(1<<20) == nil {
			for name, values := range r.MultipartForm.Value {
				form[name] = values[0]
			}
			for name, files := range r.MultipartForm.File {
				file, err := files[0].Open()
				if err != nil {
					t.Error(err)
					return
				}
				content, _ := io.ReadAll(file)
				form[name] = files[0].Filename + ":" + string(content)
			}
		}
	}))
	defer server.Close()
	client := newClient(t, server.URL+"/emco/")

	request := Get("cluster-providers/p/clusters/c")
	request.Query = "label=x"
	if _, err := client.Do(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if got.Method != "GET" || got.URL.String() != "/emco/v2/cluster-providers/p/clusters/c?label=x" || got.Header.Get("Accept") != "application/json" {
		t.Errorf("got %s %s with %v", got.Method, got.URL, got.Header)
	}

	request = Post("cluster-providers/p/clusters")
	request.JSON = map[string]any{"metadata": map[string]string{"name": "c"}}
	request.File = &File{Name: "kubeconfig", Content: []byte("kind: Config")}
	if _, err := client.Do(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if form["metadata"] != `{"metadata":{"name":"c"}}` || form["file"] != "kubeconfig:kind: Config" {
		t.Errorf("form %v", form)
	}
}

func TestCA(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, server.URL, func(c *Config) { c.CAFile = file })
	var moments []string
	answer, err := client.Watch(t.Context(), Post("projects"), func(m Moment) { moments = append(moments, m.Name) })
	if err != nil {
		t.Fatal(err)
	}
	if answer.Outcome.Kind != Accepted || !slices.Equal(moments, []string{Started, Connected, Sent, FirstByte, WasAccepted}) {
		t.Errorf("%s, %v", answer, moments)
	}
}

func TestNewRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := map[Service]string{DCM: "http://192.0.2.1:9077"}
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{}, "no endpoint"},
		{Config{Ingress: "emco.example:443"}, "ingress: "},
		{Config{Ingress: "ftp://emco.example"}, "http://HOST:PORT"},
		{Config{Endpoints: map[Service]string{CLM: "http://emco.example/?a=b"}}, "clm: "},
		{Config{Endpoints: map[Service]string{CLM: "http://user:hunter2@emco.example"}}, "clm: the URL holds a user name"},
		{Config{Endpoints: map[Service]string{CLM: "http://user:hunter2@emco.example:x"}}, "clm: the URL cannot be parsed"},
		{Config{Endpoints: at, CAFile: filepath.Join(t.TempDir(), "none.pem")}, "read the CA file"},
		{Config{Endpoints: at, CAFile: empty}, "holds no certificate"},
		{Config{Endpoints: at, Token: Secret{Env: "A", File: "b"}}, "one of them"},
	} {
		_, err := New(test.config)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New(%+v): error %v, want %q in it", test.config, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestEndpoints(t *testing.T) {
	client, err := New(Config{Ingress: "https://emco.example/api", Endpoints: map[Service]string{CLM: "http://192.0.2.1:30461"}})
	if err != nil {
		t.Fatal(err)
	}
	for anchor, want := range map[string]string{
		"projects":                               "https://emco.example/api/v2/projects",
		"projects/p/logical-clouds/l":            "https://emco.example/api/v2/projects/p/logical-clouds/l",
		"cluster-providers/p/clusters":           "http://192.0.2.1:30461/v2/cluster-providers/p/clusters",
		"controllers":                            "https://emco.example/api/v2/controllers",
		"projects/p/composite-apps/a/v1/apps":    "https://emco.example/api/v2/projects/p/composite-apps/a/v1/apps",
		"/cluster-providers/":                    "http://192.0.2.1:30461/v2/cluster-providers",
		"projects/logical-clouds/composite-apps": "https://emco.example/api/v2/projects/logical-clouds/composite-apps",
	} {
		got, err := client.URL(Get(anchor))
		if err != nil || got != want {
			t.Errorf("URL(%s) = %s, %v, want %s", anchor, got, err, want)
		}
	}
	if !client.endpoints[DCM].ingress || client.endpoints[CLM].ingress {
		t.Error("dcm is behind the ingress, clm is not")
	}
	only, err := New(Config{Endpoints: map[Service]string{CLM: "http://192.0.2.1:30461"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := only.Do(t.Context(), Get("projects")); err == nil || !strings.Contains(err.Error(), "no endpoint of orchestrator") {
		t.Errorf("error %v", err)
	}
}

// The token is sent, and stands in nothing that could be shown.
func TestTokenStaysSecret(t *testing.T) {
	const canary = "canary-5f2c81"
	var header atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header.Store(r.Header.Get("Authorization"))
		// Some servers repeat what they were sent.
		http.Error(w, "bad token "+r.Header.Get("Authorization"), http.StatusUnauthorized)
	}))
	defer server.Close()
	repeating := listen(t, func(c net.Conn) { readRequest(c); _, _ = io.WriteString(c, "HTTP/1.1 "+canary+"\r\n\r\n") })
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EMCO_TEST_TOKEN", canary)

	for _, secret := range []Secret{{Env: "EMCO_TEST_TOKEN"}, {File: file}} {
		for _, url := range []string{server.URL, refusing(t), repeating} {
			client := newClient(t, url, func(c *Config) { c.Token = secret })
			var told []Moment
			answer, err := client.Watch(t.Context(), Post("projects"), func(m Moment) { told = append(told, m) })
			if err != nil {
				t.Fatal(err)
			}
			all, err := json.Marshal([]any{answer, told, secret.String(), answer.String(), string(answer.Body)})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(all), canary) {
				t.Errorf("%s: the token is shown: %s", secret, all)
			}
		}
		if header.Load() != "Bearer "+canary {
			t.Errorf("%s: the server was sent %q", secret, header.Load())
		}
	}

	for _, secret := range []Secret{{Env: "EMCO_TEST_NO_TOKEN"}, {File: file + ".none"}} {
		_, err := newClient(t, server.URL, func(c *Config) { c.Token = secret }).Do(t.Context(), Get("projects"))
		if err == nil {
			t.Errorf("%s: no error", secret)
		}
	}
	t.Setenv("EMCO_TEST_TOKEN", canary+"\x01x")
	_, err := newClient(t, server.URL, func(c *Config) { c.Token = Secret{Env: "EMCO_TEST_TOKEN"} }).Do(t.Context(), Get("projects"))
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("error %v", err)
	}
}

func TestBodyIsBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 2*readBytes))
	}))
	defer server.Close()
	answer, err := newClient(t, server.URL).Do(t.Context(), Get("projects"))
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Body) != readBytes || !answer.Cut || len(answer.Text()) > 512+len("…") {
		t.Errorf("body of %d bytes, cut %t, text of %d", len(answer.Body), answer.Cut, len(answer.Text()))
	}
	if _, err := answer.Status(); !errors.Is(err, ErrNoStatus) {
		t.Errorf("error %v", err)
	}
}

// A server that answers when it has read the head of the request, and reads
// no more of it, does not keep the client.
func TestAnswerBeforeTheRequestHasLeft(t *testing.T) {
	done := make(chan struct{})
	url := listen(t, func(c net.Conn) {
		readRequest(c)
		_, _ = io.WriteString(c, "HTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n")
		<-done
	})
	defer close(done)
	request := Post("projects")
	request.JSON = strings.Repeat("x", 16<<20)
	var moments []string
	answer, err := newClient(t, url).Watch(t.Context(), request, func(m Moment) { moments = append(moments, m.Name) })
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{Started, Connected, FirstByte, WasRejected}; !slices.Equal(moments, want) || answer.Outcome.Sent {
		t.Errorf("moments %v, want %v; %+v", moments, want, answer.Outcome)
	}
}

// A request that does not leave, because the server reads nothing, ends when
// its time is up.
func TestRequestThatDoesNotLeave(t *testing.T) {
	done := make(chan struct{})
	url := listen(t, func(net.Conn) { <-done })
	defer close(done)
	request := Post("projects")
	request.JSON = strings.Repeat("x", 16<<20)
	client := newClient(t, url, func(c *Config) { c.Timeout = 200 * time.Millisecond })
	answer, err := client.Do(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Outcome.Kind != Timeout || answer.Outcome.Sent {
		t.Errorf("%+v", answer.Outcome)
	}
}
