package access

import (
	_ "embed"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

//go:embed settings.schema.json
var settingsText []byte

var settingsSchema = document.Embedded(settingsText)

// Settings are the settings of a target that is an EMCO.
type Settings struct {
	Edge    struct{ Kubeconfig file }
	Apps    []string
	Emcoctl struct{ Config file }
	// Existing are resources that exist already, for runs that work on those.
	Existing emco.Chosen `json:"-"`
}

type file struct{ File string }

// ReadSettings checks and reads the settings of a target. No problem shows what
// stands where a secret could.
func ReadSettings(of *target.Target) (Settings, document.Problems) {
	source := of.SettingsSource()
	settingsSchema().Check(source, target.SettingsField)
	var read struct {
		Settings
		Existing map[string]string
	}
	source.Decode(target.SettingsField, &read)
	settings := read.Settings
	settings.Existing.Fields(func(name string, value *string) { *value = read.Existing[SettingName(name)] })
	if of.UseExisting && of.Settings["existing"] == nil && len(source.Problems()) == 0 {
		source.Add(NeedsExisting("", "is missing"))
	}
	return settings, source.Problems()
}

// NeedsExisting is a problem with what a target names as existing resources: with
// the one of that name, such as composite-app, or without a name with them all.
func NeedsExisting(name, message string) document.Problem {
	field := target.SettingsField + ".existing"
	if name != "" {
		field += "." + SettingName(name)
	}
	const remedy = "write settings: {existing: {project: NAME, logicalCloud: NAME, compositeApp: NAME, compositeAppVersion: NAME, dig: NAME}}, " +
		"with what the experiment needs"
	return document.Problem{Field: field, Message: message, Remedy: remedy}
}

// SettingName is a resource's name in settings: compositeApp for composite-app.
func SettingName(name string) string {
	words := strings.Split(name, "-")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}
