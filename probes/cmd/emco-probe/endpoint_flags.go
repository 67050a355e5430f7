package main

import (
	"cmp"
	"errors"
	"maps"
	"time"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/access"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/spf13/cobra"
)

// endpoints holds the flags for which EMCO is asked, and what resources are made of.
type endpoints struct {
	config, target string // files
	client         emco.Config
	setup          probes.Setup
}

func (e *endpoints) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&e.config, "config", "", "emcoctl's configuration `FILE`")
	flags.StringVarP(&e.target, "target", "t", "", "emco-chaos's target `FILE`")
	e.client.Endpoints = map[emco.Service]string{}
	for _, service := range []emco.Service{emco.Orchestrator, emco.DCM, emco.CLM} {
		flags.Func(string(service), "the `URL` of "+string(service), func(url string) error {
			if url != "" {
				e.client.Endpoints[service] = url
			}
			return nil
		})
	}
	flags.StringVar(&e.client.Ingress, "ingress", "", "the `URL` of an ingress in front of EMCO")
	flags.StringVar(&e.setup.Rsync, "rsync", "", "`HOST:PORT` of rsync's gRPC port")
	flags.StringVar(&e.client.Token.Env, "token-env", "", "the `NAME` of the environment variable with the bearer token")
	flags.StringVar(&e.client.Token.File, "token-file", "", "the `FILE` with the bearer token")
	flags.StringVar(&e.client.CAFile, "ca", "", "the `FILE` with the certificate authority to trust")
	flags.StringVar(&e.setup.Kubeconfig, "kubeconfig", "", "the edge cluster's kubeconfig `FILE`, to register the cluster and to look at it")
}

// open makes a subject without names. Flags go before what the files say.
func (e *endpoints) open(timeout time.Duration, answered func(emco.Answer)) (probes.Subject, error) {
	read, _, err := access.Read(e.config, e.target)
	if err != nil {
		return probes.Subject{}, err
	}
	config, setup := read.Client, read.Setup
	config.Endpoints = maps.Collect(maps.All(config.Endpoints))
	maps.Copy(config.Endpoints, e.client.Endpoints)
	config.Ingress = cmp.Or(e.client.Ingress, config.Ingress)
	config.Token = cmp.Or(e.client.Token, config.Token)
	config.CAFile = cmp.Or(e.client.CAFile, config.CAFile)
	setup.Rsync = cmp.Or(e.setup.Rsync, setup.Rsync)
	setup.Kubeconfig = cmp.Or(e.setup.Kubeconfig, setup.Kubeconfig)
	if len(e.setup.Apps) > 0 {
		setup.Apps = e.setup.Apps
	}
	if len(config.Endpoints) == 0 && config.Ingress == "" {
		return probes.Subject{}, errors.New("no EMCO: name it with --config FILE (emcoctl's), with --target FILE, or with --orchestrator URL, --dcm URL, --clm URL or --ingress URL")
	}
	config.Timeout, config.Answered = timeout, answered
	client, err := emco.New(config)
	return probes.Subject{Client: client, Setup: setup}, err
}
