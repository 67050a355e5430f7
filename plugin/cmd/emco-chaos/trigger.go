package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	chaosmesh "github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/controller"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What a Task of a Workflow gets from its pod.
const (
	// workflowEnv stands in for --workflow.
	workflowEnv = "EMCO_CHAOS_WORKFLOW"
	// scheduleEnv is the Schedule that made the Workflow, and scheduleUIDEnv its
	// UID, by which the dashboard finds Events: the account may not look for it.
	scheduleEnv    = "EMCO_CHAOS_SCHEDULE"
	scheduleUIDEnv = "EMCO_CHAOS_SCHEDULE_UID"
)

// takenUp is how long a controller may take to take a Run up: it does so before
// anything that takes time.
const takenUp = 1500 * time.Millisecond

// triggerOptions are the flags of trigger.
type triggerOptions struct {
	namespaced
	file    string
	spec    v1alpha1.RunSpec
	set     parameters
	wait    bool
	timeout time.Duration
}

func newTrigger(s *session) *cobra.Command {
	var options triggerOptions
	command := &cobra.Command{
		Use:   "trigger [NAME]",
		Short: "Create a Run of an experiment, for the controller in a cluster",
		Long: `Create a Run (runs.emco-chaos.io) of an experiment, for the controller in a
cluster. With --wait its timeline is printed as it goes on, and the exit code is
that of the verdict: 0 passed, 1 failed, 3 inconclusive, 4 error. The run goes on
when this command is interrupted: ` + "`kubectl delete ecrun NAME`" + ` ends it.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: s.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			options.spec.Experiment = strings.Join(args, "")
			return s.trigger(cmd.Context(), options)
		},
	}
	flags := command.Flags()
	options.namespaced.flags(command)
	flags.StringVarP(&options.file, "file", "f", "", "an experiment in a `FILE` of your own, in place of NAME")
	flags.StringVar(&options.spec.Workflow, "workflow", os.Getenv(workflowEnv), "the `NAME` of the Workflow that asks, in the same namespace; else $"+workflowEnv)
	options.set.flag(s, command, "a parameter of the experiment, as `NAME=VALUE`")
	flags.Int32Var(&options.spec.Attempts, "attempts", 0, "how often an inconclusive run is tried, `N` in all; 0 leaves it to the experiment")
	flags.BoolVar(&options.wait, "wait", false, "print what happens, and exit with the verdict's code")
	flags.DurationVar(&options.timeout, "timeout", time.Hour, "how long all of it may take, the other runs before it included")
	return command
}

// trigger creates a Run.
func (s *session) trigger(ctx context.Context, options triggerOptions) error {
	asked := &v1alpha1.Run{Spec: options.spec}
	asked.Spec.Parameters = options.set
	prefix := asked.Spec.Experiment
	if (options.file == "") == (prefix == "") {
		return errors.New("give the NAME of an experiment, or a FILE with -f")
	}
	if options.file != "" {
		text, err := os.ReadFile(options.file)
		if err != nil {
			return fmt.Errorf("read the experiment: %w", err)
		}
		prefix, asked.Spec.Text = "run", string(text)
	}
	cluster, namespace, err := options.connect()
	if err != nil {
		return err
	}
	// A name of our own: asking again when the answer was lost is no other run.
	asked.Namespace, asked.Name = namespace, fmt.Sprintf("%.57s-%s", prefix, strings.ToLower(rand.Text()[:5]))
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, options.timeout, fmt.Errorf("the run has not ended within %v", options.timeout))
	defer cancel()
	f := &follower{cluster: cluster, out: s.out, run: asked}
	// untilAnswered asks the API server until it answers.
	untilAnswered := func(ask func(context.Context) (bool, error)) error {
		var last error
		err := wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (done bool, err error) {
			if done, last = ask(ctx); lease.Transient(last) && ctx.Err() == nil {
				s.tell(fmt.Sprintf("%v; asking again", last))
				return false, nil
			}
			return done, last
		})
		if err == nil {
			return nil
		}
		// What the deadline cuts short can return just before ctx has ended.
		if deadline, _ := ctx.Deadline(); !time.Now().Before(deadline) {
			<-ctx.Done()
		}
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), last)
		}
		return err
	}
	err = untilAnswered(func(ctx context.Context) (bool, error) { return true, cluster.Create(ctx, asked) })
	switch {
	case apierrors.IsInvalid(err):
		return err
	case err != nil && !apierrors.IsAlreadyExists(err):
		return failure(fmt.Errorf("create the Run: %w", err))
	}
	fmt.Fprintf(s.out, "run %s is created\n", asked.Name)
	if !options.wait {
		return nil
	}
	var telling sync.WaitGroup
	defer telling.Wait()
	following, ended := context.WithCancel(ctx)
	defer ended()
	waiting := asked.DeepCopy()
	telling.Go(func() { s.tellUntaken(following, cluster, waiting) })
	if err := untilAnswered(f.follow); err != nil {
		return failure(fmt.Errorf("%w; if run %s has not ended it goes on: kubectl -n %s get ecrun %s", err, asked.Name, namespace, asked.Name))
	}
	return f.summary()
}

// tellUntaken tells of a Run that no controller has taken up by the time that one would.
func (s *session) tellUntaken(ctx context.Context, cluster client.Client, run *v1alpha1.Run) {
	select {
	case <-time.After(takenUp):
	case <-ctx.Done():
		return
	}
	if err := cluster.Get(ctx, client.ObjectKeyFromObject(run), run); err != nil || run.Status.Phase != "" {
		return
	}
	text := fmt.Sprintf("waits for a controller: none has taken it up within %v; is one running in this namespace?", takenUp)
	s.tell("the run " + text)
	if err := tellWaits(ctx, cluster, run, text); err != nil {
		s.tell(fmt.Sprintf("no Event tells of it: %v", err))
	}
}

// tellWaits writes the Events of a Run that waits for a controller, in its place.
// Who may not write Events writes none.
func tellWaits(ctx context.Context, cluster client.Client, run *v1alpha1.Run, text string) error {
	onSchedule := fmt.Sprintf("%s (run %s)", text, run.Name)
	var errs []error
	for _, each := range []struct {
		version, kind, name, uid, text string
	}{
		{v1alpha1.GroupVersion.String(), "Run", run.Name, string(run.UID), text},
		{fault.GroupVersion, chaosmesh.KindWorkflow, run.Spec.Workflow, "", text},
		{fault.GroupVersion, chaosmesh.KindSchedule, os.Getenv(scheduleEnv), os.Getenv(scheduleUIDEnv), onSchedule},
	} {
		if each.name == "" {
			continue
		}
		now := metav1.Now()
		err := cluster.Create(ctx, &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Namespace: run.Namespace, Name: fmt.Sprintf("%s.%s", each.name, strings.ToLower(rand.Text()[:10]))},
			InvolvedObject: corev1.ObjectReference{APIVersion: each.version, Kind: each.kind, Namespace: run.Namespace, Name: each.name, UID: types.UID(each.uid)},
			Type:           corev1.EventTypeWarning, Reason: "Waiting", Message: each.text,
			Source: controller.EventSource, Count: 1, FirstTimestamp: now, LastTimestamp: now,
		})
		if !apierrors.IsForbidden(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// follower follows a Run.
type follower struct {
	cluster client.WithWatch
	out     io.Writer
	run     *v1alpha1.Run
	// waits is the last reason to wait that was printed, and printed how many
	// lines of the timeline.
	waits   string
	printed int
}

// follow prints what happens until the Run has finished, or until the API
// server ends the watch.
func (f *follower) follow(ctx context.Context) (ended bool, err error) {
	key := client.ObjectKeyFromObject(f.run)
	if err := f.cluster.Get(ctx, key, f.run); apierrors.IsNotFound(err) {
		return false, errors.New("the Run was deleted")
	} else if err != nil {
		return false, fmt.Errorf("read the Run: %w", err)
	}
	if f.show() {
		return true, nil
	}
	one := metav1.SingleObject(f.run.ObjectMeta)
	changes, err := f.cluster.Watch(ctx, &v1alpha1.RunList{}, client.InNamespace(key.Namespace), &client.ListOptions{Raw: &one})
	if err != nil {
		return false, fmt.Errorf("watch the Run: %w", err)
	}
	defer changes.Stop()
	for change := range changes.ResultChan() {
		run, is := change.Object.(*v1alpha1.Run)
		if !is {
			break
		}
		f.run = run
		if f.show() {
			return true, nil
		}
	}
	return false, nil
}

// show prints what is new, and reports whether that was the end.
func (f *follower) show() (ended bool) {
	status := f.run.Status
	waits := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStarted)
	if status.StartTime == nil && waits != nil && waits.Message != f.waits {
		f.waits = waits.Message
		fmt.Fprintf(f.out, "run %s %s\n", f.run.Name, f.waits)
	}
	width := 0
	for _, moment := range status.Timeline {
		width = max(width, len(moment.Step))
	}
	for _, moment := range status.Timeline[min(f.printed, len(status.Timeline)):] {
		fmt.Fprintf(f.out, "%+9.3f s  %-*s  %s\n", moment.At.Seconds(), width, moment.Step, moment.Text)
	}
	f.printed = len(status.Timeline)
	return status.Phase == v1alpha1.Finished
}

// summary prints what came of the Run, and returns the exit code as an error.
func (f *follower) summary() error {
	status := f.run.Status
	fmt.Fprintf(f.out, "\n%s: %s\n", status.Experiment, strings.ToUpper(status.Verdict))
	line := func(text string, values ...any) { fmt.Fprintf(f.out, "  "+text+"\n", values...) }
	if status.Reason != "" {
		line("%s", status.Reason)
	}
	line("run %s, attempt %d", f.run.Name, status.Attempt)
	if status.Outage != nil {
		line("outage %v", status.Outage.Duration)
	}
	if status.RecoveredIn != nil {
		line("recovered in %v", status.RecoveredIn.Duration)
	}
	for _, claim := range status.Evidence {
		line("evidence %s: %s", map[bool]string{true: "yes", false: "NO "}[claim.Holds], claim.Text)
	}
	for _, left := range status.Left {
		line("left behind: %s", left)
	}
	var tally report.Tally
	tally.Add(verdict.Verdict(status.Verdict))
	return cli.Ended(tally.ExitCode())
}
