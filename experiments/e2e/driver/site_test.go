package driver_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/emco-chaos/emco-chaos/experiments/e2e/cluster"
	"github.com/emco-chaos/emco-chaos/experiments/e2e/image"
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/engine/drivertest"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

const (
	port = 8080
	// tagged is how long the image's name is with its tag.
	tagged = len("emco-chaos.test/driver-test:") + 12
	// programPath is where the image has this test binary.
	programPath = "/opt/driver/driver.test"
	// dataFolder is where each pod has a volume.
	dataFolder = "/data"
	// startLimit is how long pods may take to serve.
	startLimit = 2 * time.Minute
	askEvery   = 50 * time.Millisecond
	patience   = time.Minute
	// interruptLimit is how long tests that were interrupted may take to end.
	interruptLimit = 10 * time.Second
)

// site is a namespace of its own on a real cluster.
type site struct {
	config    *rest.Config
	client    client.WithWatch
	namespace string
	image     string
	number    atomic.Int64
}

// newSite makes a namespace that goes with the test.
func newSite(t *testing.T) *site {
	t.Helper()
	file := os.Getenv(clientcmd.RecommendedConfigPathEnvVar)
	if file == "" {
		unavailable(t, clientcmd.RecommendedConfigPathEnvVar+" is not set: `make cluster-up` brings a cluster up and prints it")
	}
	up, err := cluster.FromKubeconfig(file)
	if err != nil {
		t.Fatal(err)
	}
	if !up.Ours() {
		unavailable(t, "the image of the test service has to be imported into the node, and only `make cluster-up` gives one where it can be")
	}
	log.SetLogger(logr.Discard())
	s := &site{namespace: "driver-test-" + strings.ToLower(rand.Text()[:8])}
	s.image = s.load(t, up)
	if s.config, err = up.RESTConfig(); err != nil {
		t.Fatal(err)
	}
	// This process is inside already.
	s.config.Dial = nil
	if s.client, err = client.NewWithWatch(s.config, client.Options{Scheme: chaosmesh.Scheme()}); err != nil {
		t.Fatal(err)
	}
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	if err := s.client.Create(t.Context(), space); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		if err := s.client.Delete(ctx, space); err != nil {
			t.Error(err)
		}
	})
	s.goOnInterrupt(t, space)
	return s
}

// goOnInterrupt ends the tests when they are interrupted, with the namespace:
// all that they made is in it. The API server and Chaos Mesh do the rest.
func (s *site) goOnInterrupt(t *testing.T, space *corev1.Namespace) {
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	going := context.AfterFunc(interrupted, func() {
		// A second interrupt does not wait.
		stop()
		ctx, cancel := context.WithTimeout(context.Background(), interruptLimit)
		defer cancel()
		fmt.Fprintln(os.Stderr, errors.Join(context.Cause(interrupted), s.client.Delete(ctx, space)))
		os.Exit(1)
	})
	t.Cleanup(func() {
		going()
		stop()
	})
}

// unavailable ends a test that cannot run here.
func unavailable(t *testing.T, why string) {
	t.Helper()
	if os.Getenv(requiredVariable) != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// load gives the node an image of this test binary.
func (s *site) load(t *testing.T, up *cluster.Cluster) string {
	t.Helper()
	if info, ok := debug.ReadBuildInfo(); !ok || !slices.Contains(info.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "0"}) {
		t.Fatal("the test binary is to run in an image of its own: build it with CGO_ENABLED=0")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	// One tag for one binary: the node keeps what it was given.
	name := fmt.Sprintf("emco-chaos.test/driver-test:%x", sha256.Sum256(content))[:tagged]
	made, err := image.Build(image.Spec{
		Name: name, Architecture: runtime.GOARCH,
		Files:      []image.File{image.Program(programPath, program), image.Folder("/tmp", 0o777, 0)},
		Entrypoint: []string{programPath},
	})
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "driver-test.tar")
	if err := made.Write(archive); err != nil {
		t.Fatal(err)
	}
	if err := up.Import(t.Context(), archive); err != nil {
		t.Fatal(err)
	}
	return name
}

// pair is a service and its back end.
type pair struct {
	*site
	t                *testing.T
	service, backEnd string
	drivertest.Outside
}

// newPair runs a service and a back end with fresh pods, and waits until they
// serve.
func (s *site) newPair(t *testing.T) *pair {
	t.Helper()
	number := s.number.Add(1)
	p := &pair{site: s, t: t, service: fmt.Sprintf("service-%d", number), backEnd: fmt.Sprintf("back-end-%d", number)}
	p.Outside.BackEnd = s.run(t, p.backEnd, "")
	p.Outside.Service = s.run(t, p.service, p.Outside.BackEnd)
	for _, name := range []string{p.backEnd, p.service} {
		s.available(t, name)
	}
	// The pods are ready, and the ways to them are made a little later, each in
	// its own time: that of the back end, which the service takes, is another.
	s.passable(t, "the service does not answer", func(ctx context.Context) error {
		_, err := p.Ask(ctx)
		return err
	})
	s.passable(t, "the back end does not answer", func(ctx context.Context) error {
		_, err := p.Received(ctx, "nothing")
		return err
	})
	s.passable(t, "the back end does not answer the service", func(ctx context.Context) error {
		return p.Send(ctx, "ready")
	})
	return p
}

