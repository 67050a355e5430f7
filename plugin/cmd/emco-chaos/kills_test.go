package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

var (
	kills    = flag.Int("kills", 6, "how many runs TestKills kills at a random moment")
	killSeed = flag.Uint64("kill-seed", 1, "what the moments and the victims of TestKills follow from")
)

// longestLife bounds the random moment of a kill: most runs have ended then.
const longestLife = 7 * time.Second

// victims are what a kill can hit, in turn: each a list of processes that die at
// once. "service" is a process of the emulated EMCO, at random.
var victims = [][]string{
	{"command"}, {"plugin"}, {"service"}, {"service"},
	{"command", "plugin"}, {"command", "service"}, {"plugin", "service"}, {"service", "service"},
}

// TestKills: whatever dies at whatever moment, no process is left, clean takes
// back what was made, and no run passes or fails on what it cannot have seen.
func TestKills(t *testing.T) {
	t.Parallel()
	names := experiments.Names()
	for i := range *kills {
		random := rand.New(rand.NewPCG(*killSeed, uint64(i)))
		dying := victims[i%len(victims)]
		t.Run(fmt.Sprintf("%d %s", i, strings.Join(dying, " and ")), func(t *testing.T) {
			t.Parallel()
			killAt(t, names[random.IntN(len(names))], dying, time.Duration(random.Int64N(int64(longestLife))), random)
		})
	}
}

// killAt kills during a run of an experiment, a time after its start.
func killAt(t *testing.T, experiment string, dying []string, after time.Duration, random *rand.Rand) {
	target := emulated(t)
	command := start(t, "run", experiment, "--attempts", "1", "--target", target, "--plugin-dir", bin)
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case <-time.After(after):
	case <-ended:
		t.Logf("%s had ended before %v", experiment, after)
		return
	}
	below := descendants(t, command.Process.Pid)
	services := below
	var died []death
	for _, kind := range dying {
		var one death
		switch kind {
		case "command":
			one = death{what: kind, pid: command.Process.Pid}
		case "plugin":
			one = pick(kind, below, random, "emco-chaos-plugin-emco")
		default:
			services = maps.Clone(services)
			one = pick(kind, services, random, "emco-emulator orchestrator", "emco-emulator dcm", "emco-emulator clm", "emco-emulator rsync", "emco-emulator mongo")
			delete(services, one.pid)
		}
		if one.pid == 0 || !alive(one.pid) {
			continue
		}
		one.at = time.Now()
		if err := syscall.Kill(one.pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		t.Logf("%v after the start of %s: killed %s", after, experiment, one.what)
		died = append(died, one)
	}
	select {
	case <-ended:
	case <-time.After(4 * time.Minute):
		t.Fatalf("the command has not ended:\n%s", command.out)
	}
	noneLeft(t, filepath.Dir(target), below)
	clean(t, target)
	if output := clean(t, target); !strings.Contains(output, "0 resources of 0 attempts removed") {
		t.Errorf("something was left:\n%s", output)
	}
	records := command.records(t)
	for _, one := range died {
		if wrong := one.disproves(records); wrong != "" {
			t.Errorf("%s\n%s", wrong, command.out)
		}
	}
}

// death is a process that was killed by the test.
type death struct {
	what string
	pid  int
	at   time.Time
}

// pick picks one of the processes whose command line has one of the texts.
func pick(kind string, processes map[int]string, random *rand.Rand, texts ...string) death {
	var found []death
	for _, pid := range slices.Sorted(maps.Keys(processes)) {
		for _, text := range texts {
			if strings.Contains(processes[pid], text+" ") || strings.HasSuffix(processes[pid], text) {
				found = append(found, death{what: text[strings.LastIndex(text, " ")+1:], pid: pid})
			}
		}
	}
	if len(found) == 0 {
		return death{what: kind}
	}
	return found[random.IntN(len(found))]
}

// disproves says why the verdict cannot be true, as it came after the death;
// empty if there is none, or if it can.
func (d death) disproves(records []journal.Record) string {
	given := slices.IndexFunc(records, event(plan.GivenStep, "passed"))
	var last journal.Record
	for _, record := range records {
		if record.Kind == journal.Verdict {
			last = record
		}
	}
	said := verdict.Verdict(last.Verdict)
	switch {
	case said != verdict.Passed && said != verdict.Failed, last.Time.Before(d.at):
		return ""
	case d.what != "command" && (given < 0 || d.at.Before(records[given].Time)):
		return "" // it died, and was back, before anything was to be seen
	case d.named(records):
		return ""
	}
	return fmt.Sprintf("%s %s at %v, although %s was killed at %v", said, last.Text, last.Time, d.what, d.at)
}

// named reports whether a fault had the process down, or on its way back, when
// it was killed once more: that it came back later is then all that changed.
func (d death) named(records []journal.Record) bool {
	compiled := records[0].Plan
	for _, step := range compiled.Steps {
		if step.Fault == nil || !strings.Contains(step.Fault.Summary, d.what) {
			continue
		}
		created := slices.IndexFunc(records, event(step.Name, plan.Created))
		ready := slices.IndexFunc(records, event(step.Name, plan.Ready))
		if created >= 0 && !d.at.Before(records[created].Time) && (ready < 0 || !d.at.After(records[ready].Time)) {
			return true
		}
	}
	return false
}

// noneLeft checks that all processes of a run have ended: those that were seen
// below its command, and those that name its folder.
func noneLeft(t *testing.T, folder string, below map[int]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	running := func() (left []string) {
		_, lines := processes(t)
		for pid, line := range lines {
			if _, seen := below[pid]; (seen || strings.Contains(line, folder)) && alive(pid) {
				left = append(left, line)
			}
		}
		return left
	}
	left := running()
	for ; len(left) > 0 && ctx.Err() == nil; left = running() {
		// Nobody tells of the end of another's children.
		pause(ctx, 20*time.Millisecond)
	}
	if len(left) > 0 {
		t.Errorf("these processes are left: %q", left)
	}
}
