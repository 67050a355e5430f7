package controller

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A stopping server serves until the run under way has ended, and its clients
// hear that end.
func TestServerStopsAfterTheRun(t *testing.T) {
	donor := httptest.NewTLSServer(http.NotFoundHandler())
	certificate := donor.TLS.Certificates[0]
	roots := x509.NewCertPool()
	roots.AddCert(donor.Certificate())
	donor.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	idle := make(chan struct{})
	web := &server{
		listener: listener, idle: idle, log: slog.New(slog.DiscardHandler),
		certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil },
		handler: http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			if request.URL.Path == "/stream" {
				w.WriteHeader(http.StatusOK)
				w.(http.Flusher).Flush()
				<-idle
				if _, err := w.Write([]byte("end")); err != nil {
					t.Error(err)
				}
			}
		}),
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- web.Start(ctx) }()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}}}
	defer client.CloseIdleConnections()
	where := "https://" + listener.Addr().String()
	response, err := client.Get(where + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	stop()
	other, err := client.Get(where)
	if err != nil {
		t.Fatalf("while a run is under way it does not answer: %v", err)
	}
	other.Body.Close()
	select {
	case err := <-ended:
		t.Fatalf("it ended before the run, with %v", err)
	default:
	}
	close(idle)
	text := make([]byte, 3)
	if _, err := response.Body.Read(text); err != nil && string(text) != "end" {
		t.Errorf("the client heard %q, %v", text, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
