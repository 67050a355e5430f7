package chaosmesh

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// watched is a kind of object that the driver watches.
type watched struct {
	resource string
	object   client.Object
	list     client.ObjectList
}

// watch begins to watch, and returns when all that is there has been told.
func (d *Driver) watch(ctx context.Context, config *rest.Config) error {
	kinds := []watched{
		{pods, &corev1.Pod{}, &corev1.PodList{}},
		{endpointSlices, &discoveryv1.EndpointSlice{}, &discoveryv1.EndpointSliceList{}},
	}
	for _, kind := range fault.Kinds() {
		kinds = append(kinds, watched{resource(kind.Name), fault.New(kind.Name), kind.NewList()})
	}
	namespaces := map[string]cache.Config{}
	for _, namespace := range d.options.Namespaces {
		namespaces[namespace] = cache.Config{}
		for _, kind := range kinds {
			if err := d.allowed(ctx, kind, namespace); err != nil {
				return err
			}
		}
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
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	var told []toolscache.InformerSynced
	for _, kind := range kinds {
		informer, err := watches.GetInformer(ctx, kind.object)
		if err == nil {
			var registration toolscache.ResourceEventHandlerRegistration
			registration, err = informer.AddEventHandler(d.handler())
			if err == nil {
				told = append(told, registration.HasSynced)
			}
		}
		if err != nil {
			stop()
			return fmt.Errorf("%s: %w", kind.resource, err)
		}
	}
	d.work.Go(func() {
		// It ends with its context alone, and then without an error.
		_ = watches.Start(watching)
	})
	if !toolscache.WaitForCacheSync(ctx.Done(), told...) {
		stop()
		d.work.Wait()
		return ctx.Err()
	}
	return nil
}

// allowed tries what the watches will do. One that is not allowed is tried
// for ever and says nothing.
func (d *Driver) allowed(ctx context.Context, kind watched, namespace string) error {
	if err := d.client.List(ctx, kind.list, client.InNamespace(namespace), client.Limit(1)); err != nil {
		return explain(err, "list", kind.resource, namespace)
	}
	trial, err := d.client.Watch(ctx, kind.list, client.InNamespace(namespace),
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: kind.list.GetResourceVersion()}})
	if err != nil {
		return explain(err, "watch", kind.resource, namespace)
	}
	trial.Stop()
	return nil
}

// handler takes what the watches tell.
func (d *Driver) handler() toolscache.ResourceEventHandler {
	take := func(told any, gone bool) {
		now := time.Now()
		last, unseen := told.(toolscache.DeletedFinalStateUnknown)
		if unseen {
			told = last.Obj
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		switch object := told.(type) {
		case *corev1.Pod:
			d.podTold(object, gone, now)
		case *discoveryv1.EndpointSlice:
			d.sliceTold(object, gone, now)
		case fault.Object:
			d.chaosTold(object, gone, unseen, now)
		}
		close(d.changed)
		d.changed = make(chan struct{})
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { take(object, false) },
		UpdateFunc: func(before, object any) {
			if replaced(before, object) {
				take(toolscache.DeletedFinalStateUnknown{Obj: before}, true)
			}
			take(object, false)
		},
		DeleteFunc: func(object any) { take(object, true) },
	}
}

// replaced says whether an object is another one than the one before it of the
// same name. After an interruption a watch tells that as a change, and not that
// the first one went.
func replaced(before, object any) bool {
	first, one := before.(metav1.Object)
	second, other := object.(metav1.Object)
	return one && other && first.GetUID() != second.GetUID()
}

func (d *Driver) podTold(pod *corev1.Pod, gone bool, now time.Time) {
	if gone {
		delete(d.pods, pod.UID)
		delete(d.remaining, pod.UID)
	} else {
		d.pods[pod.UID] = pod
	}
	for _, a := range d.faults {
		if a.outage != nil {
			a.outage.told(pod, gone, now)
			a.progress(now)
		}
	}
}

func (d *Driver) sliceTold(slice *discoveryv1.EndpointSlice, gone bool, now time.Time) {
	if gone {
		delete(d.slices, slice.UID)
	} else {
		d.slices[slice.UID] = slice
	}
	for _, a := range d.faults {
		a.routesTold(now)
	}
}

// chaosTold: the watch tells something of a fault's object. That it went unseen
// means that the object is an older state than its last.
func (d *Driver) chaosTold(object fault.Object, gone, unseen bool, now time.Time) {
	id := identify(object)
	if a, there := d.faults[id]; there {
		a.told(object, gone, now)
	}
	if leaving, waited := d.leaving[id]; waited {
		leaving.last, leaving.final = object, gone && !unseen
		if gone {
			d.left(id)
		}
	}
}

// departure is an object that is to go.
type departure struct {
	// last is the object as the watch told last of it, and final says that it
	// was that when it went.
	last  fault.Object
	final bool
	// seen is closed when it was seen gone.
	seen chan struct{}
}

// left: the object was seen gone.
func (d *Driver) left(id identity) {
	if leaving, waited := d.leaving[id]; waited {
		close(leaving.seen)
		delete(d.leaving, id)
	}
}

// interrupted tells whoever has a fault on that a watch was interrupted: what
// happens meanwhile is seen later.
func (d *Driver) interrupted(what string, err error) {
	if errors.Is(err, io.EOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return // the usual end of a watch, which is taken up again at once
	}
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.faults {
		if !a.created.IsZero() && !a.removed {
			a.note(now, fmt.Sprintf("the watch of %s was interrupted, what happens now is seen later: %v", what, err))
		}
	}
}
