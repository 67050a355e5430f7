package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// Up builds what is missing and brings a cluster up. When it fails, or when
// ctx ends before, everything that it started is gone again, except the logs.
func Up(ctx context.Context, options Options) (_ *Cluster, err error) {
	if options.Name == "" {
		options.Name = DefaultName
	}
	if options.Folder == "" {
		options.Folder = DefaultFolder(options.Name)
	}
	if options.Readiness == (Readiness{}) {
		options.Readiness = Quick
	}
	if options.Progress == nil {
		options.Progress = io.Discard
	}
	if err := possible(); err != nil {
		return nil, err
	}
	built, err := Build(ctx, options.Progress)
	if err != nil {
		return nil, err
	}
	made, err := create(ctx, options, built.programs["kubectl"])
	if err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			return
		}
		if failed := made.Down(context.WithoutCancel(ctx), DownOptions{KeepLogs: true}); failed != nil {
			err = errors.Join(err, failed)
			return
		}
		err = fmt.Errorf("%w\nwhat was started is gone again; its logs are in %s", err, made.Logs())
	}()
	bringing := &bringing{Cluster: made, built: built.programs, images: append(built.images, options.Images...), progress: options.Progress}
	if err := bringing.kubernetes(ctx); err != nil {
		return nil, err
	}
	if err := bringing.charts(ctx, built.chart, options.Readiness); err != nil {
		return nil, err
	}
	return made, nil
}

// Parts are what a cluster is made of.
type Parts struct {
	programs programs
	images   []string
	chart    string
}

// Build builds what is missing. What is there already is not built again.
func Build(ctx context.Context, progress io.Writer) (*Parts, error) {
	builder, err := newBuilder(ctx, progress)
	if err != nil {
		return nil, err
	}
	var parts Parts
	if parts.programs, err = builder.all(ctx); err != nil {
		return nil, err
	}
	if parts.images, err = builder.images(ctx, parts.programs); err != nil {
		return nil, err
	}
	module, err := builder.chaosMeshModule(ctx)
	if err != nil {
		return nil, err
	}
	parts.chart = filepath.Join(module, "helm", "chaos-mesh")
	return &parts, nil
}

// possible tells what the machine lacks.
func possible() error {
	if err := Able(); err != nil {
		return err
	}
	for program, of := range map[string]string{
		"etcd": "etcd-server", "containerd": "containerd", "ctr": "containerd", "runc": "runc", "iptables": "iptables",
		"ip": "iproute2", "nsenter": "util-linux", "conntrack": "conntrack", "stress-ng": "stress-ng",
	} {
		if _, err := locateAny(program); err != nil {
			return fmt.Errorf("the program %s is not there: install the package %s", program, of)
		}
	}
	_, err := networkPlugins()
	return err
}

// create makes the folder and the network namespace of a cluster: from here
// on there is something for Down.
func create(ctx context.Context, options Options, kubectl string) (_ *Cluster, err error) {
	if err := valid(options.Name); err != nil {
		return nil, err
	}
	directory, err := filepath.Abs(options.Folder)
	if err != nil {
		return nil, err
	}
	in := folder(directory)
	if _, err := os.Stat(in.record()); err == nil {
		return nil, fmt.Errorf("there is a cluster in %s already: take it down first, or name another folder", in)
	}
	const longest = 80 // that of a socket's path is 107, and runtimes append to it
	if len(in.socket()) > longest {
		return nil, fmt.Errorf("the path of the folder %s is too long for the sockets in it: choose one of at most %d characters",
			in, longest-len(in.socket())+len(in))
	}
	made := &Cluster{namespace: namespace(options.Name), folder: in, kubeconfig: in.kubeconfig(), kubectl: kubectl}
	for _, each := range folders(in) {
		if err := os.MkdirAll(each, 0o755); err != nil {
			return nil, fmt.Errorf("make the cluster's folder: %w", err)
		}
	}
	if made.namespace.exists() {
		return nil, fmt.Errorf("the network namespace %s is there already: choose another name, or take down the cluster that has it", made.namespace)
	}
	content, err := json.Marshal(record{Name: options.Name, Kubectl: kubectl})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(in.record(), content, 0o644); err != nil {
		return nil, fmt.Errorf("make the cluster's folder: %w", err)
	}
	if err := made.namespace.make(ctx); err != nil {
		return nil, errors.Join(err, made.Down(context.WithoutCancel(ctx), DownOptions{}))
	}
	return made, nil
}

// bringing is a cluster while it is brought up.
type bringing struct {
	*Cluster
	built    programs
	images   []string
	progress io.Writer
}

func (b *bringing) say(format string, arguments ...any) {
	fmt.Fprintf(b.progress, format+"\n", arguments...)
}

