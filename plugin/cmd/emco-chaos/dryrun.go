package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/target"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// previewActivity is the plugin's activity that takes the arguments of the
	// one for the given state, and only tells what that would make.
	previewActivity = "preview"
	// previewRun stands for the name of a run.
	previewRun = "run"
)

// dryRun prints what the runs would touch: the pods that each fault would select,
// and the resources of the system under test. What a run would refuse is refused.
func (s *session) dryRun(ctx context.Context, plans []*plan.Plan, target *target.Target, plugin *run.Plugin) error {
	pods, err := s.podsOf(ctx, target)
	if err != nil {
		return err
	}
	description, err := plugin.Describe(ctx)
	if err != nil {
		return failure(err)
	}
	previews := slices.ContainsFunc(description.Activities, func(activity sdk.Activity) bool { return activity.Name == previewActivity })
	var refused []error
	for _, compiled := range plans {
		fmt.Fprintf(s.out, "%s: nothing is started; a run would do this\n", compiled.Experiment)
		for _, err := range []error{printFaults(ctx, s.out, pods, target, compiled), printResources(ctx, s.out, compiled, plugin, previews)} {
			if err != nil {
				refused = append(refused, fmt.Errorf("%s: %w", compiled.Experiment, err))
			}
		}
	}
	return failure(errors.Join(refused...))
}

// podsOf returns a reader of the target's pods.
func (s *session) podsOf(ctx context.Context, target *target.Target) (client.Reader, error) {
	if target.Driver.Kubernetes == nil {
		description, err := local.Load(target.Driver.Local.Cluster)
		return described{Description: description}, err
	}
	cluster, _, err := run.Connect(target)
	if err != nil {
		return nil, failure(err)
	}
	for _, namespace := range run.Namespaces(target) {
		state, err := lease.Read(ctx, cluster, namespace)
		if err != nil {
			return nil, failure(fmt.Errorf("target %s: %w", target.Name, err))
		}
		if state.Held() && time.Now().Before(state.Until()) {
			fmt.Fprintf(s.errs, "%s is at work on the target: a run would have to wait\n", state)
		}
	}
	return cluster, nil
}

// printFaults prints which pods each fault would select now. The error is what
// the driver would refuse.
func printFaults(ctx context.Context, out io.Writer, reader client.Reader, target *target.Target, compiled *plan.Plan) error {
	var refused []error
	fmt.Fprintln(out, "  faults on")
	for _, step := range compiled.Steps {
		if step.Fault == nil {
			continue
		}
		object, err := fault.Decode(step.Fault.Object)
		if err != nil {
			return fmt.Errorf("step %s: %w", step.Name, err)
		}
		fault.Stamp(object, previewRun, 1, compiled.Experiment, step.Name)
		if local, is := reader.(described); is {
			err = local.Check(object)
		}
		var pods []corev1.Pod
		if err == nil {
			pods, err = chaosmesh.Select(ctx, reader, run.Namespaces(target), object)
		}
		if err != nil {
			refused = append(refused, fmt.Errorf("step %s (%s): %w", step.Name, step.Fault.Summary, err))
			continue
		}
		fmt.Fprintf(out, "    %-12s %s\n", step.Name, step.Fault.Summary)
		for _, pod := range pods {
			fmt.Fprintf(out, "    %-12s   pod %s/%s\n", "", pod.Namespace, pod.Name)
		}
	}
	return errors.Join(refused...)
}

// printResources prints the calls to the system under test, and the resources
// that would be made there or are worked on.
func printResources(ctx context.Context, out io.Writer, compiled *plan.Plan, plugin asker, previews bool) error {
	fmt.Fprintln(out, "  calls")
	for _, step := range compiled.Steps {
		if step.Activity != nil && step.Activity.Lasting {
			fmt.Fprintf(out, "    %-12s %s\n", step.Name, step.Activity.Summary)
		}
	}
	tell := func(text string) { fmt.Fprintf(out, "    %s\n", text) }
	given := compiled.Given.Activity
	switch {
	case len(compiled.BlastRadius) > 0:
		fmt.Fprintln(out, "  resources that exist already")
		for _, text := range compiled.BlastRadius {
			tell(text)
		}
		return nil
	case given == nil:
		return nil
	case !previews:
		fmt.Fprintf(out, "  resources: %s; the plugin does not tell which\n", given.Summary)
		return nil
	}
	fmt.Fprintf(out, "  resources of its own, with the run's name in place of %q\n", previewRun)
	result, err := plugin.Ask(ctx, sdk.Task{
		Run: previewRun, Timeout: time.Minute, Activity: previewActivity, Arguments: maps.Clone(given.Arguments),
	}, tell)
	switch {
	case err != nil:
		return fmt.Errorf("ask the plugin what a run would make: %w", err)
	case result.Conclusion != sdk.Passed:
		return fmt.Errorf("what a run would make: %s", result.Message)
	}
	tell(result.Message)
	return nil
}

// described lists the pods of a local cluster's description.
type described struct {
	client.Reader
	*local.Description
}

func (d described) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	pods, ok := list.(*corev1.PodList)
	if !ok {
		return fmt.Errorf("a local cluster has pods, and no %T", list)
	}
	asked := (&client.ListOptions{}).ApplyOptions(options)
	for _, one := range d.Pods {
		if (asked.Namespace == "" || asked.Namespace == d.Namespace) && (asked.LabelSelector == nil || asked.LabelSelector.Matches(labels.Set(one.Labels))) {
			var pod corev1.Pod
			pod.Namespace, pod.Name, pod.Labels, pod.Status.Phase = d.Namespace, one.Name, one.Labels, corev1.PodRunning
			pods.Items = append(pods.Items, pod)
		}
	}
	return nil
}
