package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"gopkg.in/yaml.v3"
)

// target is what a probe needs of a target file. The rest of the file is for
// emco-chaos, which reads all of it strictly.
type target struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Spec       struct {
		Services map[string]struct {
			URL     string `yaml:"url"`
			Address string `yaml:"address"`
		} `yaml:"services"`
		Ingress struct {
			URL string `yaml:"url"`
		} `yaml:"ingress"`
		Credentials struct {
			Token secret `yaml:"token"`
			CA    secret `yaml:"ca"`
		} `yaml:"credentials"`
		Settings struct {
			Edge struct {
				Kubeconfig secret `yaml:"kubeconfig"`
			} `yaml:"edge"`
			Apps    []string `yaml:"apps"`
			Emcoctl struct {
				Config secret `yaml:"config"`
			} `yaml:"emcoctl"`
		} `yaml:"settings"`
	} `yaml:"spec"`
}

// secret is a reference to something outside of the file.
type secret struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

const targetBytes = 256 << 10

// readTarget reads how an EMCO is reached from emco-chaos's target file.
func readTarget(file string) (emco.Config, probes.Setup, error) {
	wrong := func(format string, args ...any) (emco.Config, probes.Setup, error) {
		return emco.Config{}, probes.Setup{}, fmt.Errorf("%s: %w", file, fmt.Errorf(format, args...))
	}
	about, err := os.Stat(file)
	if err != nil {
		return emco.Config{}, probes.Setup{}, fmt.Errorf("read the target: %w", err)
	}
	if !about.Mode().IsRegular() || about.Size() > targetBytes {
		return wrong("is no target file: it is no regular file, or larger than %d bytes", targetBytes)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return emco.Config{}, probes.Setup{}, fmt.Errorf("read the target: %w", err)
	}
	var read target
	if err := yaml.Unmarshal(text, &read); err != nil {
		// yaml.v3 repeats what stands in the file, where a secret could be.
		return wrong("cannot be read as a target; emco-chaos validate --target %s says where", file)
	}
	if read.APIVersion != "emco-chaos/v1" || read.Kind != "Target" {
		return wrong("is no target: it does not begin with apiVersion: emco-chaos/v1 and kind: Target")
	}
	place := func(name string) string {
		if name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(filepath.Dir(file), name)
	}

	spec := read.Spec
	config := emco.Config{
		Endpoints: map[emco.Service]string{},
		Ingress:   spec.Ingress.URL,
		Token:     emco.Secret{Env: spec.Credentials.Token.Env, File: place(spec.Credentials.Token.File)},
		CAFile:    place(spec.Credentials.CA.File),
	}
	setup := probes.Setup{
		Kubeconfig: place(spec.Settings.Edge.Kubeconfig.File),
		Rsync:      spec.Services[string(emco.Rsync)].Address,
		Apps:       slices.Clone(spec.Settings.Apps),
	}
	var users emcoctl.Config
	if name := spec.Settings.Emcoctl.Config.File; name != "" {
		if users, err = emcoctl.ReadConfig(place(name)); err != nil {
			return emco.Config{}, probes.Setup{}, err
		}
	}
	for _, service := range emco.RESTServices() {
		url := spec.Services[string(service)].URL
		if url == "" && config.Ingress == "" {
			url = users.Endpoints[service]
		}
		if url != "" {
			config.Endpoints[service] = url
		}
	}
	if config.Ingress == "" {
		config.Ingress = users.Ingress
	}
	if setup.Rsync == "" {
		setup.Rsync = users.Rsync
	}
	return config, setup, nil
}
