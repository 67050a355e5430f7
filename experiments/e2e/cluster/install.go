package cluster

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
)

const (
	chaosMeshNamespace = "chaos-mesh"
	// EMCONamespace is the namespace of the emulated EMCO.
	EMCONamespace = "emco"
)

// release is a chart that the cluster has installed.
type release struct {
	name, namespace string
	chart           *chart.Chart
	values          map[string]any
}

//go:embed emco
var emcoChart embed.FS

// emco is the emulated EMCO.
func emco(in folder, readiness Readiness) (release, error) {
	loaded, err := embedded(emcoChart, "emco")
	if err != nil {
		return release{}, err
	}
	return release{
		name: "emco", namespace: EMCONamespace, chart: loaded,
		values: map[string]any{
			"image": emulatorImage, "data": in.data("emco"), "edge": EdgeAddress + ":" + edgePort,
			"probe": map[string]any{
				"initialDelaySeconds": int64(readiness.Delay / time.Second),
				"periodSeconds":       int64(readiness.Period / time.Second),
			},
		},
	}, nil
}

// chaosMeshRelease is Chaos Mesh, by its own chart.
func chaosMeshRelease(in folder, folder string) (release, error) {
	loaded, err := loader.Load(folder)
	if err != nil {
		return release{}, fmt.Errorf("load Chaos Mesh's chart: %w", err)
	}
	if err := completeSchemas(loaded); err != nil {
		return release{}, fmt.Errorf("complete Chaos Mesh's chart: %w", err)
	}
	return release{
		name: "chaos-mesh", namespace: chaosMeshNamespace, chart: loaded, values: chaosMeshValues(in.socket()),
	}, nil
}

func chaosMeshValues(socket string) map[string]any {
	return map[string]any{
		"images": map[string]any{"registry": registry, "tag": imageTag},
		"controllerManager": map[string]any{
			"replicaCount":   int64(1),
			"leaderElection": map[string]any{"enabled": false},
			"podChaos":       map[string]any{"podFailure": map[string]any{"pauseImage": pauseImage}},
		},
		"chaosDaemon": map[string]any{"runtime": "containerd", "socketPath": socket},
		// Its security mode stays on, as it is by default: whoever creates a
		// fault must be allowed to in the namespaces that it selects, and
		// whoever uses the dashboard logs in.
		"dashboard": map[string]any{"create": true},
		"dnsServer": map[string]any{"create": false},
	}
}

// embedded loads a chart that is part of this program.
func embedded(files embed.FS, root string) (*chart.Chart, error) {
	var found []*archive.BufferedFile
	err := fs.WalkDir(files, root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(path)
		found = append(found, &archive.BufferedFile{Name: strings.TrimPrefix(path, root+"/"), Data: content})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the chart %s: %w", root, err)
	}
	loaded, err := loader.LoadFiles(found)
	if err != nil {
		return nil, fmt.Errorf("load the chart %s: %w", root, err)
	}
	return loaded, nil
}

// install installs the release and waits until all of it is ready.
func (c *Cluster) install(ctx context.Context, what release) error {
	getter := genericclioptions.NewConfigFlags(true).WithWrapConfigFn(func(config *rest.Config) *rest.Config {
		c.reach(config)
		return config
	})
	file := c.Kubeconfig()
	getter.KubeConfig, getter.Namespace = &file, &what.namespace
	configuration := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	if err := configuration.Init(getter, what.namespace, "secret"); err != nil {
		return fmt.Errorf("install %s: %w", what.name, err)
	}
	install := action.NewInstall(configuration)
	install.ReleaseName, install.Namespace, install.CreateNamespace = what.name, what.namespace, true
	install.WaitStrategy, install.Timeout = kube.StatusWatcherStrategy, installLimit
	if _, err := install.RunWithContext(ctx, what.chart, what.values); ctx.Err() != nil {
		return fmt.Errorf("install %s: %w", what.name, context.Cause(ctx))
	} else if err != nil {
		return fmt.Errorf("install %s: %w", what.name, c.whyNotReady(ctx, what.namespace, err))
	}
	return nil
}
