package local

import (
	"io"
	"os"
	"strings"
)

const (
	tailBytes = 4 << 10
	tailLines = 5
)

// tail returns the last lines of a log, without control characters.
func tail(name string) string {
	file, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > tailBytes {
		if _, err := file.Seek(-tailBytes, io.SeekEnd); err != nil {
			return ""
		}
	}
	data, err := io.ReadAll(io.LimitReader(file, tailBytes))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	return strings.Map(func(char rune) rune {
		if char < ' ' && char != '\n' && char != '\t' || char >= 0x7f && char < 0xa0 {
			return -1
		}
		return char
	}, strings.Join(lines, "\n"))
}
