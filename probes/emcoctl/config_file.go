package emcoctl

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Config is what emcoctl's configuration file says.
type Config struct {
	// Config has the endpoints or the ingress: with an ingress emcoctl asks
	// nobody else. What emcoctl takes as flags, such as the token, is not in it.
	emco.Config
	// Rsync is HOST:PORT of rsync, which has no REST API; empty if not named.
	Rsync string
}

const configRemedy = "write orchestrator: {host: HOST, port: PORT}, and the same for dcm and clm, or for ingress"

// ReadConfig reads emcoctl's configuration file: host and port by the names of the
// microservices, in letters of any case. Mistakes are [document.Problems].
func ReadConfig(file string) (Config, error) {
	text, problems := new(reader).document(file, "name emcoctl's configuration file")
	if len(problems) > 0 {
		return Config{}, problems
	}
	return ParseConfig(file, text)
}

// ParseConfig is [ReadConfig] of a text; file is its name.
func ParseConfig(file string, text []byte) (Config, error) {
	config := Config{Config: emco.Config{Endpoints: map[emco.Service]string{}}}
	problems := parseOne(file, text, configRemedy, func(file *document.File, _ map[string]any) {
		for _, key := range file.Keys("") {
			config.service(file, key)
		}
	})
	switch {
	case len(problems) > 0:
		return Config{}, problems
	case config.Ingress != "":
		config.Endpoints = nil
	case len(config.Endpoints) == 0:
		return Config{}, document.Problems{{
			File: file, Line: 1, Column: 1, Message: "names neither a microservice with a REST API nor an ingress", Remedy: configRemedy,
		}}
	}
	return config, nil
}

func (c *Config) service(file *document.File, key string) {
	const ingress = "ingress"
	names := []string{ingress, string(emco.Rsync)}
	for _, service := range emco.RESTServices() {
		names = append(names, string(service))
	}
	name, field := strings.ToLower(key), document.Join("", key)
	if !slices.Contains(names, name) {
		file.Add(document.Problem{Field: field, Message: "is no microservice that emcoctl knows", Remedy: document.Instead(name, names)})
		return
	}
	switch address := readAddress(file, field); {
	case address == "":
	case name == ingress:
		c.Ingress = "http://" + address
	case name == string(emco.Rsync):
		c.Rsync = address
	default:
		c.Endpoints[emco.Service(name)] = "http://" + address
	}
}

// readAddress reads {host, port}. It is empty when there is a problem, and
// when the port is 0, which means that the service is not there.
func readAddress(file *document.File, field string) string {
	const remedy = "write {host: HOST, port: PORT}"
	var host, port string
	for _, key := range file.Keys(field) {
		at := document.Join(field, key)
		text := strings.TrimSpace(file.Text(at))
		switch strings.ToLower(key) {
		case "host":
			if text == "" || strings.ContainsAny(text, "/@?#[] \t\\%") || strings.Contains(text, ":") && net.ParseIP(text) == nil {
				file.Wrong(at, "is no host", "write a name or an address alone, without scheme and port")
				return ""
			}
			host = text
		case "port":
			number, err := strconv.ParseUint(text, 10, 16)
			if err != nil {
				file.Wrong(at, fmt.Sprintf("%q is no number from 0 to 65535", document.Shown(text)), "write the port's number")
				return ""
			}
			port = strconv.FormatUint(number, 10)
		case "statusport":
			// Of the notifications by gRPC, which are not used here.
		default:
			file.Add(document.Problem{Field: at, Message: "is not known", Remedy: remedy})
			return ""
		}
	}
	switch {
	case host == "" || port == "":
		file.Wrong(field, "lacks its host or its port", remedy)
	case port != "0":
		return net.JoinHostPort(host, port)
	}
	return ""
}
