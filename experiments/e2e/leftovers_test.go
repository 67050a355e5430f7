package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// emco is the namespace of the EMCO under test.
const emco = "emco"

// runLabel is on every chaos object of a run.
const runLabel = "emco-chaos.io/run"

// faults are the chaos objects of ours that are there.
func (s *site) faults(ctx context.Context) ([]client.Object, error) {
	var found []client.Object
	for _, kind := range fault.Kinds() {
		list := kind.NewList()
		if err := s.client.List(ctx, list, client.InNamespace(emco), client.HasLabels{runLabel}); err != nil {
			return nil, fmt.Errorf("list the %s: %w", kind.Name, err)
		}
		for _, object := range fault.Objects(list) {
			found = append(found, object)
		}
	}
	return found, nil
}

// watch watches objects of one kind, from now on.
func (s *site) watch(ctx context.Context, t *testing.T, list client.ObjectList, options ...client.ListOption) watch.Interface {
	t.Helper()
	if err := s.client.List(ctx, list, options...); err != nil {
		t.Fatal(err)
	}
	// From the list on: a watch from no version in particular waits for the
	// API server's cache, and fails when that does not hear of etcd in time.
	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}}
	changes, err := s.client.Watch(ctx, list, append(options, from)...)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// watchFaults watches from now on, and returns what stops watching and says
// which chaos objects of ours were created meanwhile.
func (s *site) watchFaults(t *testing.T) (created func() []string) {
	t.Helper()
	var names []string
	var watching sync.WaitGroup
	var stops []func()
	var stopped atomic.Bool
	var mu sync.Mutex
	for _, list := range []client.ObjectList{&v1alpha1.PodChaosList{}, &v1alpha1.NetworkChaosList{}} {
		changes := s.watch(t.Context(), t, list, client.InNamespace(emco), client.HasLabels{runLabel})
		stops = append(stops, changes.Stop)
		watching.Go(func() {
			for change := range changes.ResultChan() {
				object, ok := change.Object.(client.Object)
				if !ok {
					// The end of a watch can look like a failure of it.
					if !stopped.Load() {
						t.Errorf("watch the chaos objects: %+v", change.Object)
					}
					continue
				}
				if change.Type == watch.Added {
					mu.Lock()
					names = append(names, object.GetName())
					mu.Unlock()
				}
			}
		})
	}
	stop := sync.OnceFunc(func() {
		stopped.Store(true)
		for _, stop := range stops {
			stop()
		}
		watching.Wait()
	})
	t.Cleanup(stop)
	return func() []string {
		stop()
		return names
	}
}

// faultless says which chaos objects of ours are there.
func (s *site) faultless(ctx context.Context) error {
	found, err := s.faults(ctx)
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("%d chaos objects are there, such as %T %s", len(found), found[0], found[0].GetName())
	}
	return err
}

// unheld says whether somebody holds the target.
func (s *site) unheld(ctx context.Context) error {
	held := &coordinationv1.Lease{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: emco, Name: lease.Name}, held)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("read the lease: %w", err)
	}
	return errors.New("the lease is there")
}

// removed removes what runs left in EMCO. A pod that was replaced is ready some
// time before all its clients know of it.
func (s *site) removed(ctx context.Context) error {
	return poll(ctx, func(ctx context.Context) error {
		printed, err := s.command(ctx, "emco-chaos", "clean", "--target", s.target).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, printed)
		}
		return nil
	})
}

// clean checks that nothing is left on the cluster and in EMCO.
func (s *site) clean(t *testing.T) {
	t.Helper()
	if err := errors.Join(s.faultless(t.Context()), s.unheld(t.Context())); err != nil {
		t.Error(err)
	}
	output, code := s.chaos(t, "clean", "--target", s.target)
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if last := lines[len(lines)-1]; code != 0 || !strings.HasPrefix(last, nothingToClean) {
		t.Errorf("clean: exit code %d, %q", code, last)
	}
}

// nothingToClean is how what `emco-chaos clean` says begins where no run left
// anything.
const nothingToClean = "0 resources of 0 attempts removed"
