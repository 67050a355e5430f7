package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/probes/access"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"golang.org/x/sys/unix"
)

// shop is an application that a user has deployed by files, on an emulated
// EMCO whose target names it.
type shop struct {
	target string
	group  string // the anchor of its deployment intent group
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{target: emulated(t)}
	folder := filepath.Join(t.TempDir(), "gms")
	s.run(t, 0, nil, "gms", "--dir", folder, "--target", s.target, "--apps", "adservice,redis")
	files := []string{
		"--target", s.target, "-f", filepath.Join(folder, "prerequisites.yaml"), "-f", filepath.Join(folder, "deployment.yaml"),
		"-v", filepath.Join(folder, "values.yaml"),
	}
	s.run(t, 0, nil, append([]string{"apply"}, files...)...)

	file, err := os.OpenFile(s.target, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// The settings are the last of an emulated EMCO's target file.
	if _, err := file.WriteString(`    existing:
      project: gmsproj1
      logicalCloud: default
      compositeApp: gms-collection-composite-app
      compositeAppVersion: v1
      dig: gms-collection-deployment-intent-group
`); err != nil {
		t.Fatal(err)
	}
	s.group = "projects/gmsproj1/composite-apps/gms-collection-composite-app/v1/deployment-intent-groups/gms-collection-deployment-intent-group"
	return s
}

// run runs the built command, and demands an exit code.
func (s *shop) run(t *testing.T, want int, in io.Reader, args ...string) (out, errs string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(bin, "emco-chaos"), args...)
	var outBuffer, errsBuffer bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = in, &outBuffer, &errsBuffer
	err := command.Run()
	if exit, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	} else if code := command.ProcessState.ExitCode(); code != want {
		t.Fatalf("emco-chaos %s: exit %d, want %d (%v)\n%s%s", strings.Join(args, " "), code, want, exit, &outBuffer, &errsBuffer)
	}
	return outBuffer.String(), errsBuffer.String()
}

// experiment runs experiments, and returns their journal too.
func (s *shop) experiment(t *testing.T, want int, in io.Reader, args ...string) (records []journal.Record, out, errs string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "journal.jsonl")
	out, errs = s.run(t, want, in, append([]string{"run", "--target", s.target, "--journal", file}, args...)...)
	return (&started{journal: file}).records(t), out, errs
}

// history is all that EMCO was ever told to do with the application.
func (s *shop) history(t *testing.T) (emco.Status, []emco.State) {
	t.Helper()
	target, problems := target.Read(s.target)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	driven(t, target)
	reached, err := access.Of(target)
	if err != nil {
		t.Fatal(err)
	}
	client, err := emco.New(reached.Client)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answer, err := client.Do(ctx, emco.Get(s.group+"/status"))
	if err != nil {
		t.Fatal(err)
	}
	status, err := answer.Status()
	if err != nil {
		t.Fatal(err)
	}
	return status, status.History
}

// terminal is a terminal at which somebody has typed an answer.
func terminal(t *testing.T, answer string) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine has no terminals to give: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if _, err := master.WriteString(answer); err != nil {
		t.Fatal(err)
	}
	return slave
}

