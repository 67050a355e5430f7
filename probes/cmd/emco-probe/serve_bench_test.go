package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asServer has this binary be emco-probe, in a process whose use can be measured.
const asServer = "EMCO_PROBE_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// BenchmarkServe asks a server for a thousand probes, each once a second, for ten
// seconds, and tells the cores and the memory that the server's process takes.
func BenchmarkServe(b *testing.B) {
	const offered, callers = 1000, 20
	emco := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	defer emco.Close()
	arguments := []string{"serve", "--listen", "127.0.0.1:0", "--ingress", emco.URL, "--concurrency", fmt.Sprint(callers)}
	for i := range offered {
		arguments = append(arguments, "--offer", fmt.Sprintf("p%d=exists,anchor=projects/p%d", i, i))
	}
	server := exec.CommandContext(b.Context(), os.Args[0], arguments...)
	server.Env = append(os.Environ(), asServer+"=1")
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGTERM) }
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		b.Fatal("the server said nothing")
	}
	url := strings.TrimPrefix(lines.Text(), "listening on ")
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines.Scan() {
			continue
		}
	})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	began := time.Now()
	for range b.N {
		var asking sync.WaitGroup
		for caller := range callers {
			asking.Go(func() {
				// Each caller has its share of the probes, spread over the second.
				pace := time.NewTicker(time.Second / (offered / callers))
				defer pace.Stop()
				for i := range 10 * offered / callers {
					response, err := client.Get(fmt.Sprintf("%s/probes/p%d", url, (i*callers+caller)%offered))
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, response.Body)
					if response.Body.Close(); response.StatusCode != http.StatusOK {
						b.Error(response.Status)
					}
					<-pace.C
				}
			})
		}
		asking.Wait()
	}
	took := time.Since(began)
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	reading.Wait()
	_ = server.Wait() // its signal is its error
	used := server.ProcessState.SysUsage().(*syscall.Rusage)
	b.ReportMetric((server.ProcessState.UserTime()+server.ProcessState.SystemTime()).Seconds()/took.Seconds(), "cores")
	b.ReportMetric(float64(used.Maxrss)/1024, "MiB")
	b.ReportMetric(float64(b.N*10*offered)/took.Seconds(), "probes/s")
}
