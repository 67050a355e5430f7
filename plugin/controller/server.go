package controller

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// stopLimit is how long clients may take to hear the end of the last run.
	stopLimit = 5 * time.Second
	// answerLimit is how long a request and its answer may take, but for those
	// who listen to a run.
	answerLimit = readLimit + 2*checkLimit + writeLimit
)

// server is the HTTP server of the API.
type server struct {
	listener net.Listener
	handler  http.Handler
	// certificate is nil when the server speaks plain HTTP.
	certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// idle is closed when no run is under way any more.
	idle <-chan struct{}
	log  *slog.Logger
}

// Start serves until ctx ends and the run under way has too: its clients hear
// its end.
func (s *server) Start(ctx context.Context) error {
	web := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: readLimit,
		// A body that never comes is waited for even after its refusal.
		ReadTimeout:    answerLimit,
		WriteTimeout:   answerLimit,
		IdleTimeout:    time.Minute,
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() {
		if s.certificate == nil {
			served <- web.Serve(s.listener)
			return
		}
		web.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.certificate}
		served <- web.ServeTLS(s.listener, "", "")
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serve the API: %w", err)
	case <-ctx.Done():
	}
	<-s.idle
	stopping, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	err := web.Shutdown(stopping)
	if errors.Is(err, context.DeadlineExceeded) {
		err = web.Close()
	}
	<-served
	return err
}
