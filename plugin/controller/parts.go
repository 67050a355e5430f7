package controller

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Parts are what a controller is made of.
type Parts struct {
	// Cluster is the cluster that the target is in. Its answers are the API
	// server's, and not from a cache.
	Cluster client.Client
	// Leases reads the target's leases, and may be a cache; nil is Cluster.
	Leases client.Reader
	Runner Runner
	// Namespace is the controller's own.
	Namespace string
	// Targets are the namespaces in which the target has pods.
	Targets []string
	// Holder says who holds the target's leases, for readers.
	Holder string
	// NewName names a run: a DNS label of at most 20 characters.
	NewName func() string
	// Journals is the folder of the runs' journals, and Keep how many of them,
	// and of the runs that ended, are kept.
	Journals string
	Keep     int
	// Queue is how many runs may wait.
	Queue int
	// LeaseWait is how long a run waits for the target.
	LeaseWait time.Duration
	// Audiences are those of which a token must be for one; none is the API
	// server's own.
	Audiences []string
	Registry  prometheus.Registerer
	Log       *slog.Logger
}

// Controller runs experiments on request, and sweeps up after the dead.
type Controller struct {
	queue   *queue
	sweeper *sweeper
	armer   *armer
	answers *handler
	archive *archive
}

// New assembles a controller. [Controller.Close] gives back what it opens.
func New(parts Parts) (*Controller, error) {
	switch {
	case parts.Namespace == "":
		return nil, errors.New("the controller's own namespace is not known; give it with --namespace or in POD_NAMESPACE")
	case len(parts.Targets) == 0:
		return nil, errors.New("no service of the target has pods; give services labels and a namespace in the target file")
	}
	if parts.Leases == nil {
		parts.Leases = parts.Cluster
	}
	metrics, err := newMetrics(parts.Registry)
	if err != nil {
		return nil, err
	}
	archive, err := openArchive(parts.Journals, parts.Keep)
	if err != nil {
		return nil, err
	}
	keeper := newKeeper(parts, metrics)
	shown := &dashboard{cluster: parts.Cluster, namespace: parts.Namespace, holder: parts.Holder, log: parts.Log}
	queue := newQueue(parts, keeper, archive, shown, metrics)
	answers := &handler{
		access:  &access{cluster: parts.Cluster, namespace: parts.Namespace, audiences: parts.Audiences},
		limiter: newLimiter(), queue: queue, runner: parts.Runner, dashboard: shown, metrics: metrics, log: parts.Log,
		listening: make(chan struct{}, streams), compiling: make(chan struct{}, compilations),
	}
	return &Controller{
		queue: queue, sweeper: &sweeper{keeper: keeper, leases: parts.Leases}, armer: &armer{shown}, answers: answers, archive: archive,
	}, nil
}

// Close gives back what the controller opened. Nothing of it may be under way.
func (c *Controller) Close() error { return c.archive.close() }
