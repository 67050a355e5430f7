package controller

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	runs "github.com/emco-chaos/emco-chaos/plugin/run"
)

// certificate writes a certificate for example.com, and returns a client that
// trusts it.
func certificate(t *testing.T) (certificate, key string, client *http.Client) {
	t.Helper()
	donor := httptest.NewTLSServer(http.NotFoundHandler())
	defer donor.Close()
	private, err := x509.MarshalPKCS8PrivateKey(donor.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	certificate, key = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	for path, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: donor.Certificate().Raw}, key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(donor.Certificate())
	client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}}}
	t.Cleanup(client.CloseIdleConnections)
	return certificate, key, client
}

// A stopping controller serves until the run under way has ended, and its
// clients hear that end.
func TestServesUntilTheRunEnds(t *testing.T) {
	w := newWorld(t)
	ending, proceed := make(chan struct{}), make(chan struct{})
	w.runner.during = func(ctx context.Context, _ runs.Spec) error {
		<-ctx.Done()
		close(ending)
		<-proceed
		return nil
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := manager.New(&rest.Config{Host: "127.0.0.1:1"}, manager.Options{
		Logger: logr.Discard(), Metrics: metricsserver.Options{BindAddress: "0"}, GracefulShutdownTimeout: new(time.Duration(-1)),
	})
	if err != nil {
		t.Fatal(err)
	}
	file, key, client := certificate(t)
	if err := all.Add(w.queue); err != nil {
		t.Fatal(err)
	}
	if err := w.Controller.serve(all, Serving{Listen: address, Certificate: file, Key: key}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- all.Start(ctx) }()
	ask := func(method, path, body string) *http.Response {
		request, err := http.NewRequestWithContext(t.Context(), method, "https://"+address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+userToken)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { response.Body.Close() })
		return response
	}
	heard := bufio.NewReader(ask("POST", "/v1/runs", `{"experiment":"calm-kill"}`).Body)
	for line := ""; !strings.Contains(line, "run r1 of calm-kill"); {
		if line, err = heard.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	<-ending
	if response := ask("GET", "/v1/runs/r1", ""); response.StatusCode != http.StatusOK {
		t.Errorf("while a run ends it answers %d", response.StatusCode)
	}
	select {
	case err := <-ended:
		t.Fatalf("it ended before the run, with %v", err)
	default:
	}
	close(proceed)
	messages := stream(t, heard)
	if last := messages[len(messages)-1]; last.End == nil || last.End.Verdict != "Passed" {
		t.Errorf("the client heard last %+v", last)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
