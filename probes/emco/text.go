package emco

import "github.com/emco-chaos/emco-chaos/probes/document"

// Shown is [document.Shown].
func Shown(text string) string { return document.Shown(text) }
