package emcoctl_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
)

// clientOf is a client of one server that stands for all of EMCO.
func clientOf(t *testing.T, url string) *emco.Client {
	t.Helper()
	client, err := emco.New(emco.Config{Endpoints: map[emco.Service]string{
		emco.Orchestrator: url, emco.DCM: url, emco.CLM: url,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestText(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v2/projects":
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, "{\"metadata\":{\"name\":\"p\"}}\n")
		case "/v2/projects/p/logical-clouds/l/instantiate":
			w.WriteHeader(http.StatusAccepted)
		case "/v2/projects/evil":
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "a\x1b[31m\r\nResponse Code: 202\u202e")
		case "/v2/controllers":
			connection, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				connection.Close()
			}
		}
	}))
	defer server.Close()
	client := clientOf(t, server.URL)
	for _, test := range []struct {
		request emco.Request
		want    string
	}{
		{emco.Post("projects"), "---\nPOST --> URL: URL/v2/projects\nResponse Code: 201\nResponse: {\"metadata\":{\"name\":\"p\"}}\n"},
		{
			emco.Post("projects/p/logical-clouds/l/instantiate"),
			"---\nPOST --> URL: URL/v2/projects/p/logical-clouds/l/instantiate\nResponse Code: 202\nAPI Response code 202. Waiting...\n",
		},
		{emco.Delete("projects/evil"), "---\nDELETE --> URL: URL/v2/projects/evil\nResponse Code: 500\nResponse: a [31m Response Code: 202\n"},
		{emco.Post("controllers"), "Post \"URL/v2/controllers\": EOF\n"},
	} {
		answer, err := client.Do(t.Context(), test.request)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(emcoctl.Text(answer), server.URL, "URL"); got != test.want {
			t.Errorf("%s %s:\n got %q\nwant %q", test.request.Method, test.request.Anchor, got, test.want)
		}
	}
}

func TestTextOfRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	answer, err := clientOf(t, "http://"+address).Do(t.Context(), emco.Post("projects"))
	if err != nil {
		t.Fatal(err)
	}
	words := `Post "http://` + address + `/v2/projects": dial tcp ` + address + ": connect: connection refused\n"
	if got := emcoctl.Text(answer); got != words {
		t.Errorf("got %q, want %q", got, words)
	}
	if got, want := emcoctl.ErrorText("Apply", "projects", answer), "Apply: projects Error: "+words; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
