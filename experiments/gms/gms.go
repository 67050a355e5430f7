// Package gms has the application with which EMCO's resilience is tested, a
// web shop of twelve microservices, as files that EMCO's own command line and
// emco-chaos apply and delete.
package gms

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// The files that Write writes, in the order of their being applied.
const (
	ConfigFile        = "emco-cfg.yaml"
	ValuesFile        = "values.yaml"
	PrerequisitesFile = "prerequisites.yaml"
	DeploymentFile    = "deployment.yaml"
)

// Options say what the files are like.
type Options struct {
	// Apps are the apps to deploy; all of them if there is none.
	Apps []string
	// Endpoints are HOST:PORT of EMCO's microservices; else its chart's, on Host.
	Endpoints map[emco.Service]string
	// Host is where EMCO's microservices are; 127.0.0.1 if it is empty.
	Host string
	// Rsync is HOST:PORT of rsync's gRPC port as EMCO reaches it.
	Rsync string
	// Kubeconfig is the path of the edge cluster's kubeconfig, and becomes absolute.
	// If it is empty the files name edge.kubeconfig, beside them.
	Kubeconfig string
	Images     Images
}

// chartPorts are the NodePorts of EMCO's own chart.
var chartPorts = map[emco.Service]string{emco.Orchestrator: "30415", emco.DCM: "30477", emco.CLM: "30461", emco.Rsync: "30431"}

// Write writes the files into a folder, which it makes if need be. A file of
// the same name that is there already is an error: it may have been edited.
func Write(folder string, options Options) error {
	type service struct {
		Name, Host string
		Port       int
	}
	data := struct {
		Services   []service
		RsyncHost  string
		RsyncPort  int
		Kubeconfig string
		Apps       []string
	}{Kubeconfig: "edge.kubeconfig", Apps: options.Apps}
	if len(data.Apps) == 0 {
		data.Apps = Apps()
	}
	if options.Kubeconfig != "" {
		var err error
		if data.Kubeconfig, err = filepath.Abs(options.Kubeconfig); err != nil {
			return err
		}
	}
	for _, name := range emco.Services() {
		address := cmp.Or(options.Endpoints[name], net.JoinHostPort(cmp.Or(options.Host, "127.0.0.1"), chartPorts[name]))
		if name == emco.Rsync {
			address = cmp.Or(options.Rsync, address)
		}
		host, text, err := net.SplitHostPort(address)
		port, bad := strconv.Atoi(text)
		if err != nil || bad != nil {
			return fmt.Errorf("%s: %q is no address: write HOST:PORT", name, address)
		}
		data.Services = append(data.Services, service{string(name), host, port})
		if name == emco.Rsync {
			data.RsyncHost, data.RsyncPort = host, port
		}
	}

	contents := map[string][]byte{}
	for _, name := range []string{ConfigFile, ValuesFile, PrerequisitesFile, DeploymentFile} {
		text, err := embedded.ReadFile("files/" + name)
		// The resource files are templates themselves, for who applies them.
		if err == nil && (name == ConfigFile || name == ValuesFile) {
			text, err = fill(text, "{{", "}}", data)
		}
		if err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
		contents[name] = text
	}
	for i, name := range data.Apps {
		if slices.Contains(data.Apps[:i], name) {
			return fmt.Errorf("the app %s is named twice", name)
		}
		chart, err := Chart(name, options.Images)
		if err != nil {
			return err
		}
		contents[filepath.Join("charts", name+".tgz")] = chart
		contents[filepath.Join("profiles", name+"-profile.tgz")] = Profile(options.Images)
	}
	for name := range contents {
		if _, err := os.Lstat(filepath.Join(folder, name)); err == nil {
			return fmt.Errorf("%s is there already: name another folder, or remove it", filepath.Join(folder, name))
		}
	}
	for name, content := range contents {
		file := filepath.Join(folder, name)
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, content, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
