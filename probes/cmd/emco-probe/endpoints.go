package main

import (
	"errors"
	"maps"
	"time"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/access"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
)

// endpoints holds the flags that say which EMCO is asked, and what a probe that
// makes resources makes them of.
type endpoints struct {
	config     string
	target     string
	urls       map[emco.Service]*string
	ingress    string
	rsync      string
	tokenEnv   string
	tokenFile  string
	ca         string
	kubeconfig string
	apps       []string
}

func (a *endpoints) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&a.config, "config", "", "emcoctl's configuration `FILE`")
	flags.StringVarP(&a.target, "target", "t", "", "emco-chaos's target `FILE`")
	a.urls = map[emco.Service]*string{}
	for _, service := range []emco.Service{emco.Orchestrator, emco.DCM, emco.CLM} {
		a.urls[service] = flags.String(string(service), "", "the `URL` of "+string(service))
	}
	flags.StringVar(&a.ingress, "ingress", "", "the `URL` of an ingress in front of EMCO")
	flags.StringVar(&a.rsync, "rsync", "", "`HOST:PORT` of rsync's gRPC port")
	flags.StringVar(&a.tokenEnv, "token-env", "", "the `NAME` of the environment variable with the bearer token")
	flags.StringVar(&a.tokenFile, "token-file", "", "the `FILE` with the bearer token")
	flags.StringVar(&a.ca, "ca", "", "the `FILE` with the certificate authority to trust")
}

// making are the flags of probes that make resources.
func (a *endpoints) making(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&a.kubeconfig, "kubeconfig", "", "the edge cluster's kubeconfig `FILE`, for what registers a cluster")
	flags.StringSliceVar(&a.apps, "apps", nil, "the `NAMES` of the apps that are deployed")
}

// open makes the client and the setup. Flags go before what the files say.
func (a *endpoints) open(timeout time.Duration, answered func(emco.Answer)) (*emco.Client, probes.Setup, error) {
	config, setup, err := a.files()
	if err != nil {
		return nil, probes.Setup{}, err
	}
	urls := map[emco.Service]string{}
	maps.Copy(urls, config.Endpoints)
	for service, url := range a.urls {
		if *url != "" {
			urls[service] = *url
		}
	}
	config.Endpoints = urls
	if a.ingress != "" {
		config.Ingress = a.ingress
	}
	if a.tokenEnv != "" || a.tokenFile != "" {
		config.Token = emco.Secret{Env: a.tokenEnv, File: a.tokenFile}
	}
	if a.ca != "" {
		config.CAFile = a.ca
	}
	if a.rsync != "" {
		setup.Rsync = a.rsync
	}
	if a.kubeconfig != "" {
		setup.Kubeconfig = a.kubeconfig
	}
	if len(a.apps) > 0 {
		setup.Apps = a.apps
	}
	if len(setup.Apps) == 0 {
		setup.Apps = access.DefaultApps()
	}
	if len(config.Endpoints) == 0 && config.Ingress == "" {
		return nil, probes.Setup{}, errors.New("no EMCO: name it with --config FILE (emcoctl's), with --target FILE, or with --orchestrator URL, --dcm URL, --clm URL or --ingress URL")
	}
	config.Timeout = timeout
	config.Answered = answered
	client, err := emco.New(config)
	return client, setup, err
}

// files reads emcoctl's configuration or the target.
func (a *endpoints) files() (emco.Config, probes.Setup, error) {
	switch {
	case a.config != "" && a.target != "":
		return emco.Config{}, probes.Setup{}, errors.New("both --config and --target are given: keep one")
	case a.config != "":
		read, err := emcoctl.ReadConfig(a.config)
		return read.Client(), probes.Setup{Rsync: read.Rsync}, err
	case a.target != "":
		read, problems := target.Read(a.target)
		if err := problems.Err(); err != nil {
			return emco.Config{}, probes.Setup{}, err
		}
		reached, err := access.Of(read)
		return reached.Client, reached.Setup, err
	}
	return emco.Config{}, probes.Setup{}, nil
}
