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

	"github.com/emco-chaos/emco-chaos/plugin/controller"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
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
	for _, variable := range []struct {
		name, is string
		value    *string
	}{
		{clientcmd.RecommendedConfigPathEnvVar, "the kubeconfig of a cluster that has Chaos Mesh and EMCO", &found.kubeconfig},
		{targetVariable, "the target file of that EMCO, with addresses that hold here", &found.target},
		{edgeVariable, "the kubeconfig of the edge cluster, for EMCO to deploy to", &found.edge},
		{edgeAddressVariable, "the HOST:PORT that pods reach the edge cluster's API server at", &found.edgeAddress},
		{imageVariable, "REPOSITORY:TAG of an image that `make image` built and that the cluster can pull", &found.repository},
		{programsVariable, "the folder that `make build` put the commands into, with helm and kubectl beside them or on PATH", &found.programs},
	} {
		if *variable.value = os.Getenv(variable.name); *variable.value == "" {
			missing = append(missing, fmt.Errorf("  %s is not set: %s", variable.name, variable.is))
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no cluster to run on: `make e2e` brings one up; for one of your own set these too:\n%w", errors.Join(missing...))
	}
	var err error
	if found.repository, found.tag, err = splitImage(found.repository); err != nil {
		return nil, fmt.Errorf("%s: %w", imageVariable, err)
	}
	if found.config, err = clientcmd.BuildConfigFromFlags("", found.kubeconfig); err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	// Tests look often; none of it is worth waiting for.
	found.config.QPS, found.config.Burst = 100, 200
	known := controller.Scheme()
	if err = apiextensions.AddToScheme(known); err != nil {
		return nil, err
	}
	if found.client, err = client.NewWithWatch(found.config, client.Options{Scheme: known}); err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	return found, nil
}

// splitImage splits an image's name at its tag. The port of a registry is none.
func splitImage(name string) (repository, tag string, err error) {
	at := strings.LastIndexByte(name, ':')
	if at <= strings.LastIndexByte(name, '/') {
		return "", "", fmt.Errorf("the image %s has no tag: write REPOSITORY:TAG", name)
	}
	return name[:at], name[at+1:], nil
}

// here is the site. A test without one is skipped, and has failed where one
// was to be there.
func here(t *testing.T) *site {
	t.Helper()
	found, err := theSite()
	if err != nil {
		unavailable(t, err.Error())
	}
	if interrupted().Err() != nil {
		t.Fatal(context.Cause(interrupted()))
	}
	return found
}

// unavailable ends a test that cannot run here.
func unavailable(t *testing.T, why string) {
	t.Helper()
	if os.Getenv(requiredVariable) != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// command is a command of the product, as a user would start it.
func (s *site) command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(s.programs, name), arguments...)
	command.Env = append(os.Environ(), "PATH="+s.programs+":"+os.Getenv("PATH"))
	return gently(command)
}

// chaos runs emco-chaos, and returns what it printed and its exit code.
func (s *site) chaos(t *testing.T, arguments ...string) (output string, code int) {
	t.Helper()
	var printed bytes.Buffer
	command := s.command(during(t), "emco-chaos", arguments...)
	command.Stdout, command.Stderr = &printed, &printed
	err := command.Run()
	t.Logf("emco-chaos %s\n%s", strings.Join(arguments, " "), printed.String())
	if interrupted().Err() != nil {
		t.Fatal(context.Cause(interrupted()))
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
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
	ctx, cancel := context.WithTimeoutCause(during(t), limit, fmt.Errorf("after %v", limit))
	defer cancel()
	if err := poll(ctx, ask); err != nil {
		t.Fatalf("%v: %v", context.Cause(ctx), err)
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

// TestFind names everything that is missing, at once.
func TestFind(t *testing.T) {
	variables := []string{
		clientcmd.RecommendedConfigPathEnvVar, targetVariable, edgeVariable, edgeAddressVariable, imageVariable, programsVariable,
	}
	for _, variable := range variables {
		t.Setenv(variable, "")
	}
	_, err := find()
	if err == nil {
		t.Fatal("a cluster was found")
	}
	for _, variable := range variables {
		if !strings.Contains(err.Error(), variable+" is not set: ") {
			t.Errorf("%v: nothing is said of %s", err, variable)
		}
	}
}

func TestSplitImage(t *testing.T) {
	for _, test := range []struct{ name, repository, tag string }{
		{"registry.example/emco-chaos:v1", "registry.example/emco-chaos", "v1"},
		{"localhost:5000/emco-chaos:v1", "localhost:5000/emco-chaos", "v1"},
		{"localhost:5000/emco-chaos", "", ""},
		{"emco-chaos", "", ""},
	} {
		repository, tag, err := splitImage(test.name)
		if repository != test.repository || tag != test.tag || (err == nil) != (test.tag != "") {
			t.Errorf("%s: %q, %q, %v", test.name, repository, tag, err)
		}
	}
}
