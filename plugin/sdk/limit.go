package sdk

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What a plugin, which may be anybody's, may send. All that an activity sends
// ends up in the journal.
const (
	MessageLimit     = 1 << 20  // bytes of one message, such as a plan
	ActivityMessages = 10_000   // messages of one activity
	ActivityBytes    = 4 << 20  // bytes of all of them
	problemLimit     = 100      // problems of one experiment; the rest is not reported
	planLimit        = 2 << 20  // bytes of a plan as JSON
	textLimit        = 16 << 10 // bytes of a text for the reader, which is cut there
	anchorLimit      = 1 << 10  // bytes of what names a resource
)

// What is wrong with what a plugin sends.
var (
	ErrContract = errors.New("the plugin does not keep to the contract")
	ErrFlood    = errors.New("the plugin sends too much")
)

// wireError maps an error of gRPC to what it means about the plugin.
func wireError(doing string, err error) error {
	s, _ := status.FromError(err)
	message := cut(s.Message(), 1000)
	switch s.Code() {
	case codes.ResourceExhausted:
		return fmt.Errorf("%s: %w: one message is larger than %d KiB (%s); make the plan or the description smaller", doing, ErrFlood, MessageLimit>>10, message)
	case codes.Internal:
		return fmt.Errorf("%s: %w: %s", doing, ErrContract, message)
	case codes.Unimplemented:
		return fmt.Errorf("%s: %w: it does not have this part of it (%s); build it again with plugin/sdk", doing, ErrContract, message)
	case codes.Unknown:
		// The plugin's own error.
		return fmt.Errorf("%s: %s", doing, cutText(s.Message()))
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

func cutText(text string) string { return cut(text, textLimit) }
