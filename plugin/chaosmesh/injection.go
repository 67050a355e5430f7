package chaosmesh

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// readLimit is how long the API server may take to return an object.
const readLimit = 3 * time.Second

// superviseInjection finds out what is wrong when the injection takes too long:
// Chaos Mesh has said nothing, it has failed and tries again, or it has selected
// nothing. What the watches have reported may be late, so nobody is blamed
// before the API server was asked.
func (f *activeFault) superviseInjection() {
	d, limits := f.driver, f.driver.options.Limits
	d.mu.Lock()
	defer d.mu.Unlock()
	since, last := time.Now(), ""
	answer := since.Add(limits.Answer)
	for f.injecting() {
		if !f.injected.IsZero() && !f.compared {
			difference, err := f.compareRules(f.records)
			if now := time.Now(); f.injecting() && (err == nil || now.After(answer)) {
				f.compare(now, cmp.Or(difference, err))
				f.compared = true
				f.advance(now)
			} else if d.wait(d.lifetime, now.Add(retryPause)) != nil {
				return
			}
			continue
		}
		now, symptom, limit := time.Now(), "", limits.Answer
		switch {
		case failure(f.status()) != "":
			symptom, limit = "failing", limits.Retry
		case selectedNothing(f.status()):
			symptom, limit = "empty", limits.Select
		}
		if symptom != last {
			last, since = symptom, now
		}
		due := earlier(answer, since.Add(limit))
		if now.Before(due) {
			if d.wait(d.lifetime, due) != nil {
				return
			}
			continue
		}
		object, warning, err := f.ask()
		now = time.Now()
		if object != nil && f.injecting() && !f.gone {
			f.changed(object, false, false, now)
		}
		if !f.injecting() || !f.injected.IsZero() {
			continue
		}
		switch status, late := f.status(), !now.Before(answer); {
		case failure(status) != "":
			f.fail(now, f.uninjectable(status))
		case late && err != nil:
			f.fail(now, fmt.Errorf("%s was not seen to be injected within %v, and the API server does not say what has become of it: %w", f, limits.Answer, err))
		case late && object == nil:
			f.fail(now, fmt.Errorf("%s has gone before it was injected, and emco-chaos did not remove it: leave the objects of a run alone while it is under way", f))
		case selectedNothing(status) && (late || warning != ""):
			f.discard(now, warning)
		case late:
			f.fail(now, f.unanswered(status))
		default:
			since = now // it is asked again, and has until then
		}
	}
}

func earlier(a, b time.Time) time.Time { return slices.MinFunc([]time.Time{a, b}, time.Time.Compare) }

func later(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// get asks the API server for the object, nil when it is gone. It gives up the lock meanwhile.
func (f *activeFault) get(ctx context.Context) (fault.Object, error) {
	object := f.empty()
	err := f.driver.unlocked(func() error {
		return f.driver.client.Get(ctx, f.NamespacedName, object)
	})
	switch {
	case isGone(err), err == nil && f.uid != "" && object.GetUID() != f.uid:
		return nil, nil
	case err != nil:
		return nil, f.explain(err, "get")
	}
	return object, nil
}

// ask is [activeFault.get], with Chaos Mesh's warning if the object has selected nothing.
func (f *activeFault) ask() (object fault.Object, warning string, err error) {
	ctx, cancel := context.WithTimeout(f.driver.lifetime, readLimit)
	defer cancel()
	object, err = f.get(ctx)
	if object != nil && selectedNothing(object.GetStatus()) {
		err = f.driver.unlocked(func() error { warning = f.driver.warning(ctx, object); return nil })
	}
	return object, warning, err
}

// discard removes an object that has selected no pod although there was one, or,
// if Chaos Mesh has not warned of that, that it may not have. That is done at once,
// since any change would have it select again, whatever there is then.
func (f *activeFault) discard(now time.Time, warning string) {
	why := fmt.Errorf("nothing was selected by Chaos Mesh for %s (%s), although there were such pods just before: "+
		"they went meanwhile, or Chaos Mesh does not look after their namespace; it was removed", f, warning)
	if warning == "" {
		why = fmt.Errorf("no pod was written down by Chaos Mesh for %s within %v: it selected none, or it is slow to inject: %s; the object was removed",
			f, f.driver.options.Limits.Answer, controllerLog)
	}
	f.fail(now, why)
	if err := f.driver.unlocked(func() error { return f.driver.takeBack(f.object) }); err != nil {
		f.note(time.Now(), fmt.Sprintf("%s selected nothing and could not be removed: %v", f, err))
	}
}

// Commands that look at the parts of Chaos Mesh, by the labels of its own chart.
const (
	ofDaemon      = " --selector app.kubernetes.io/component=chaos-daemon"
	ofController  = " --selector app.kubernetes.io/component=controller-manager"
	getDaemon     = "kubectl --namespace " + Namespace + " get pods" + ofDaemon + " --output wide"
	getController = "kubectl --namespace " + Namespace + " get pods" + ofController
	daemonLog     = "kubectl --namespace " + Namespace + " logs" + ofDaemon + " --prefix --since 5m"
	controllerLog = "kubectl --namespace " + Namespace + " logs" + ofController + " --since 5m"
)

func (f *activeFault) uninjectable(status *v1alpha1.ChaosStatus) error {
	record, message := broken(status, v1alpha1.Apply)
	node := "its node"
	if pod := f.driver.podNamed(podOf(record)); pod != nil && pod.Spec.NodeName != "" {
		node = "node " + pod.Spec.NodeName
	}
	where := "the cause is in the log of chaos-daemon on " + node + ": " + daemonLog
	switch {
	case strings.Contains(message, "cannot find daemonIP"):
		where = "chaos-daemon does not run on " + node + ": " + getDaemon
	case daemonIsSilent.MatchString(message):
		where = "chaos-daemon on " + node + " does not answer: " + getDaemon
	case f.outage != nil && f.outage.action != v1alpha1.ContainerKillAction:
		// It does that without the daemon.
		where = "the cause is in the log of chaos-controller-manager: " + controllerLog
	}
	return fmt.Errorf("on %s Chaos Mesh says: %s; %s", record.Id, strings.TrimSpace(message), where)
}

var daemonIsSilent = regexp.MustCompile("connection refused|code = (Unavailable|DeadlineExceeded)")

func (f *activeFault) unanswered(status *v1alpha1.ChaosStatus) error {
	limit := f.driver.options.Limits.Answer
	if len(status.Experiment.Records) == 0 {
		return fmt.Errorf("nobody has touched %s within %v: Chaos Mesh's chaos-controller-manager does not run, or does not look after namespace %s: %s",
			f, limit, f.Namespace, getController)
	}
	return fmt.Errorf("the fault %s is not on %s within %v, and Chaos Mesh does not say why: does chaos-daemon run on the node? %s",
		f, targets(status), limit, getDaemon)
}

// warning is Chaos Mesh's last warning that it could not select anything for an
// object, which it does not try again. Without the right to read events it is empty.
func (d *Driver) warning(ctx context.Context, object fault.Object) string {
	var events corev1.EventList
	if d.client.List(ctx, &events, client.InNamespace(object.GetNamespace()),
		client.MatchingFields{"involvedObject.uid": string(object.GetUID()), "type": corev1.EventTypeWarning}) != nil {
		return ""
	}
	var latest corev1.Event
	for _, event := range events.Items {
		if strings.Contains(event.Message, "select targets") && !event.LastTimestamp.Before(&latest.LastTimestamp) {
			latest = event
		}
	}
	return latest.Message
}
