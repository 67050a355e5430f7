package main

import (
	"cmp"
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
	read, err := e.files()
	if err != nil {
		return probes.Subject{}, err
	}
	config, setup := read.Client, read.Setup
	urls := map[emco.Service]string{}
	maps.Copy(urls, config.Endpoints)
	maps.Copy(urls, e.client.Endpoints)
	config.Endpoints = urls
	config.Ingress = cmp.Or(e.client.Ingress, config.Ingress)
	config.Token = cmp.Or(e.client.Token, config.Token)
	config.CAFile = cmp.Or(e.client.CAFile, config.CAFile)
	setup.Rsync = cmp.Or(e.setup.Rsync, setup.Rsync)
	setup.Kubeconfig = cmp.Or(e.setup.Kubeconfig, setup.Kubeconfig)
	for _, apps := range [][]string{access.DefaultApps(), setup.Apps, e.setup.Apps} {
		if len(apps) > 0 {
			setup.Apps = apps
		}
	}
	if len(config.Endpoints) == 0 && config.Ingress == "" {
		return probes.Subject{}, errors.New("no EMCO: name it with --config FILE (emcoctl's), with --target FILE, or with --orchestrator URL, --dcm URL, --clm URL or --ingress URL")
	}
	config.Timeout, config.Answered = timeout, answered
	client, err := emco.New(config)
	return probes.Subject{Client: client, Setup: setup}, err
}

// files reads emcoctl's configuration or the target.
func (e *endpoints) files() (access.Access, error) {
	switch {
	case e.config != "" && e.target != "":
		return access.Access{}, errors.New("both --config and --target are given: keep one")
	case e.config != "":
		read, err := emcoctl.ReadConfig(e.config)
		return access.Access{Client: read.Config, Setup: probes.Setup{Rsync: read.Rsync}}, err
	case e.target != "":
		read, problems := target.Read(e.target)
		if err := problems.Err(); err != nil {
			return access.Access{}, err
		}
		return access.Of(read)
	}
	return access.Access{}, nil
}
