// Package repeater stands in front of a service as a service mesh does that repeats
// requests by itself and tells nobody.
package repeater

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// every is how long it waits before it sends a request again.
const every = 50 * time.Millisecond

// New returns a reverse proxy that sends to a service what got no answer again, until
// the client gives up.
func New(service *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite:   func(request *httputil.ProxyRequest) { request.SetURL(service) },
		Transport: transport{&http.Transport{DisableKeepAlives: true}},
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
}

type transport struct{ http.RoundTripper }

func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		var err error
		if body, err = io.ReadAll(request.Body); err != nil {
			return nil, err
		}
	}
	for {
		request.Body = io.NopCloser(bytes.NewReader(body))
		response, err := t.RoundTripper.RoundTrip(request)
		if err == nil || request.Context().Err() != nil {
			return response, err
		}
		select {
		case <-time.After(every):
		case <-request.Context().Done():
			return nil, errors.Join(request.Context().Err(), err)
		}
	}
}
