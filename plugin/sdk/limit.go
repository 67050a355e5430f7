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
	// MessageLimit bounds one message, such as a plan, in bytes.
	MessageLimit = 1 << 20
	// ActivityMessages and ActivityBytes bound all that one activity sends.
	ActivityMessages = 10_000
	ActivityBytes    = 4 << 20
	// problemLimit bounds the problems of one experiment that are reported.
	problemLimit = 100
	// planLimit bounds a plan as JSON, in bytes.
	planLimit = 2 << 20
	// textLimit bounds a text for the reader, which is cut there, in bytes.
	textLimit = 16 << 10
	// anchorLimit bounds what names a resource, in bytes.
	anchorLimit = 1 << 10
)

var (
	// ErrContract is the error of a plugin that breaks the contract.
	ErrContract = errors.New("the plugin does not keep to the contract")
	// ErrFlood is the error of a plugin that sends more than it may.
	ErrFlood = errors.New("the plugin sends too much")
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
