package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/emco-chaos/emco-chaos/probes/emcotest"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/orchestrator"
)

// gmsApps are the apps of the GMS application, the two that are enough for most tests first.
var gmsApps = []string{
	"adservice", "currencyservice", "checkoutservice", "emailservice", "paymentservice", "recommendationservice",
	"frontend", "productcatalogservice", "cartservice", "redis", "shippingservice", "loadgenerator",
}

// clusterOptions are the flags of the command cluster.
type clusterOptions struct {
	directory    string
	apps         int
	appTime      time.Duration
	restartAfter time.Duration
	storeTimeout time.Duration
	retry        time.Duration
	bugs         []string
	token        string
}

func clusterCommand() *cobra.Command {
	var options clusterOptions
	command := &cobra.Command{
		Use:   "cluster",
		Short: "Write the files that describe an emulated EMCO of processes and links on this machine",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			files, err := writeCluster(options)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), "wrote", files)
			return err
		},
	}
	flags := command.Flags()
	required(command, &options.directory, "dir", "folder for cluster.yaml, target.yaml, edge.kubeconfig and data")
	flags.IntVar(&options.apps, "apps", 2, fmt.Sprintf("number of GMS apps, 1 to %d", len(gmsApps)))
	flags.DurationVar(&options.appTime, "app-time", orchestrator.DefaultAppTime, "time to resolve and write one app")
	flags.DurationVar(&options.restartAfter, "restart-after", time.Second, "delay before a killed process is started again")
	flags.DurationVar(&options.storeTimeout, "store-timeout", docstore.DefaultTimeout, "time after which a missing document store is given up")
	flags.DurationVar(&options.retry, "retry", 500*time.Millisecond, "time between rsync's attempts to reach the edge")
	bugFlag(command, &options.bugs)
	flags.StringVar(&options.token, "token", "", "bearer token that the services demand")
	return command
}

// pod is one process.
type pod struct {
	Name         string            `yaml:"name"`
	Labels       map[string]string `yaml:"labels,omitempty,flow"`
	After        []string          `yaml:"after,omitempty,flow"`
	Command      []string          `yaml:"command,flow"`
	Ready        map[string]string `yaml:"ready,flow"`
	RestartAfter string            `yaml:"restartAfter"`
}

// link is one connection that can be held.
type link struct {
	From     string `yaml:"from"`
	To       string `yaml:"to,omitempty"`
	External string `yaml:"external,omitempty"`
	Listen   string `yaml:"listen"`
	Connect  string `yaml:"connect"`
}

// header is what the files have in common.
type header struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	Metadata   map[string]string `yaml:"metadata,flow"`
}

func headerOf(kind string) header {
	return header{APIVersion: "emco-chaos/v1", Kind: kind, Metadata: map[string]string{"name": "emulated-emco"}}
}

const (
	namespace = "emco"
	edgeName  = "edge.emulated"
)

// The addresses of an emulated EMCO: the services' own first, then those of the links.
const (
	etcdAddress = iota
	mongoAddress
	edgeAddress
	rsyncAddress
	rsyncMetrics
	orchestratorAddress
	dcmAddress
	clmAddress
	orchestratorToEtcd
	orchestratorToMongo
	orchestratorToRsync
	dcmToEtcd
	dcmToMongo
	dcmToRsync
	clmToMongo
	rsyncToEtcd
	rsyncToEdge
	addressCount
)

