// Package access reads out of a target how its EMCO is reached, and what runs
// deploy there.
package access

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

//go:embed settings.schema.json
var settingsText []byte

var settingsSchema = document.Embedded(settingsText)

// Access is how a target's EMCO is reached, and what its resources are made of.
type Access struct {
	Client   emco.Config
	Setup    probes.Setup
	Existing emco.Chosen // resources that exist already, for runs that work on those
}

// defaultApps returns the apps that are deployed when nobody names any.
func defaultApps() []string { return []string{"adservice", "currencyservice"} }

// Read reads the access out of emcoctl's configuration file, or out of a target's
// file, with the target then. Without a file nothing is said of it.
func Read(config, targetFile string) (Access, *target.Target, error) {
	switch {
	case config != "" && targetFile != "":
		return Access{}, nil, errors.New("both --config and --target are given: keep one")
	case targetFile != "":
		read, problems := target.Read(targetFile)
		if err := problems.Err(); err != nil {
			return Access{}, nil, err
		}
		access, err := Of(read)
		return access, read, err
	case config != "":
		read, err := emcoctl.ReadConfig(config)
		return Access{Client: read.Config, Setup: probes.Setup{Rsync: read.Rsync, Apps: defaultApps()}}, nil, err
	}
	return Access{Setup: probes.Setup{Apps: defaultApps()}}, nil, nil
}

// Of reads the access to a target: the URLs of its services and its ingress and,
// for what has none there, emcoctl's configuration file in settings.emcoctl.config.
func Of(target *target.Target) (Access, error) {
	settings, problems := ReadSettings(target)
	if err := problems.Err(); err != nil {
		return Access{}, err
	}
	var users emcoctl.Config
	if name := settings.Emcoctl.Config.File; name != "" {
		var err error
		if users, err = emcoctl.ReadConfig(name); err != nil {
			return Access{}, fmt.Errorf("target %s: settings.emcoctl.config: %w", target.Name, err)
		}
	}
	access := Access{
		Client: emco.Config{
			Endpoints: map[emco.Service]string{}, Ingress: users.Ingress,
			Token: emco.Secret(target.Credentials.Token), CAFile: target.Credentials.CA.File,
		},
		Setup:    probes.Setup{Kubeconfig: settings.Edge.Kubeconfig.File, Apps: settings.Apps},
		Existing: settings.Existing,
	}
	if target.Ingress != nil {
		access.Client.Ingress = target.Ingress.URL
	}
	access.Setup.Rsync = cmp.Or(target.Services[string(emco.Rsync)].Address, users.Rsync)
	if len(access.Setup.Apps) == 0 {
		access.Setup.Apps = defaultApps()
	}
	for _, service := range emco.RESTServices() {
		url := target.Services[string(service)].URL
		if url == "" && target.Ingress == nil {
			url = users.Endpoints[service]
		}
		if url != "" {
			access.Client.Endpoints[service] = url
		}
	}
	return access, nil
}

// Settings are the settings of a target that is an EMCO.
type Settings struct {
	Edge    struct{ Kubeconfig file }
	Apps    []string
	Emcoctl struct{ Config file }
	// Existing are resources that exist already, for runs that work on those.
	Existing emco.Chosen
}

type file struct{ File string }

// ReadSettings checks and reads the settings of a target. No problem shows what
// stands where a secret could.
func ReadSettings(of *target.Target) (Settings, document.Problems) {
	source := of.SettingsSource()
	settingsSchema().Check(source, target.SettingsField)
	var settings Settings
	source.Decode(target.SettingsField, &settings)
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
