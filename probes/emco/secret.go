package emco

import (
	"fmt"
	"os"
	"strings"
)

// Secret is the place that a secret is read from. It never holds the secret
// itself, so it can be shown. The zero Secret means that there is none.
type Secret struct {
	Env  string // the name of an environment variable
	File string // the path of a file; white space around its content is cut
}

// String names the place, never the secret.
func (s Secret) String() string {
	switch {
	case s.Env != "":
		return "environment variable " + s.Env
	case s.File != "":
		return "file " + s.File
	default:
		return "none"
	}
}

// read reads the secret; its errors name the place, never the content.
func (s Secret) read() (string, error) {
	if s == (Secret{}) {
		return "", nil
	}
	value := os.Getenv(s.Env)
	if s.Env == "" {
		content, err := os.ReadFile(s.File)
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		value = string(content)
	}
	value = strings.TrimSpace(value)
	if value == "" {
		return "", fmt.Errorf("the token is empty: set %s", s)
	}
	if strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return "", fmt.Errorf("the token has a character that no HTTP header may have: look at %s", s)
	}
	return value, nil
}
