package drivertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

// Environment variables that make a process a test server; see [Serve].
const (
	// ListenVariable is the host:port to listen on.
	ListenVariable = "DRIVERTEST_LISTEN"
	// BackEndVariable is the host:port of the back end as the service is to
	// reach it. A process without it is the back end.
	BackEndVariable = "DRIVERTEST_BACK_END"
)

const (
	instancePath = "/instance"
	sendPath     = "/send"
	messagesPath = "/messages"
	crashPath    = "/crash"
)

// Serve makes this process a test server when its environment says so, and
// does not return then. A test binary calls it first in its TestMain, and is
// then a service and a back end for the suite as well.
//
// The back end counts the messages that it gets. The service has a name of
// its own in each process, and passes messages on to the back end.
func Serve() {
	listen := os.Getenv(ListenVariable)
	if listen == "" {
		return
	}
	if err := serve(listen, os.Getenv(BackEndVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(listen, backEnd string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	sdk.HoldLifeline()
	mux := http.NewServeMux()
	if backEnd == "" {
		serveBackEnd(mux)
	} else {
		serveService(mux, backEnd)
	}
	server := http.Server{Addr: listen, Handler: mux}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func serveBackEnd(mux *http.ServeMux) {
	var mu sync.Mutex
	received := map[string]int{}
	mux.HandleFunc("POST "+messagesPath+"/{message}", func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		received[r.PathValue("message")]++
	})
	mux.HandleFunc("GET "+messagesPath+"/{message}", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprint(w, received[r.PathValue("message")])
	})
}

func serveService(mux *http.ServeMux, backEnd string) {
	instance := rand.Text()
	mux.HandleFunc("GET "+instancePath, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, instance)
	})
	mux.HandleFunc("POST "+crashPath, func(http.ResponseWriter, *http.Request) { os.Exit(1) })
	mux.HandleFunc("POST "+sendPath+"/{message}", func(w http.ResponseWriter, r *http.Request) {
		// The message is on its way whether or not somebody still waits.
		ctx := context.WithoutCancel(r.Context())
		if _, err := ask(ctx, http.DefaultClient, http.MethodPost, backEnd+messagesPath+"/"+url.PathEscape(r.PathValue("message"))); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	})
}

// Outside asks the service and the back end from outside.
type Outside struct {
	// Service and BackEnd are their addresses, host:port. That of the back
	// end does not lead through what a partition holds.
	Service, BackEnd string
}

// Ask returns the name of the service's instance that answers.
func (o Outside) Ask(ctx context.Context) (string, error) {
	return ask(ctx, fresh, http.MethodGet, o.Service+instancePath)
}

// Send has the service send a message to the back end.
func (o Outside) Send(ctx context.Context, message string) error {
	_, err := ask(ctx, fresh, http.MethodPost, o.Service+sendPath+"/"+url.PathEscape(message))
	return err
}

// Crash has the service end; a service that is gone answers nothing.
func (o Outside) Crash(ctx context.Context) error {
	if _, err := ask(ctx, fresh, http.MethodPost, o.Service+crashPath); err == nil {
		return errors.New("the service answers, and has not crashed")
	}
	return nil
}

// Received is how often the back end has received a message.
func (o Outside) Received(ctx context.Context, message string) (int, error) {
	text, err := ask(ctx, fresh, http.MethodGet, o.BackEnd+messagesPath+"/"+url.PathEscape(message))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// fresh makes a connection for each request.
var fresh = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}

// ask makes one request, which no client repeats on its own, and returns the answer.
func ask(ctx context.Context, client *http.Client, method, at string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+at, strings.NewReader("message"))
	if err != nil {
		return "", err
	}
	request.GetBody = nil
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return string(body), err
}
