package chaosmesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// watched is a kind of object that the driver watches; kind is set for those of faults.
type watched struct {
	kind     fault.Kind
	resource string
	object   client.Object
	list     client.ObjectList
}

// watch begins to watch, and returns when all that is there has been reported.
func (d *Driver) watch(ctx context.Context, config *rest.Config) error {
	kinds := []watched{
		{resource: pods, object: &corev1.Pod{}, list: &corev1.PodList{}},
		{resource: endpointSlices, object: &discoveryv1.EndpointSlice{}, list: &discoveryv1.EndpointSliceList{}},
	}
	for _, kind := range fault.Kinds() {
		kinds = append(kinds, watched{kind: kind, resource: resource(kind.Name), object: fault.New(kind.Name), list: kind.NewList()})
	}
	// All at once: a run waits for it.
	refused := make([]error, len(kinds))
	var trying sync.WaitGroup
	for i, kind := range kinds {
		trying.Go(func() { refused[i] = d.allowed(ctx, kind) })
	}
	trying.Wait()
	for i, kind := range kinds {
		if err := refused[i]; kind.kind.Optional && final(err) {
			d.unwatched[kind.kind.Name] = err
		} else if err != nil {
			return err
		}
	}
	kinds = slices.DeleteFunc(kinds, func(kind watched) bool { return d.unwatched[kind.kind.Name] != nil })
	namespaces := map[string]cache.Config{}
	for _, namespace := range d.options.Namespaces {
		namespaces[namespace] = cache.Config{}
	}
	watches, err := cache.New(config, cache.Options{
		Scheme:            d.client.Scheme(),
		Mapper:            d.client.RESTMapper(),
		DefaultNamespaces: namespaces,
		DefaultTransform:  cache.TransformStripManagedFields(),
		DefaultWatchErrorHandler: func(_ context.Context, reflector *toolscache.Reflector, err error) {
			d.interrupted(reflector.TypeDescription(), err)
		},
	})
	if err != nil {
		return err
	}
	d.watches = watches
	var synced []toolscache.DoneChecker
	for _, kind := range kinds {
		informer, err := watches.GetInformer(ctx, kind.object)
		if err != nil {
			return fmt.Errorf("%s: %w", kind.resource, err)
		}
		registration, err := informer.AddEventHandler(d.handler())
		if err != nil {
			return fmt.Errorf("%s: %w", kind.resource, err)
		}
		synced = append(synced, registration.HasSyncedChecker())
	}
	d.work.Go(func() {
		// It ends with its context alone, and then without an error.
		_ = watches.Start(d.lifetime)
	})
	if !toolscache.WaitFor(ctx, "", synced...) {
		return ctx.Err()
	}
	return nil
}

// allowed tries what the watches will do: one that is not allowed is tried for ever in silence.
func (d *Driver) allowed(ctx context.Context, kind watched) error {
	for _, namespace := range d.options.Namespaces {
		if err := d.client.List(ctx, kind.list, client.InNamespace(namespace), client.Limit(1)); err != nil {
			return explain(err, "list", kind.resource, namespace)
		}
		trial, err := d.client.Watch(ctx, kind.list, client.InNamespace(namespace),
			&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: kind.list.GetResourceVersion()}})
		if err != nil {
			return explain(err, "watch", kind.resource, namespace)
		}
		trial.Stop()
	}
	return nil
}

// handler takes what the watches report.
func (d *Driver) handler() toolscache.ResourceEventHandler {
	take := func(reported any, gone bool) {
		now := time.Now()
		last, unseen := reported.(toolscache.DeletedFinalStateUnknown)
		if unseen {
			reported = last.Obj
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		switch object := reported.(type) {
		case *corev1.Pod:
			d.podChanged(object, gone, now)
		case fault.Object:
			if f := d.faults[identify(object)]; f != nil {
				f.changed(object, gone, unseen, now)
			}
		}
		close(d.changed)
		d.changed = make(chan struct{})
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { take(object, false) },
		UpdateFunc: func(before, object any) {
			// After an interruption a watch reports another object of the same
			// name as a change, and not that the first one went.
			if before.(metav1.Object).GetUID() != object.(metav1.Object).GetUID() {
				take(toolscache.DeletedFinalStateUnknown{Obj: before}, true)
			}
			take(object, false)
		},
		DeleteFunc: func(object any) { take(object, true) },
	}
}

func (d *Driver) podChanged(pod *corev1.Pod, gone bool, now time.Time) {
	d.disturbed(d.pods[pod.UID], pod, gone, now)
	d.pods[pod.UID] = pod
	if gone {
		delete(d.pods, pod.UID)
		maps.DeleteFunc(d.residual, func(_ identity, left residualFault) bool {
			delete(left.pods, pod.UID)
			return len(left.pods) == 0
		})
	}
	for _, f := range d.faults {
		if f.outage != nil {
			f.outage.podChanged(pod, gone, d.live, now)
			f.advance(now)
		}
	}
}

// interrupted notes on each fault that a watch was interrupted.
func (d *Driver) interrupted(what string, err error) {
	if errors.Is(err, io.EOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return // the usual end of a watch, which is taken up again at once
	}
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.faults {
		if f.phase != "" {
			f.note(now, fmt.Sprintf("the watch of %s was interrupted, what happens now is seen later: %v", what, err))
		}
	}
}
