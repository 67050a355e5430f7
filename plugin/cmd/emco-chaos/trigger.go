package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/spf13/cobra"
)

// Environment variables that stand in for flags: a Task of a Workflow gets them
// from its pod.
const (
	serverEnv            = "EMCO_CHAOS_SERVER"
	tokenFileEnv         = "EMCO_CHAOS_TOKEN_FILE"
	caFileEnv            = "EMCO_CHAOS_CA_FILE"
	workflowEnv          = "EMCO_CHAOS_WORKFLOW"
	workflowNamespaceEnv = "EMCO_CHAOS_WORKFLOW_NAMESPACE"
)

// triggering says what is asked of which controller.
type triggering struct {
	server, tokenFile, caFile string
	workflow                  string
	set                       parameters
	wait                      bool
	timeout                   time.Duration
}

func newTrigger(s *session) *cobra.Command {
	var how triggering
	command := &cobra.Command{
		Use:   "trigger NAME",
		Short: "Ask the controller in a cluster to run an experiment",
		Long: `Ask the controller in a cluster to run an experiment. With --wait the run's
timeline is printed as it goes on, and the exit code is that of the verdict:
0 passed, 1 failed, 3 inconclusive, 4 error. The run is the controller's own: it
goes on when this command is interrupted.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.trigger(cmd.Context(), how, args[0]) },
	}
	flags := command.Flags()
	flags.StringVar(&how.server, "server", os.Getenv(serverEnv), "the controller's `URL`; else $"+serverEnv)
	flags.StringVar(&how.tokenFile, "token-file", os.Getenv(tokenFileEnv), "the `FILE` with the token of a service account that may ask for runs; else $"+tokenFileEnv)
	flags.StringVar(&how.caFile, "ca", os.Getenv(caFileEnv), "the `FILE` with the certificate authority of the controller; else $"+caFileEnv+", else the system's")
	flags.StringVar(&how.workflow, "workflow", "", "the Workflow that asks, as `NAMESPACE/NAME`; else $"+workflowNamespaceEnv+" and $"+workflowEnv)
	flags.Var(&how.set, "set", "a parameter of the experiment, as `NAME=VALUE`")
	flags.BoolVar(&how.wait, "wait", false, "print what happens, and exit with the verdict's code")
	flags.DurationVar(&how.timeout, "timeout", time.Hour, "how long all of it may take, the controller's queue included")
	return command
}

// trigger asks for a run.
func (s *session) trigger(ctx context.Context, how triggering, experiment string) error {
	request, err := how.request(experiment)
	if err != nil {
		return err
	}
	client, err := how.client()
	if err != nil {
		return err
	}
	client.Note = func(text string) { fmt.Fprintln(s.errs, text) }
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, how.timeout, fmt.Errorf("the run has not ended within %v", how.timeout))
	defer cancel()
	if !how.wait {
		name, err := client.Ask(ctx, request)
		if err != nil {
			return asked(err)
		}
		fmt.Fprintf(s.out, "run %s of %s has been taken in\n", name, experiment)
		return nil
	}
	name := ""
	end, err := client.Run(ctx, request, func(message api.Message) {
		name = message.Run
		s.tell(message)
	})
	switch {
	case err != nil && name != "":
		return failure(fmt.Errorf("%w; if run %s has not ended it goes on: GET %s tells", err, name, client.Server.JoinPath("v1", "runs", name)))
	case err != nil:
		return asked(err)
	}
	if end.Report != "" {
		fmt.Fprintf(s.out, "\n%s", end.Report)
	} else {
		fmt.Fprintf(s.out, "%s: %s: %s\n", experiment, strings.ToUpper(end.Verdict), end.Reason)
	}
	if end.ExitCode != 0 {
		return &exitError{code: end.ExitCode}
	}
	return nil
}

// tell prints a message of the controller.
func (s *session) tell(message api.Message) {
	switch message.Kind {
	case api.Queued:
		if message.Position == 0 {
			fmt.Fprintf(s.out, "run %s is the next one\n", message.Run)
			return
		}
		fmt.Fprintf(s.out, "run %s waits, %d before it\n", message.Run, message.Position)
	case api.Waiting, api.Line:
		fmt.Fprintln(s.out, message.Text)
	}
}

// asked tells mistakes in what was asked for from all else.
func asked(err error) error {
	if status, ok := errors.AsType[*api.StatusError](err); ok {
		switch status.Code {
		case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
			return err
		}
	}
	return failure(err)
}

func (how *triggering) request(experiment string) (api.Request, error) {
	request := api.Request{Experiment: experiment, Key: rand.Text(), Parameters: how.set}
	named := how.workflow
	if name := os.Getenv(workflowEnv); named == "" && name != "" {
		named = os.Getenv(workflowNamespaceEnv) + "/" + name
	}
	if named == "" {
		return request, nil
	}
	namespace, name, found := strings.Cut(named, "/")
	if !found || namespace == "" || name == "" {
		return request, fmt.Errorf("--workflow %s: write --workflow NAMESPACE/NAME", named)
	}
	request.Workflow = &api.Workflow{Namespace: namespace, Name: name}
	return request, nil
}

func (how *triggering) client() (*api.Client, error) {
	if how.server == "" {
		return nil, fmt.Errorf("no controller: give its URL with --server or in %s", serverEnv)
	}
	server, err := url.Parse(how.server)
	if err != nil || server.Host == "" || server.Scheme != "https" && server.Scheme != "http" {
		return nil, fmt.Errorf("--server %s: write a URL such as https://emco-chaos.emco-chaos.svc:8443", how.server)
	}
	if how.tokenFile == "" {
		return nil, fmt.Errorf("no token: name its file with --token-file or in %s", tokenFileEnv)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = time.Minute
	if how.caFile != "" {
		pem, err := os.ReadFile(how.caFile)
		if err != nil {
			return nil, fmt.Errorf("read the controller's certificate authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca %s: it has no certificate in PEM", how.caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &api.Client{
		Server: server,
		HTTP:   &http.Client{Transport: transport},
		Token: func() (string, error) {
			text, err := os.ReadFile(how.tokenFile)
			if err != nil {
				return "", fmt.Errorf("read the token: %w", err)
			}
			return strings.TrimSpace(string(text)), nil
		},
	}, nil
}