// TestUseExisting: with the flag and the user's yes, runs work on what the
// user has deployed, and leave it there; else they do not touch it.
func TestUseExisting(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	const told = "gms-collection-deployment-intent-group: brought to Instantiated before each attempt (approve, instantiate if it is Created; " +
		"instantiate if it is Approved; instantiate if it is Terminated); then the experiment: terminate\n"

	// Nobody to ask, and nobody who agrees: nothing is done.
	for _, test := range []struct {
		in   func() io.Reader
		want string
	}{
		{func() io.Reader { return nil }, "nobody can be asked, because the standard input is no terminal, and nothing was done; say --yes to go on without being asked\n"},
		{func() io.Reader { return strings.NewReader("y\n") }, "nobody can be asked"},
		{func() io.Reader { return terminal(t, "\n") }, "go on? [y/N] --use-existing: nothing was done; answer y to go on"},
		{func() io.Reader { return terminal(t, "nay\n") }, "nothing was done"},
	} {
		records, out, errs := shop.experiment(t, 2, test.in(), "dig-terminate-in-flight", "--use-existing")
		if len(records) > 0 || out != "" || !strings.Contains(errs, told) || !strings.Contains(errs, test.want) {
			t.Errorf("%s%s\n%v", out, errs, records)
		}
	}
	if _, _, errs := shop.experiment(t, 2, nil, "dig-terminate-in-flight", "--yes"); !strings.Contains(errs, "--yes stands without --use-existing") {
		t.Error(errs)
	}
	if _, _, errs := shop.experiment(t, 2, nil, "cluster-provider-clm-restart", "--use-existing", "--yes"); !strings.Contains(errs, "run this experiment without --use-existing") {
		t.Error(errs)
	}

	// Without the flag a run has resources of its own, whatever the target names.
	records, _, errs := shop.experiment(t, 0, nil, "dig-terminate-in-flight")
	if made(records) == 0 || errs != "" {
		t.Errorf("%d made, %s", made(records), errs)
	}

	records, out, _ := shop.experiment(t, 0, terminal(t, "y\n"), "dig-terminate-in-flight", "dig-instantiate-in-flight", "--use-existing")
	checkExisting(t, records, out, shop.group+" Terminated (Deleted 4)", shop.group+" Instantiated (Applied 4)")

	// The history, which only grows, has what the user did, and the two runs
	// that were agreed to, and nothing of all the others.
	want := []emco.State{emco.Created, emco.Approved, emco.Instantiated, emco.Terminated, emco.Approved, emco.Instantiated}
	if status, got := shop.history(t); !slices.Equal(got, want) || status.Deployed != emco.Instantiated {
		t.Errorf("%s, after %v, want %v", status, got, want)
	}
}

// TestExistingIsBroughtBack: each attempt begins in the given state, whatever
// the one before has left.
func TestExistingIsBroughtBack(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	// EMCO takes the call, and so there is no verdict.
	file := filepath.Join(t.TempDir(), "experiment.yaml")
	if err := os.WriteFile(file, []byte(`apiVersion: emco-chaos/v1
kind: Experiment
metadata: {name: unexpected}
spec:
  title: A call is refused by nobody
  control: true
  given: {for: dig.terminate}
  steps:
    call: {call: dig.terminate, expect: refused}
  evidence: [call.failed]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	records, _, _ := shop.experiment(t, 3, nil, "-f", file, "--use-existing", "--yes", "--attempts", "2")
	var calls []string
	for _, record := range records {
		if record.Kind == journal.Result && record.Step == plan.GivenStep {
			calls = append(calls, record.Evidence["calls"])
		}
	}
	if !slices.Equal(calls, []string{"none", "dig.instantiate"}) {
		t.Errorf("the attempts were begun by %q", calls)
	}
	if made(records) > 0 {
		t.Errorf("%d resources were made", made(records))
	}
}

func made(records []journal.Record) int {
	count := 0
	for _, record := range records {
		if record.Kind == journal.Resource {
			count++
		}
	}
	return count
}

func checkExisting(t *testing.T, records []journal.Record, out string, left ...string) {
	t.Helper()
	if made(records) > 0 || slices.ContainsFunc(records, func(r journal.Record) bool { return r.Kind == journal.Left }) {
		t.Errorf("the journal has resources: %v", records)
	}
	for _, state := range left {
		// The run says it on the way, and its report at the end.
		if want := "nothing was removed; left as they are: projects/gmsproj1/logical-clouds/default Instantiated, " + state + "\n"; strings.Count(out, want) != 2 {
			t.Errorf("the run and its report do not both say %q:\n%s", want, out)
		}
	}
}