func writeCluster(options clusterOptions) (string, error) {
	if options.apps < 1 || options.apps > len(gmsApps) {
		return "", fmt.Errorf("--apps %d: use a number from 1 to %d", options.apps, len(gmsApps))
	}
	bugs, err := bug.Parse(options.bugs)
	if err != nil {
		return "", err
	}
	directory, err := filepath.Abs(options.directory)
	if err != nil {
		return "", err
	}
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(directory, "data"), 0o750); err != nil {
		return "", err
	}
	addresses, err := emcotest.ClusterPorts.Claim(addressCount)
	if err != nil {
		return "", err
	}
	if options.token != "" {
		if err := os.WriteFile(filepath.Join(directory, "token.txt"), []byte(options.token+"\n"), 0o600); err != nil {
			return "", err
		}
	}
	layout := layout{options: options, directory: directory, program: program, at: addresses, bugs: bugs}
	written := map[string][]byte{}
	for name, content := range map[string]any{
		"cluster.yaml": layout.cluster(), "target.yaml": layout.target(), "edge.kubeconfig": kubeconfig(addresses[edgeAddress]),
	} {
		var out bytes.Buffer
		encoder := yaml.NewEncoder(&out)
		encoder.SetIndent(2)
		if err := encoder.Encode(content); err != nil {
			return "", fmt.Errorf("write %s: %w", name, err)
		}
		written[filepath.Join(directory, name)] = sealed(out.Bytes())
	}
	for path := range written {
		if there, err := os.ReadFile(path); err == nil && !isSealed(there) {
			return "", fmt.Errorf("%s is not as emco-emulator wrote it: remove it, or name another --dir", path)
		}
	}
	for path, content := range written {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(directory, "cluster.yaml") + " and " + filepath.Join(directory, "target.yaml"), nil
}

const seal = "# Written by emco-emulator; it writes the file again as long as nothing is changed below. sha256: "

// sealed begins a file with a line by which a user's changes to it are seen.
func sealed(content []byte) []byte {
	return fmt.Appendf(nil, "%s%x\n%s", seal, sha256.Sum256(content), content)
}

func isSealed(file []byte) bool {
	_, content, _ := bytes.Cut(file, []byte("\n"))
	return bytes.Equal(file, sealed(content))
}

// layout knows what the files need to know.
type layout struct {
	options   clusterOptions
	directory string
	program   string
	at        []string
	bugs      bug.Set
}

func (l layout) data(name string) string { return filepath.Join(l.directory, "data", name) }

// pod describes a process. Its label is the one that EMCO's chart gives the service's pods.
func (l layout) pod(name, label string, ready map[string]string, after []string, arguments ...string) pod {
	command := append([]string{l.program, name}, arguments...)
	for _, each := range l.bugs.Of(name).Names() {
		command = append(command, "--bug", each)
	}
	if l.options.token != "" && slices.Contains([]string{"orchestrator", "dcm", "clm"}, name) {
		command = append(command, "--token-file", filepath.Join(l.directory, "token.txt"))
	}
	described := pod{
		Name: name, After: after, Command: command, Ready: ready, RestartAfter: l.options.restartAfter.String(),
	}
	if label != "" {
		described.Labels = map[string]string{label: name}
	}
	return described
}

func (l layout) pods() []pod {
	const (
		own      = "app"
		official = "app.kubernetes.io/name"
		outside  = "" // of the cluster: no selector finds it
	)
	tcp := func(which int) map[string]string { return map[string]string{"tcp": l.at[which]} }
	metrics := func(which int) map[string]string {
		return map[string]string{"http": "http://" + l.at[which] + "/metrics"}
	}
	timeout := l.options.storeTimeout.String()
	return []pod{
		l.pod("etcd", official, tcp(etcdAddress), nil,
			"--listen", l.at[etcdAddress], "--data", l.data("etcd")),
		l.pod("mongo", own, tcp(mongoAddress), nil,
			"--listen", l.at[mongoAddress], "--data", l.data("mongo")),
		l.pod("edge", outside, map[string]string{"http": "http://" + l.at[edgeAddress] + "/version"}, nil,
			"--listen", l.at[edgeAddress], "--data", l.data("edge")),
		l.pod("rsync", own, tcp(rsyncAddress), []string{"etcd"},
			"--listen", l.at[rsyncAddress], "--metrics", l.at[rsyncMetrics],
			"--etcd", l.at[rsyncToEtcd], "--edge", l.at[rsyncToEdge], "--retry", l.options.retry.String()),
		l.pod("orchestrator", own, metrics(orchestratorAddress), []string{"etcd", "mongo"},
			"--listen", l.at[orchestratorAddress], "--store", l.at[orchestratorToMongo], "--etcd", l.at[orchestratorToEtcd],
			"--rsync", l.at[orchestratorToRsync], "--store-timeout", timeout, "--app-time", l.options.appTime.String()),
		l.pod("dcm", own, metrics(dcmAddress), []string{"etcd", "mongo"},
			"--listen", l.at[dcmAddress], "--store", l.at[dcmToMongo], "--etcd", l.at[dcmToEtcd],
			"--rsync", l.at[dcmToRsync], "--store-timeout", timeout),
		l.pod("clm", own, metrics(clmAddress), []string{"mongo"},
			"--listen", l.at[clmAddress], "--store", l.at[clmToMongo], "--store-timeout", timeout),
	}
}

