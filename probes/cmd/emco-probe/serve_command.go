package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/spf13/cobra"
)

// server holds the flags of emco-probe serve.
type server struct {
	endpoints   endpoints
	resources   resourceNames
	offers      []string
	listen      string
	limit       time.Duration
	concurrency int
}

// graceTime is how long probes that run may take when the server is told to stop.
const graceTime = 5 * time.Second

func newServe() *cobra.Command {
	s := &server{}
	command := &cobra.Command{
		Use:   "serve",
		Short: "Offer probes that change nothing over HTTP: 200 passed, 503 not, 429 busy",
		Long: `Offer probes that change nothing over HTTP, for what sees the code of an answer alone,
such as Chaos Mesh's StatusCheck. GET /probes lists what is offered, GET /probes/NAME
runs one: 200 passed, 503 not passed, 429 too many run at once, which says nothing of
EMCO; the body says more, as JSON. A caller can choose among what the server was started
with, and tell it nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	flags := command.Flags()
	s.endpoints.flags(command)
	s.resources.flags(command)
	flags.StringArrayVar(&s.offers, "offer", nil, "a probe to offer, as `NAME=PROBE,ARGUMENT=VALUE,...`; without any, available of each microservice")
	flags.StringVar(&s.listen, "listen", "127.0.0.1:9099", "the `ADDRESS` to listen on; other than on loopback everyone who reaches it may ask")
	flags.DurationVar(&s.limit, "timeout", 900*time.Millisecond, "how long one probe may take; Chaos Mesh's StatusCheck waits for 1s by default")
	flags.IntVar(&s.concurrency, "concurrency", 4, "how many probes may run at once; more are answered 429")
	return command
}

func (s *server) run(ctx context.Context, out io.Writer) error {
	if s.limit <= 0 || s.concurrency < 1 {
		return errors.New("--timeout and --concurrency must be more than 0")
	}
	subject, err := s.endpoints.open(s.limit, nil)
	if err != nil {
		return err
	}
	offers, err := s.all(subject)
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", s.listen)
	if err != nil {
		return toolError(fmt.Errorf("listen: %w", err))
	}

	base, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	listening := &http.Server{
		Handler:           newHandler(offers, s.limit, s.concurrency),
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      s.limit + 10*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	fmt.Fprintf(out, "listening on http://%s\n", listener.Addr())
	for _, one := range offers {
		fmt.Fprintf(out, "  /probes/%s: %s\n", one.Name, one.Kind)
	}
	served := make(chan error, 1)
	go func() { served <- listening.Serve(listener) }()
	select {
	case err := <-served:
		return toolError(err)
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(base, graceTime)
	defer cancel()
	if err = listening.Shutdown(limited); err != nil {
		end()
		err = listening.Close()
	}
	<-served
	return toolError(err)
}

// all are the offers of the command line; else available of each known service.
func (s *server) all(on probes.Subject) ([]offer, error) {
	texts := s.offers
	if len(texts) == 0 {
		for _, service := range emco.Services() {
			if on.Client.Reaches(service) || service == emco.Rsync && on.Setup.Rsync != "" {
				texts = append(texts, fmt.Sprintf("available-%s=available,service=%s", service, service))
			}
		}
	}
	var offers []offer
	for _, text := range texts {
		one, err := parseOffer(text, &s.resources, on)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(offers, func(o offer) bool { return o.Name == one.Name }) {
			return nil, fmt.Errorf("--offer %s: the name stands there twice; give each its own", one.Name)
		}
		offers = append(offers, one)
	}
	return offers, nil
}