// passable asks until there is an answer: nothing tells when the node has the
// way to a Service, or the API server a right.
func (s *site) passable(t *testing.T, otherwise string, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", otherwise, err)
		}
	}
}

// run makes a Deployment of one replica with a Service in front of it, and
// returns the Service's address.
func (s *site) run(t *testing.T, name, backEnd string) string {
	t.Helper()
	having := map[string]string{"app": name}
	front := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	front.Spec.Selector = having
	front.Spec.Ports = []corev1.ServicePort{{Port: port, TargetPort: intstr.FromInt32(port)}}
	if err := s.client.Create(t.Context(), front); err != nil {
		t.Fatal(err)
	}
	container := corev1.Container{
		Name: name, Image: s.image, ImagePullPolicy: corev1.PullNever,
		// EMCO's chart names the command too: a pod-failure's image lacks it.
		Command: []string{programPath},
		Env: []corev1.EnvVar{
			{Name: drivertest.ListenVariable, Value: fmt.Sprintf(":%d", port)},
			{Name: drivertest.BackEndVariable, Value: backEnd},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: dataFolder}},
		ReadinessProbe: &corev1.Probe{
			PeriodSeconds: 1,
			ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(port)}},
		},
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: having}
	deployment.Spec.Template.Labels = having
	deployment.Spec.Template.Spec.Containers = []corev1.Container{container}
	deployment.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	if err := s.client.Create(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		for _, object := range []client.Object{deployment, front} {
			if err := s.client.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
				t.Error(err)
			}
		}
	})
	return fmt.Sprintf("%s:%d", front.Spec.ClusterIP, port)
}

// available waits until a Deployment is.
func (s *site) available(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	is := func(deployment *appsv1.Deployment) bool { return deployment.Status.AvailableReplicas > 0 }
	for ctx.Err() == nil {
		var list appsv1.DeploymentList
		only := []client.ListOption{client.InNamespace(s.namespace), client.MatchingFields{"metadata.name": name}}
		if err := s.client.List(ctx, &list, only...); err != nil {
			t.Fatal(err)
		}
		if len(list.Items) > 0 && is(&list.Items[0]) {
			return
		}
		since := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}}
		watch, err := s.client.Watch(ctx, &list, append(only, since)...)
		if err != nil {
			t.Fatal(err)
		}
		for event := range watch.ResultChan() {
			if deployment, ok := event.Object.(*appsv1.Deployment); ok && is(deployment) {
				watch.Stop()
				return
			}
		}
	}
	t.Fatalf("%s is not available: %v", name, ctx.Err())
}

// open opens a driver that is closed with the test.
func (s *site) open(t *testing.T, services ...string) *chaosmesh.Driver {
	t.Helper()
	options := chaosmesh.Options{Namespaces: []string{s.namespace}, Services: map[string]target.Service{}}
	for _, name := range services {
		options.Services[name] = target.Service{Namespace: s.namespace, Labels: map[string]string{"app": name}}
	}
	driver, err := chaosmesh.Open(t.Context(), s.config, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := driver.Close(); err != nil {
			t.Error(err)
		}
	})
	return driver
}

// meta names an object as no other one of this site.
func (s *site) meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: s.namespace, Name: fmt.Sprintf("fault-%d", s.number.Add(1)),
		Labels: map[string]string{fault.RunLabel: "driver-test"},
	}
}

func (s *site) selector(app string) v1alpha1.PodSelector {
	return v1alpha1.PodSelector{
		Mode: v1alpha1.AllMode,
		Selector: v1alpha1.PodSelectorSpec{GenericSelectorSpec: v1alpha1.GenericSelectorSpec{
			Namespaces:     []string{s.namespace},
			LabelSelectors: map[string]string{"app": app},
		}},
	}
}

func (p *pair) podChaos(action v1alpha1.PodChaosAction, app string) *v1alpha1.PodChaos {
	chaos := &v1alpha1.PodChaos{ObjectMeta: p.meta()}
	chaos.Spec.Action = action
	chaos.Spec.Duration = long()
	chaos.Spec.PodSelector = p.selector(app)
	return chaos
}

func (p *pair) partition() *v1alpha1.NetworkChaos {
	target := p.selector(p.backEnd)
	chaos := &v1alpha1.NetworkChaos{ObjectMeta: p.meta()}
	chaos.Spec.Action = v1alpha1.PartitionAction
	chaos.Spec.Duration = long()
	chaos.Spec.PodSelector = p.selector(p.service)
	chaos.Spec.Target = &target
	chaos.Spec.Direction = v1alpha1.Both
	return chaos
}

func (p *pair) delay() *v1alpha1.NetworkChaos {
	chaos := p.partition()
	chaos.Spec.Action = v1alpha1.DelayAction
	chaos.Spec.Delay = &v1alpha1.DelaySpec{Latency: latency.String()}
	return chaos
}

func long() *string {
	text := (3 * patience).String()
	return &text
}
