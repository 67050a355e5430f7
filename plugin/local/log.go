package local

import (
	"fmt"
	"os"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

const (
	tailBytes = 4 << 10
	tailLines = 5
)

// withLog adds the last lines of a log to an error.
func withLog(err error, name string) error {
	data, _ := os.ReadFile(name) // without it the error is still one
	data = data[max(0, len(data)-tailBytes):]
	lines := strings.Split(strings.TrimSpace(document.Lines(string(data))), "\n")
	if text := strings.Join(lines[max(0, len(lines)-tailLines):], "\n"); text != "" {
		return fmt.Errorf("%w; the end of %s:\n%s", err, name, text)
	}
	return err
}
