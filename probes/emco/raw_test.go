package emco

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
)

// A raw request goes as it is: no JSON is made of it, and no header is added
// but the token and the client's name.
func TestRaw(t *testing.T) {
	t.Parallel()
	const body = `{"metadata":`
	token := "a-token-of-the-test"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if err != nil || string(content) != body {
			t.Errorf("%q, %v was sent, want %q", content, err, body)
		}
		want := []string{"Authorization", "Connection", "Content-Length", "Content-Type", "User-Agent"}
		got := slices.Sorted(maps.Keys(r.Header))
		// What the transport itself adds says nothing of what is accepted.
		got = slices.DeleteFunc(got, func(name string) bool { return name == "Accept-Encoding" })
		if !slices.Equal(got, want) || r.Header.Get("Content-Type") != "text/x" || r.Header.Get("Authorization") != "Bearer "+token {
			t.Errorf("headers %v, want %v", r.Header, want)
		}
	}))
	t.Cleanup(server.Close)
	file := t.TempDir() + "/token"
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Ingress: server.URL, Token: Secret{File: file}})
	if err != nil {
		t.Fatal(err)
	}
	request := Post("projects")
	request.JSON = "not this"
	request.Raw = &Raw{Header: http.Header{"Content-Type": {"text/x"}}, Body: []byte(body)}
	if answer, err := c.Do(t.Context(), request); err != nil || answer.Code != http.StatusOK {
		t.Errorf("%s, %v", answer, err)
	}
}
