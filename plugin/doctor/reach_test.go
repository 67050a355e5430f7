package doctor

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAnyAnswerCounts(t *testing.T) {
	tests := []struct {
		code int
		want string
	}{{200, "200 OK"}, {404, "404 Not Found"}, {500, "500 Internal Server Error"}, {302, "302 Found"}}
	for _, test := range tests {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://192.0.2.1/")
			w.WriteHeader(test.code)
		}))
		answer, err := AnyAnswer(t.Context(), server.URL)
		server.Close()
		if err != nil || !strings.Contains(answer, test.want) {
			t.Errorf("%d: got %q, %v", test.code, answer, err)
		}
	}
}

func TestNoAnswerIsAnError(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	if answer, err := AnyAnswer(t.Context(), server.URL); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %q, %v", answer, err)
	}
}
