package emcotest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// claimFor is how long claimed ports are left to who claimed them, to listen on them: a cluster is started by one
// command after another.
const claimFor = 10 * time.Minute

// Claim returns addresses as FreeAddresses does, and keeps all others of this user's processes that claim from getting
// the same ones before they are listened on.
func (p Ports) Claim(count int) ([]string, error) {
	return p.claim(count, filepath.Join(os.TempDir(), fmt.Sprintf("emco-emulator-ports-%d", os.Getuid())), time.Now())
}

// claim keeps the claims in a file.
func (p Ports) claim(count int, name string, now time.Time) ([]string, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("claim ports: %w", err)
	}
	defer file.Close() // and with it the lock
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("claim ports: lock %s: %w", name, err)
	}
	claims := readClaims(file, now)
	ports, err := p.free(count, claims)
	if err != nil {
		return nil, err
	}
	for _, port := range ports {
		claims[port] = now
	}
	if err := writeClaims(file, claims); err != nil {
		return nil, fmt.Errorf("claim ports: %w", err)
	}
	return onLoopback(ports), nil
}

// readClaims reads the claims that still hold: in each line a port, and when it was claimed.
func readClaims(file io.Reader, now time.Time) map[int]time.Time {
	claims := map[int]time.Time{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var port int
		var seconds int64
		if _, err := fmt.Sscan(lines.Text(), &port, &seconds); err != nil {
			continue
		}
		if at := time.Unix(seconds, 0); now.Sub(at) < claimFor {
			claims[port] = at
		}
	}
	return claims
}

func writeClaims(file *os.File, claims map[int]time.Time) error {
	var text []byte
	for port, at := range claims {
		text = fmt.Appendln(text, port, at.Unix())
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt(text, 0)
	return err
}
