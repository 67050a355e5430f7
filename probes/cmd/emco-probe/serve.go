package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/spf13/cobra"
)

// serving is one run of emco-probe serve.
type serving struct {
	endpoints endpoints
	naming    naming
	offers    []string
	listen    string
	limit     time.Duration
	at        int
	out       io.Writer
	errs      io.Writer
}

// graceTime is how long probes that run may still take when the server is
// told to stop.
const graceTime = 5 * time.Second

func newServe(out, errs io.Writer) *cobra.Command {
	s := &serving{out: out, errs: errs}
	command := &cobra.Command{
		Use:   "serve",
		Short: "Offer probes that change nothing over HTTP: 200 passed, 503 not",
		Long: "Offer probes that change nothing over HTTP, for what sees the code of an answer alone,\n" +
			"such as Chaos Mesh's StatusCheck. GET /probes lists what is offered, GET /probes/NAME\n" +
			"runs one: 200 passed, 503 for all else; the body says more, as JSON. A caller can choose\n" +
			"among what the server was started with, and tell it nothing.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context()) },
	}
	flags := command.Flags()
	s.endpoints.flags(command)
	s.naming.flags(command)
	flags.StringArrayVar(&s.offers, "offer", nil, "a probe to offer, as `NAME=PROBE,ARGUMENT=VALUE,...`; without any, available of each microservice")
	flags.StringVar(&s.listen, "listen", "127.0.0.1:9099", "the `ADDRESS` to listen on; other than on loopback everyone who reaches it may ask")
	flags.DurationVar(&s.limit, "timeout", 900*time.Millisecond, "how long one probe may take; Chaos Mesh's StatusCheck waits for 1s by default")
	flags.IntVar(&s.at, "concurrency", 4, "how many probes may run at once; more are answered 503")
	return command
}

func (s *serving) run(ctx context.Context) error {
	if s.limit <= 0 || s.at < 1 {
		return errors.New("--timeout and --concurrency must be more than 0")
	}
	client, setup, err := s.endpoints.open(s.limit, nil)
	if err != nil {
		return err
	}
	offers, err := s.all(probes.Subject{Client: client, Setup: setup})
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", s.listen)
	if err != nil {
		return broken(fmt.Errorf("listen: %w", err))
	}

	// Probes that run may end in peace when the server stops, but not for
	// ever.
	base, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	server := &http.Server{
		Handler:           newHandler(offers, s.limit, s.at),
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      s.limit + 10*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	fmt.Fprintf(s.out, "listening on http://%s\n", listener.Addr())
	for _, one := range offers {
		fmt.Fprintf(s.out, "  /probes/%s: %s\n", one.Name, one.Kind)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return broken(err)
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(base, graceTime)
	defer cancel()
	err = server.Shutdown(limited)
	if err != nil {
		end()
		err = server.Close()
	}
	<-served
	return broken(err)
}

// all are the offers of the command line, or the usual ones.
func (s *serving) all(on probes.Subject) ([]offer, error) {
	var offers []offer
	names := map[string]bool{}
	for _, text := range s.offers {
		one, err := parseOffer(text, &s.naming, on)
		if err != nil {
			return nil, err
		}
		if names[one.Name] {
			return nil, fmt.Errorf("--offer %s: the name stands there twice; give each its own", one.Name)
		}
		names[one.Name] = true
		offers = append(offers, one)
	}
	if len(s.offers) > 0 {
		return offers, nil
	}
	for _, service := range emco.Services() {
		if service == emco.Rsync && on.Setup.Rsync == "" {
			continue
		}
		if door, found := doors[service]; found {
			if _, err := on.Client.URL(emco.Get(door)); err != nil {
				continue // there is no way to it
			}
		}
		one, err := newOffer("available-"+string(service), "available", map[string]any{"service": string(service)}, &s.naming, on)
		if err != nil {
			return nil, err
		}
		offers = append(offers, one)
	}
	return offers, nil
}

// doors are paths that the microservices answer for.
var doors = map[emco.Service]string{
	emco.Orchestrator: "projects", emco.DCM: "projects/p/logical-clouds", emco.CLM: "cluster-providers",
}
