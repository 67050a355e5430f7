package cluster

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed config
var configs embed.FS

// settings are what the configuration files need to know.
type settings struct {
	Name     string
	Folder   folder
	Socket   string
	Plugins  string
	Pause    string
	Node     string
	Domain   string
	PodRange string
}

func settingsOf(name namespace, in folder) (settings, error) {
	plugins, err := networkPlugins()
	if err != nil {
		return settings{}, err
	}
	return settings{
		Name: string(name), Folder: in, Socket: in.socket(), Plugins: plugins, Pause: pauseImage,
		Node: NodeAddress, Domain: dnsDomain, PodRange: podRange,
	}, nil
}

// networkPlugins is where the machine has the CNI plugins.
func networkPlugins() (string, error) {
	for _, folder := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if _, err := os.Stat(filepath.Join(folder, "bridge")); err == nil {
			return folder, nil
		}
	}
	return "", errors.New("the CNI plugins are not there: install containernetworking-plugins")
}

// configFiles are where the files are written, by their names here.
func configFiles(in folder) map[string]string {
	return map[string]string{
		"containerd.toml": in.config("containerd.toml"),
		"cni.conflist":    in.path("config", "cni", "10-pods.conflist"),
		"kubelet.yaml":    in.config("kubelet.yaml"),
		"Corefile":        in.config("Corefile"),
		"resolv.conf":     in.config("resolv.conf"),
	}
}

func (s settings) write() error {
	for name, path := range configFiles(s.Folder) {
		content, err := s.render(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("write the configuration: %w", err)
		}
	}
	return nil
}

func (s settings) render(name string) ([]byte, error) {
	parsed, err := template.New(name).Option("missingkey=error").ParseFS(configs, "config/"+name)
	if err != nil {
		return nil, fmt.Errorf("read the configuration %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, s); err != nil {
		return nil, fmt.Errorf("render the configuration %s: %w", name, err)
	}
	return out.Bytes(), nil
}
