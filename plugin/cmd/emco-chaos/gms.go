package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"

	"github.com/emco-chaos/emco-chaos/experiments/gms"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/spf13/cobra"
)

func newGMS(s *session) *cobra.Command {
	var folder string
	var options gms.Options
	command := &cobra.Command{
		Use:   "gms --dir DIRECTORY",
		Short: "Write the GMS application as emcoctl's resource files",
		Long: "Write the GMS application, twelve microservices of a web shop, as files for\n" +
			"emcoctl and for emco-chaos apply: " + gms.ConfigFile + ", " + gms.ValuesFile + ", " + gms.PrerequisitesFile + ",\n" +
			gms.DeploymentFile + ", and a Helm chart and a profile for each app.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if folder == "" {
				return errors.New("no folder: name it with --dir DIRECTORY")
			}
			if s.target != "" {
				if err := s.gmsTarget(&options); err != nil {
					return err
				}
			}
			if err := gms.Write(folder, options); err != nil {
				return failure(err)
			}
			fmt.Fprintf(s.out, "the GMS application is in %s: look through %s and %s, then apply %s and %s\n",
				folder, gms.ConfigFile, gms.ValuesFile, gms.PrerequisitesFile, gms.DeploymentFile)
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVar(&folder, "dir", "", "the `DIRECTORY` to write into")
	flags.StringSliceVar(&options.Apps, "apps", nil, "the `NAMES` of the apps to deploy; else all")
	flags.StringVar(&options.Host, "host", "127.0.0.1", "the `HOST` where the ports of EMCO's chart are, if there is no target")
	flags.StringVar(&options.Rsync, "rsync", "", "where EMCO reaches rsync's gRPC port, `HOST:PORT`")
	flags.StringVar(&options.Kubeconfig, "kubeconfig", "", "the edge cluster's kubeconfig `FILE`")
	flags.StringVar(&options.Images.Prefix, "images", "", "the `PREFIX` of the apps' container images; without it the apps have no replica")
	flags.StringVar(&options.Images.Tag, "tag", "", "the `TAG` of the apps' container images")
	return command
}

// gmsTarget takes from the target what the flags leave open.
func (s *session) gmsTarget(options *gms.Options) error {
	target, reached, err := s.access()
	if err != nil {
		return err
	}
	options.Endpoints = map[emco.Service]string{}
	for service, text := range reached.Client.Endpoints {
		address, err := url.Parse(text)
		if err != nil || address.Scheme != "http" || address.Port() == "" || address.Path != "" {
			return fmt.Errorf("target %s: emcoctl has no way to name %s's %s: it takes http://HOST:PORT alone", target.Name, service, text)
		}
		options.Endpoints[service] = address.Host
	}
	options.Rsync = cmp.Or(options.Rsync, reached.Setup.Rsync)
	options.Kubeconfig = cmp.Or(options.Kubeconfig, reached.Setup.Kubeconfig)
	return nil
}
