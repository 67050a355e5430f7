package controller

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// answerLimit is how long a request and its answer may take, but for those who
// listen to a run.
const answerLimit = readLimit + 2*checkLimit + writeLimit

// serve has the manager serve the API. It stops servers after all else, so that
// clients hear the end of the run under way.
func (c *Controller) serve(all manager.Manager, serving Serving) error {
	listener, err := net.Listen("tcp", serving.Listen)
	if err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	if serving.Certificate != "" {
		certificate, err := certwatcher.New(serving.Certificate, serving.Key)
		if err != nil {
			return fmt.Errorf("read the API's certificate: %w", err)
		}
		if err := all.Add(certificate); err != nil {
			return err
		}
		listener = tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.GetCertificate})
	}
	// So long clients may take to hear that.
	stopLimit := 5 * time.Second
	return all.Add(&manager.Server{Name: "api", Server: c.server(), Listener: listener, ShutdownTimeout: &stopLimit})
}

// server returns the HTTP server of the API.
func (c *Controller) server() *http.Server {
	return &http.Server{
		Handler:           c.handler.routes(),
		ReadHeaderTimeout: readLimit,
		// A body that never comes is waited for even after its refusal.
		ReadTimeout:    answerLimit,
		WriteTimeout:   answerLimit,
		IdleTimeout:    time.Minute,
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       slog.NewLogLogger(c.handler.Log.Handler(), slog.LevelDebug),
	}
}
