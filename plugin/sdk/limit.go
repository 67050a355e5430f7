package sdk

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/emco-chaos/emco-chaos/plugin/sdk/pluginv1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// What a plugin may send. The plugin may be a stranger's, and all that an
// activity sends ends up in the journal.
const (
	// MessageLimit bounds one message: a plan, a description, an event. In
	// bytes.
	MessageLimit = 1 << 20
	// ActivityMessages and ActivityBytes bound all that one activity sends.
	ActivityMessages = 10_000
	ActivityBytes    = 4 << 20
	// problemLimit is how many problems of one experiment are told.
	problemLimit = 100
	// planLimit bounds a plan as JSON, in bytes.
	planLimit = 2 << 20
	// textLimit bounds a text for the reader, which is cut there, in bytes.
	textLimit = 16 << 10
	// anchorLimit bounds what names a resource, in bytes.
	anchorLimit = 1 << 10
)

// ErrFlood says that a plugin sent more than it may.
var ErrFlood = errors.New("the plugin sends too much")

// budget is what one activity may still send.
type budget struct{ messages, bytes int }

func (b *budget) take(task Task, response *pluginv1.RunResponse) error {
	b.messages++
	b.bytes += proto.Size(response)
	switch {
	case b.messages > ActivityMessages:
		return fmt.Errorf("%w: %s has sent more than %d messages; have it tell only what a reader or another step needs", ErrFlood, task.Activity, ActivityMessages)
	case b.bytes > ActivityBytes:
		return fmt.Errorf("%w: %s has sent more than %d MiB; have it tell only what a reader or another step needs", ErrFlood, task.Activity, ActivityBytes>>20)
	}
	return nil
}

var eventPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// checkEvent says whether the name can be that of an event.
func checkEvent(task Task, name string) error {
	if !eventPattern.MatchString(name) {
		return fmt.Errorf("%w: %s emitted %q; an event's name has small letters, digits and hyphens, 63 at most", ErrNonsense, task.Activity, cut(name, 80))
	}
	return nil
}

func checkResource(task Task, resource Resource) error {
	switch resource.State {
	case Making, Made, Removed, Left:
	default:
		return fmt.Errorf("%w: %s says that a resource is %q; it is %s, %s, %s or %s", ErrNonsense, task.Activity, cut(string(resource.State), 80), Making, Made, Removed, Left)
	}
	if resource.Anchor == "" || len(resource.Anchor) > anchorLimit {
		return fmt.Errorf("%w: %s names a resource by %d bytes; an anchor has 1 to %d", ErrNonsense, task.Activity, len(resource.Anchor), anchorLimit)
	}
	return nil
}

// cut keeps a text for the reader within the limit.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

func cutAll(texts map[string]string) map[string]string {
	for key, text := range texts {
		texts[key] = cut(text, textLimit)
	}
	return texts
}

// answered makes of an error of the wire what it says of the plugin.
func answered(what string, err error) error {
	switch s, _ := status.FromError(err); s.Code() {
	case codes.ResourceExhausted:
		return fmt.Errorf("%s: %w: one message is larger than %d KiB (%s); make the plan or the description smaller", what, ErrFlood, MessageLimit>>10, cut(s.Message(), 200))
	case codes.Internal:
		return fmt.Errorf("%s: %w: %s", what, ErrNonsense, cut(s.Message(), 1000))
	case codes.Unimplemented:
		return fmt.Errorf("%s: %w: it does not have this part of it (%s); build it again with plugin/sdk", what, ErrNonsense, cut(s.Message(), 200))
	case codes.Unknown:
		// The plugin's own error.
		return fmt.Errorf("%s: %s", what, cut(s.Message(), textLimit))
	}
	return fmt.Errorf("%s: %w", what, err)
}

// calmed is a description whose texts for lists have no control characters: a
// stranger's words must not move the cursor.
func calmed(d Description) Description {
	d.Name, d.Version = calm(d.Name), calm(d.Version)
	for i := range d.Experiments {
		experiment := &d.Experiments[i]
		experiment.Name, experiment.Title, experiment.Description = calm(experiment.Name), calm(experiment.Title), calm(experiment.Description)
		for j := range experiment.Parameters {
			parameter := &experiment.Parameters[j]
			parameter.Name, parameter.Default, parameter.Description = calm(parameter.Name), calm(parameter.Default), calm(parameter.Description)
		}
	}
	return d
}

// calm keeps a text's lines, and no other control character.
func calm(text string) string {
	return strings.Map(func(char rune) rune {
		if unicode.IsControl(char) && char != '\n' {
			return ' '
		}
		return char
	}, text)
}
