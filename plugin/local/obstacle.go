package local

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Locked returns an [ErrLocked] while another process runs the cluster.
func (d *Description) Locked() error {
	lock, err := takeLock(d.File + ".lock")
	if err == nil {
		err = lock.Close()
	}
	return err
}

// CheckCommand returns what keeps the process of a pod from being started, or from
// being ended, as a [document.Problem].
func (d *Description) CheckCommand(pod Pod) error {
	folder, program := filepath.Dir(d.File), pod.Command[0]
	refused := func(remedy, format string, arguments ...any) error {
		return refuse("", fmt.Sprintf("start pod %s: "+format, append([]any{pod.Name}, arguments...)...), remedy)
	}
	other := "name another program as the first word of its command; one that has a slash is looked for from " + folder
	if !strings.Contains(program, "/") {
		found, err := exec.LookPath(program)
		if err != nil {
			return refused(other, "%v", err)
		}
		program = found
	} else if !filepath.IsAbs(program) {
		program = filepath.Join(folder, program)
	}
	about, err := os.Stat(program)
	switch {
	case err != nil:
		return refused(other, "%v", err)
	case about.IsDir():
		return refused(other, "%s is a folder", program)
	case unix.Access(program, unix.X_OK) != nil:
		return refused("chmod +x "+program, "%s may not be executed (%v)", program, about.Mode())
	}
	owner, known := about.Sys().(*syscall.Stat_t)
	if us := os.Geteuid(); known && about.Mode()&os.ModeSetuid != 0 && us != 0 && int(owner.Uid) != us {
		return refused("chmod u-s "+program, "%s runs as user %d (setuid), whose processes we may not end", program, owner.Uid)
	}
	return nil
}

// CheckListen returns what keeps the link from listening.
func (l Link) CheckListen() error {
	reservation, err := reserve(l.Listen)
	if err != nil {
		return l.unbound(err)
	}
	return reservation.Close()
}

func (l Link) unbound(err error) error {
	return refuse("", fmt.Sprintf("listen at %s for the link %s: %v", l.Listen, l, err), vacate(l.Listen, "the link"))
}

// CheckVacant returns what would be taken for the pod, since it answers in its place.
func (p Pod) CheckVacant(ctx context.Context, within time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	switch err := p.Ready.await(limited, false); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("start pod %s: %w", p.Name, ctx.Err())
	}
	return refuse("", fmt.Sprintf("start pod %s: something else already answers at %s", p.Name, p.Ready), vacate(p.Ready.address(), "the pod"))
}

// vacate says how an address is had that something else has.
func vacate(address, whose string) string {
	remedy := "end what has that address, or give " + whose + " another port"
	if _, port, err := net.SplitHostPort(address); err == nil {
		remedy += ": ss -tlnp 'sport = :" + port + "' names it"
	}
	return remedy
}
