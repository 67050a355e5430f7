package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// localChecks is the table of checks of a local target, in their order.
var localChecks = []check{
	filesCheck,
	{name: "cluster", run: checkDescription},
	{
		name: "commands", needs: "cluster", over: (*examination).processes, run: checkCommand,
		sound: "the program of each process is there, and may be executed",
	},
	{name: "pods", needs: "cluster", over: (*examination).selecting, run: checkProcesses, none: noLabels},
	{name: "addresses", needs: "cluster", run: checkAddresses},
	{name: "start", needs: "cluster commands addresses", run: checkStart, unlimited: true},
	{
		name: "links", needs: "start", over: (*examination).links, run: checkLink,
		none: Finding{
			State: Warn, Message: "there is no link, so no fault can be put on the network",
			Remedy: "write links: into the cluster file, and have the processes connect to them",
		},
	},
	{name: "names", needs: "cluster", over: (*examination).outside, run: checkLinked},
	reachCheck,
	frontCheck,
	resourcesCheck,
	holdCheck,
	outageCheck,
	{name: "end", needs: "start", run: checkEnd, unlimited: true},
}

// vacantLimit is how long something may still answer in a process's place.
const vacantLimit = time.Second

// checkDescription reads the cluster file.
func checkDescription(_ context.Context, e *examination, _ string) {
	file := e.Target.Driver.Local.Cluster
	description, err := local.Load(file)
	problems, mistaken := errors.AsType[document.Problems](err)
	for _, problem := range problems {
		e.obstructed("", problem)
	}
	switch {
	case mistaken:
	case err != nil:
		e.say(Fail, file, "name the cluster file in the target file: driver: {local: {cluster: FILE}}", "%v", err)
	default:
		e.local = description
		e.say(OK, file, "", "%d processes and %d links", len(description.Pods), len(description.Links))
	}
}

// processes are the names of the processes.
func (e *examination) processes() (names []string) {
	for _, pod := range e.local.Pods {
		names = append(names, pod.Name)
	}
	return names
}

// links are the names of the links.
func (e *examination) links() (names []string) {
	for _, link := range e.local.Links {
		names = append(names, link.String())
	}
	return names
}

func checkCommand(_ context.Context, e *examination, name string) {
	e.obstructed(name, e.local.CheckCommand(e.local.Pods[slices.Index(e.processes(), name)]))
}

// obstructed says what keeps the cluster from being started, if anything does.
func (e *examination) obstructed(subject string, err error) bool {
	problem, is := errors.AsType[document.Problem](err)
	remedy := problem.Remedy
	if is {
		problem.Remedy = ""
		err = problem
	}
	if err != nil {
		e.say(Fail, subject, remedy, "%v", err)
	}
	return err != nil
}

// checkProcesses looks for the processes of a service, exactly as a fault selects them.
func checkProcesses(_ context.Context, e *examination, name string) {
	service := e.Target.Services[name]
	chosen, err := e.local.Select(service.Namespace, service.Labels)
	if problem, is := errors.AsType[document.Problem](err); is {
		err = errors.New(problem.Message)
	}
	if err != nil {
		e.say(Fail, name, "write its own into services."+name+" of the target file, or correct the cluster file", "%v", err)
		return
	}
	e.say(OK, name, "", "process %s", strings.Join(chosen, ", "))
}

// checkAddresses looks whether something else has the cluster's addresses, unless another process runs it.
func checkAddresses(ctx context.Context, e *examination, _ string) {
	err := e.local.Locked()
	if e.taken = errors.Is(err, local.ErrLocked); e.taken {
		e.say(Warn, "", "wait for the run to end, and look again", "not started, since the target is in use: %v", err)
		return
	}
	obstructed := e.obstructed("", err)
	for _, link := range e.local.Links {
		obstructed = e.obstructed("link "+link.String(), link.CheckListen()) || obstructed
	}
	for _, pod := range e.local.Pods {
		obstructed = e.obstructed(pod.Name, pod.CheckVacant(ctx, vacantLimit)) || obstructed
	}
	if !obstructed {
		e.say(OK, "", "", "nothing else has those of its links and its processes")
	}
}

// checkStart starts the processes, which stay until [checkEnd].
func checkStart(ctx context.Context, e *examination, _ string) {
	if e.taken {
		return
	}
	began := time.Now()
	switch driver, err := e.Open(ctx); {
	case err == nil:
		e.driver = driver
		e.say(OK, "", "", "all processes are ready, after %s", time.Since(began).Round(10*time.Millisecond))
	case ctx.Err() == nil:
		e.obstructed("", err)
	}
}

// checkLink connects to where a link leads.
func checkLink(ctx context.Context, e *examination, name string) {
	link := e.local.Links[slices.Index(e.links(), name)]
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", link.Connect)
	if err != nil {
		e.say(Fail, name, "start what it leads to, or correct connect: of the link in the cluster file",
			"nothing accepts a connection at %s, where it leads: %v", link.Connect, cause(ctx, err))
		return
	}
	// What was to be known is known.
	_ = connection.Close()
	e.say(OK, name, "", "leads to %s, which accepts connections", link.Connect)
}

// checkLinked looks for the links to a service that has no process.
func checkLinked(_ context.Context, e *examination, name string) {
	target := e.Target.Services[name].HostPort()
	var leading []string
	for _, link := range e.local.Links {
		if link.LeadsTo(target) {
			leading = append(leading, link.String())
		}
	}
	if len(leading) == 0 {
		e.say(Warn, name, fmt.Sprintf("write a link with external: %s into the cluster file", target), "faults that cut it off are refused: no link leads to %s", target)
		return
	}
	e.say(OK, name, "", "%s", strings.Join(leading, ", "))
}

// checkEnd ends the processes.
func checkEnd(_ context.Context, e *examination, _ string) {
	if e.driver == nil {
		return
	}
	err := e.driver.Close()
	e.driver = nil
	if err != nil {
		e.say(Warn, "", "have them end when they are sent SIGTERM", "%v", err)
		return
	}
	e.say(OK, "", "", "all processes have ended")
}
