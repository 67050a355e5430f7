// Package e2e runs the product on a real cluster with real Chaos Mesh, as its
// users do: the commands, the chart, the dashboard.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What the tests are told by their environment; `make e2e` tells it all.
const (
	// targetVariable names the target file of an EMCO that the cluster has,
	// as it is reached from here.
	targetVariable = "EMCO_CHAOS_TARGET"
	// edgeVariable names the kubeconfig of the edge cluster, for the chart.
	edgeVariable = "EMCO_CHAOS_EDGE_KUBECONFIG"
	// edgeAddressVariable is the edge cluster's HOST:PORT.
	edgeAddressVariable = "EMCO_CHAOS_EDGE_ADDRESS"
	// imageVariable is REPOSITORY:TAG of an image that the cluster can use.
	imageVariable = "EMCO_CHAOS_IMAGE"
	// programsVariable names the folder with the commands.
	programsVariable = "EMCO_CHAOS_BIN"
	// requiredVariable says that a test that cannot run has failed.
	requiredVariable = "EMCO_CHAOS_E2E_REQUIRED"
)

// site is where the product is tried out.
type site struct {
	kubeconfig  string
	config      *rest.Config
	client      client.WithWatch
	target      string
	edge        string
	edgeAddress string
	repository  string
	tag         string
	programs    string
}

// theSite is found once for all tests.
var theSite = sync.OnceValues(find)

func find() (*site, error) {
	found := &site{kubeconfig: os.Getenv(clientcmd.RecommendedConfigPathEnvVar)}
	var missing []error
	for name, value := range map[string]*string{
		targetVariable: &found.target, edgeVariable: &found.edge, edgeAddressVariable: &found.edgeAddress,
		imageVariable: &found.repository, programsVariable: &found.programs, clientcmd.RecommendedConfigPathEnvVar: &found.kubeconfig,
	} {
		if *value = os.Getenv(name); *value == "" {
			missing = append(missing, fmt.Errorf("%s is not set", name))
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no cluster to run on; `make e2e` brings one up: %w", errors.Join(missing...))
	}
	found.repository, found.tag, _ = strings.Cut(found.repository, ":")
	var err error
	if found.config, err = clientcmd.BuildConfigFromFlags("", found.kubeconfig); err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	// Tests look often; none of it is worth waiting for.
	found.config.QPS, found.config.Burst = 100, 200
	if found.client, err = client.NewWithWatch(found.config, client.Options{Scheme: chaosmesh.Scheme()}); err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	return found, nil
}

// here is the site. A test without one is skipped, and has failed where one
// was to be there.
func here(t *testing.T) *site {
	t.Helper()
	found, err := theSite()
	switch {
	case err != nil && os.Getenv(requiredVariable) != "":
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
	return found
}

// command is a command of the product, as a user would start it.
func (s *site) command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(s.programs, name), arguments...)
	command.Env = append(os.Environ(), "PATH="+s.programs+":"+os.Getenv("PATH"))
	return command
}

// chaos runs emco-chaos, and returns what it printed and its exit code.
func (s *site) chaos(t *testing.T, arguments ...string) (output string, code int) {
	t.Helper()
	var printed bytes.Buffer
	command := s.command(t.Context(), "emco-chaos", arguments...)
	command.Stdout, command.Stderr = &printed, &printed
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	t.Logf("emco-chaos %s\n%s", strings.Join(arguments, " "), printed.String())
	return printed.String(), command.ProcessState.ExitCode()
}

// artefact is a file that is kept when the tests are run with -artifacts.
func artefact(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(t.ArtifactDir(), name)
}

// eventually asks until the answer is nil.
func eventually(t *testing.T, limit time.Duration, ask func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := poll(ctx, ask); err != nil {
		t.Fatalf("after %v: %v", limit, err)
	}
}

// poll asks until the answer is nil, or returns the last one when ctx ends.
func poll(ctx context.Context, ask func(ctx context.Context) error) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}