func (l layout) links() []link {
	between := func(from, to string, listen, connect int) link {
		return link{From: from, To: to, Listen: l.at[listen], Connect: l.at[connect]}
	}
	return []link{
		between("orchestrator", "etcd", orchestratorToEtcd, etcdAddress),
		between("orchestrator", "mongo", orchestratorToMongo, mongoAddress),
		between("orchestrator", "rsync", orchestratorToRsync, rsyncAddress),
		between("dcm", "etcd", dcmToEtcd, etcdAddress),
		between("dcm", "mongo", dcmToMongo, mongoAddress),
		between("dcm", "rsync", dcmToRsync, rsyncAddress),
		between("clm", "mongo", clmToMongo, mongoAddress),
		between("rsync", "etcd", rsyncToEtcd, etcdAddress),
		{From: "rsync", External: edgeName, Listen: l.at[rsyncToEdge], Connect: l.at[edgeAddress]},
	}
}

func (l layout) cluster() any {
	type spec struct {
		Namespace string `yaml:"namespace"`
		Pods      []pod  `yaml:"pods"`
		Links     []link `yaml:"links"`
	}
	return struct {
		header `yaml:",inline"`
		Spec   spec `yaml:"spec"`
	}{headerOf("LocalCluster"), spec{Namespace: namespace, Pods: l.pods(), Links: l.links()}}
}

func (l layout) target() any {
	type service struct {
		URL       string            `yaml:"url,omitempty"`
		Address   string            `yaml:"address,omitempty"`
		Namespace string            `yaml:"namespace,omitempty"`
		Labels    map[string]string `yaml:"labels,omitempty,flow"`
	}
	labels := map[string]map[string]string{}
	for _, each := range l.pods() {
		labels[each.Name] = each.Labels
	}
	inside := func(name string, which int) service {
		return service{URL: "http://" + l.at[which], Namespace: namespace, Labels: labels[name]}
	}
	spec := map[string]any{
		"driver": map[string]any{"local": map[string]string{"cluster": "cluster.yaml"}},
		"services": map[string]service{
			"orchestrator": inside("orchestrator", orchestratorAddress),
			"dcm":          inside("dcm", dcmAddress),
			"clm":          inside("clm", clmAddress),
			"rsync":        {Address: l.at[rsyncAddress], Namespace: namespace, Labels: labels["rsync"]},
			"etcd":         {Namespace: namespace, Labels: labels["etcd"]},
			"mongo":        {Namespace: namespace, Labels: labels["mongo"]},
			"edge":         {Address: edgeName},
		},
		"settings": map[string]any{
			"edge": map[string]any{"kubeconfig": map[string]string{"file": "edge.kubeconfig"}},
			"apps": gmsApps[:l.options.apps],
		},
	}
	if l.options.token != "" {
		spec["credentials"] = map[string]any{"token": map[string]string{"file": "token.txt"}}
	}
	return struct {
		header `yaml:",inline"`
		Spec   map[string]any `yaml:"spec"`
	}{headerOf("Target"), spec}
}

// kubeconfig is one with which the edge is reached also while rsync is cut off from it.
func kubeconfig(address string) any {
	type named map[string]any
	return map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "edge",
		"clusters": []named{{"name": "edge", "cluster": map[string]string{"server": "http://" + address}}},
		"users":    []named{{"name": "edge", "user": map[string]string{}}},
		"contexts": []named{{"name": "edge", "context": map[string]string{"cluster": "edge", "user": "edge"}}},
	}
}
