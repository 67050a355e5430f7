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
	"slices"
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

// triggerOptions are the flags of trigger.
type triggerOptions struct {
	server, tokenFile, caFile string
	workflow                  string
	set                       parameters
	wait                      bool
	timeout                   time.Duration
}

func newTrigger(s *session) *cobra.Command {
	var options triggerOptions
	command := &cobra.Command{
		Use:   "trigger NAME",
		Short: "Ask the controller in a cluster to run an experiment",
		Long: `Ask the controller in a cluster to run an experiment. With --wait the run's
timeline is printed as it goes on, and the exit code is that of the verdict:
0 passed, 1 failed, 3 inconclusive, 4 error. The run is the controller's own: it
goes on when this command is interrupted.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.trigger(cmd.Context(), options, args[0]) },
	}
	flags := command.Flags()
	flags.StringVar(&options.server, "server", os.Getenv(serverEnv), "the controller's `URL`; else $"+serverEnv)
	flags.StringVar(&options.tokenFile, "token-file", os.Getenv(tokenFileEnv), "the `FILE` with the token of a service account that may ask for runs; else $"+
		tokenFileEnv)
	flags.StringVar(&options.caFile, "ca", os.Getenv(caFileEnv), "the `FILE` with the certificate authority of the controller; else $"+caFileEnv+", else the system's")
	flags.StringVar(&options.workflow, "workflow", "", "the Workflow that asks, as `NAMESPACE/NAME`; else $"+workflowNamespaceEnv+" and $"+workflowEnv)
	options.set.flag(command, "a parameter of the experiment, as `NAME=VALUE`")
	flags.BoolVar(&options.wait, "wait", false, "print what happens, and exit with the verdict's code")
	flags.DurationVar(&options.timeout, "timeout", time.Hour, "how long all of it may take, the controller's queue included")
	return command
}

// trigger asks for a run.
func (s *session) trigger(ctx context.Context, options triggerOptions, experiment string) error {
	request := api.Request{Experiment: experiment, Key: rand.Text(), Parameters: options.set}
	var err error
	if request.Workflow, err = options.origin(); err != nil {
		return err
	}
	client, err := options.client()
	if err != nil {
		return err
	}
	client.Note = linesTo(s.errs)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, options.timeout, fmt.Errorf("the run has not ended within %v", options.timeout))
	defer cancel()
	if !options.wait {
		name, err := client.Ask(ctx, request)
		if err != nil {
			return refused(err)
		}
		fmt.Fprintf(s.out, "run %s of %s has been taken in\n", name, experiment)
		return nil
	}
	name := ""
	end, err := client.Run(ctx, request, func(message api.Message) {
		name = message.Run
		switch {
		case message.Kind == api.Queued && message.Position == 0:
			fmt.Fprintf(s.out, "run %s is the next one\n", name)
		case message.Kind == api.Queued:
			fmt.Fprintf(s.out, "run %s waits, %d before it\n", name, message.Position)
		case message.Kind == api.Waiting, message.Kind == api.Line:
			fmt.Fprintln(s.out, message.Text)
		}
	})
	switch {
	case err != nil && name != "":
		return failure(fmt.Errorf("%w; if run %s has not ended it goes on: GET %s tells", err, name, client.Server.JoinPath("v1", "runs", name)))
	case err != nil:
		return refused(err)
	case end.Report != "":
		fmt.Fprintf(s.out, "\n%s", end.Report)
	default:
		fmt.Fprintf(s.out, "%s: %s: %s\n", experiment, strings.ToUpper(end.Verdict), end.Reason)
	}
	if end.ExitCode != 0 {
		return &exitError{code: end.ExitCode}
	}
	return nil
}

// refused gives mistakes in what was asked for another exit code than trouble.
func refused(err error) error {
	status, ok := errors.AsType[*api.StatusError](err)
	if ok && slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity}, status.Code) {
		return err
	}
	return failure(err)
}

// origin returns the Workflow that asks; nil when none does.
func (o *triggerOptions) origin() (*api.Workflow, error) {
	named := o.workflow
	if name := os.Getenv(workflowEnv); named == "" && name != "" {
		named = os.Getenv(workflowNamespaceEnv) + "/" + name
	}
	if named == "" {
		return nil, nil
	}
	namespace, name, _ := strings.Cut(named, "/")
	if namespace == "" || name == "" {
		return nil, fmt.Errorf("--workflow %s: write --workflow NAMESPACE/NAME", named)
	}
	return &api.Workflow{Namespace: namespace, Name: name}, nil
}

func (o *triggerOptions) client() (*api.Client, error) {
	if o.server == "" {
		return nil, fmt.Errorf("no controller: give its URL with --server or in %s", serverEnv)
	}
	server, err := url.Parse(o.server)
	if err != nil || server.Host == "" || server.Scheme != "https" && server.Scheme != "http" {
		return nil, fmt.Errorf("--server %s: write a URL such as https://emco-chaos.emco-chaos.svc:8443", o.server)
	}
	if o.tokenFile == "" {
		return nil, fmt.Errorf("no token: name its file with --token-file or in %s", tokenFileEnv)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = time.Minute
	if o.caFile != "" {
		pem, err := os.ReadFile(o.caFile)
		if err != nil {
			return nil, fmt.Errorf("read the controller's certificate authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca %s: it has no certificate in PEM", o.caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &api.Client{
		Server: server,
		HTTP:   &http.Client{Transport: transport},
		Token: func() (string, error) {
			text, err := os.ReadFile(o.tokenFile)
			if err != nil {
				return "", fmt.Errorf("read the token: %w", err)
			}
			return strings.TrimSpace(string(text)), nil
		},
	}, nil
}