// kubernetes starts everything up to a node that takes pods.
func (b *bringing) kubernetes(ctx context.Context) error {
	if err := b.configure(); err != nil {
		return err
	}
	begun := time.Now()
	both, within := errgroup.WithContext(ctx)
	both.Go(func() error { return b.runtime(within) })
	both.Go(func() error { return b.control(within) })
	if err := both.Wait(); err != nil {
		return err
	}
	b.say("Kubernetes %s is up after %s", kubernetesVersion, time.Since(begun).Round(100*time.Millisecond))
	return nil
}

func (b *bringing) configure() error {
	authority, err := newAuthority(b.folder)
	if err != nil {
		return err
	}
	for _, identity := range identities() {
		if err := authority.issue(identity); err != nil {
			return err
		}
	}
	for file, who := range clients(b.folder) {
		if err := writeKubeconfig(b.folder, file, who); err != nil {
			return err
		}
	}
	if err := writeEdgeKubeconfig(b.folder); err != nil {
		return err
	}
	settings, err := settingsOf(b.namespace, b.folder)
	if err != nil {
		return err
	}
	return settings.write()
}

// runtime starts containerd and gives it the images.
func (b *bringing) runtime(ctx context.Context) error {
	started, err := b.start(containerd(b.folder))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, errors.New("containerd takes too long"))
	defer cancel()
	err = await(ctx, b.folder, "containerd", []*process{started}, func(ctx context.Context) error {
		return quietly(ctx, "ctr", "--address", b.folder.socket(), "version")
	})
	if err != nil {
		return err
	}
	for _, image := range b.images {
		if err := b.Import(ctx, image); err != nil {
			return err
		}
	}
	return nil
}

// Import gives the node an image from a tar file.
func (c *Cluster) Import(ctx context.Context, file string) error {
	if !c.Ours() {
		return fmt.Errorf("import the image %s: this cluster takes its images from a registry: push it there", file)
	}
	if err := quietly(ctx, "ctr", "--address", c.folder.socket(), "--namespace", "k8s.io", "images", "import", file); err != nil {
		return fmt.Errorf("import the image: %w", err)
	}
	return nil
}

// control starts the control plane, and then the node.
func (b *bringing) control(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, errors.New("the control plane takes too long"))
	defer cancel()
	store, err := b.start(etcd(b.folder))
	if err != nil {
		return err
	}
	edge, err := b.start(edgeCluster(b.folder, b.built))
	if err != nil {
		return err
	}
	if err := b.answers(ctx, etcd(b.folder), store); err != nil {
		return err
	}
	server, err := b.start(apiserver(b.folder, b.built))
	if err != nil {
		return err
	}
	all := []*process{store, edge, server}
	client, err := b.client()
	if err != nil {
		return err
	}
	err = await(ctx, b.folder, "kube-apiserver", all, func(ctx context.Context) error {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
	if err != nil {
		return err
	}
	rest := others(b.folder, b.built)
	for _, each := range rest {
		started, err := b.start(each)
		if err != nil {
			return err
		}
		all = append(all, started)
	}
	for _, each := range append(rest, edgeCluster(b.folder, b.built)) {
		if each.ready == "" {
			continue
		}
		if err := b.answers(ctx, each, all...); err != nil {
			return err
		}
	}
	return b.nodeReady(ctx)
}

func (b *bringing) start(what component) (*process, error) {
	program, err := locateAny(what.program)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", what.name, err)
	}
	command := b.namespace.command(context.Background(), program, what.arguments...)
	command.Env = append(os.Environ(), "PATH="+administratorsPath)
	command.Dir = string(b.folder)
	return spawn(b.folder, what.name, command)
}

// answers waits until a component says that it is ready.
func (b *bringing) answers(ctx context.Context, what component, on ...*process) error {
	transport := &http.Transport{DialContext: b.namespace.dial, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: askLimit}
	return await(ctx, b.folder, what.name, on, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, what.ready, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", what.ready, response.Status)
		}
		return nil
	})
}

// charts installs Chaos Mesh and the emulated EMCO.
func (b *bringing) charts(ctx context.Context, chaosMeshChart string, readiness Readiness) error {
	begun := time.Now()
	mesh, err := chaosMeshRelease(b.folder, chaosMeshChart)
	if err != nil {
		return err
	}
	emulated, err := emco(b.folder, readiness)
	if err != nil {
		return err
	}
	both, within := errgroup.WithContext(ctx)
	for _, each := range []release{mesh, emulated} {
		both.Go(func() error { return b.install(within, each) })
	}
	if err := both.Wait(); err != nil {
		return err
	}
	b.say("Chaos Mesh and the emulated EMCO are ready after %s", time.Since(begun).Round(100*time.Millisecond))
	return b.writeTargets(ctx)
}

// locateAny finds a program by its path, or by its name in the folders of an
// administrator.
func locateAny(program string) (string, error) {
	if filepath.IsAbs(program) {
		if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("the program %s is not there", program)
		}
		return program, nil
	}
	return locate(program)
}
