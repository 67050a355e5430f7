package probes_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// blind sees nothing.
type blind struct{}

func (blind) Event(string, time.Time, map[string]string) {}
func (blind) Note(time.Time, string)                     {}
func (blind) Resource(probes.Resource)                   {}

func TestExists(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch r.URL.Path {
		case "/v2/projects/run-1":
			_, _ = io.WriteString(w, "{}")
		case "/v2/projects/none":
			http.Error(w, "Project not found", http.StatusNotFound)
		case "/v2/projects/router":
			http.NotFound(w, r)
		case "/v2/projects/late":
			if asked < 3 {
				http.Error(w, "db Find error", http.StatusInternalServerError)
			}
		default:
			http.Error(w, "broken", http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	client, err := emco.New(emco.Config{Ingress: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	names, err := emco.NewNames("run", 1)
	if err != nil {
		t.Fatal(err)
	}
	on := probes.Subject{Client: client, Names: names}
	for _, test := range []struct {
		anchor  string
		want    probes.Conclusion
		message string
	}{
		{"{project}", probes.Passed, "projects/run-1 is there"},
		{"projects/none", probes.Failed, "is not there: Project not found"},
		{"projects/router", probes.Errored, "404 page not found"},
		{"projects/late", probes.Passed, "projects/late is there"},
		{"projects/broken", probes.Failed, "EMCO did not say whether projects/broken is there"},
	} {
		asked = 0
		probe, err := probes.New("exists", map[string]any{"anchor": test.anchor})
		if err != nil {
			t.Fatal(err)
		}
		limit := 10 * time.Second
		if test.anchor == "projects/broken" {
			limit = 50 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		result := probe.Run(ctx, on, blind{})
		cancel()
		if result.Conclusion != test.want || !strings.Contains(result.Message, test.message) {
			t.Errorf("%s: %+v", test.anchor, result)
		}
	}
}

func TestExistsRefuses(t *testing.T) {
	for _, anchor := range []string{"{nothing}", "../x", "elsewhere/x"} {
		_, err := probes.New("exists", map[string]any{"anchor": anchor})
		if _, ok := errors.AsType[document.Problem](err); !ok {
			t.Errorf("%s: got %v", anchor, err)
		}
	}
}
