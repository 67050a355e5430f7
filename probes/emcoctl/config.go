package emcoctl

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Config is what emcoctl's configuration file says.
type Config struct {
	// Endpoints and Ingress are as in [emco.Config]. With an ingress
	// emcoctl asks nobody else, so then there are no endpoints.
	Endpoints map[emco.Service]string
	Ingress   string
	// Rsync is HOST:PORT of rsync, which has no REST API; empty if the file
	// does not name it.
	Rsync string
}

// Client is the configuration for a client. What emcoctl takes as flags, such
// as the token, is added by the caller.
func (c Config) Client() emco.Config {
	return emco.Config{Endpoints: c.Endpoints, Ingress: c.Ingress}
}

const ingress = "ingress"

// ReadConfig reads emcoctl's configuration file: one mapping from the names
// of the microservices, in letters of any case, to their host and port.
// Errors are [Problems].
func ReadConfig(file string) (Config, error) {
	text, err := files{}.read(file, maxBytes)
	if err != nil {
		return Config{}, Problems{{File: file, Message: "cannot be read: " + err.Error(), Remedy: "name emcoctl's configuration file"}}
	}
	return ParseConfig(file, text)
}

// ParseConfig reads emcoctl's configuration out of a text; file is its name.
// Errors are [Problems].
func ParseConfig(file string, text []byte) (Config, error) {
	s := &source{file: file}
	config := Config{Endpoints: map[emco.Service]string{}}
	read := false
	s.documents(text, func(v value) {
		if read {
			v.problem("a second document begins here", "keep one")
			return
		}
		read = true
		config.read(v)
	})
	if !read && len(s.problems) == 0 {
		s.add(1, 1, "", "is empty", configRemedy)
	}
	if err := s.problems.err(); err != nil {
		return Config{}, err
	}
	if config.Ingress != "" {
		config.Endpoints = nil
	} else if len(config.Endpoints) == 0 {
		return Config{}, Problems{{File: file, Line: 1, Message: "names neither a microservice with a REST API nor an ingress", Remedy: configRemedy}}
	}
	return config, nil
}

const configRemedy = "write orchestrator: {host: HOST, port: PORT}, and the same for dcm and clm, or for ingress"

func (c *Config) read(v value) {
	services, ok := v.mapping(configRemedy)
	if !ok {
		return
	}
	for _, e := range services {
		name := strings.ToLower(e.key)
		if name != ingress && name != string(emco.Rsync) && !slices.Contains(emco.RESTServices(), emco.Service(name)) {
			e.value.problem("is no microservice that emcoctl knows", "use "+strings.Join(serviceNames(), ", "))
			continue
		}
		address, ok := readAddress(e.value)
		if !ok || address == "" {
			continue
		}
		switch name {
		case ingress:
			c.Ingress = "http://" + address
		case string(emco.Rsync):
			c.Rsync = address
		default:
			c.Endpoints[emco.Service(name)] = "http://" + address
		}
	}
}

func serviceNames() []string {
	names := []string{ingress, string(emco.Rsync)}
	for _, service := range emco.RESTServices() {
		names = append(names, string(service))
	}
	slices.Sort(names)
	return names
}

// readAddress reads {host, port}. A port of 0 means that the service is not
// there; that is "".
func readAddress(v value) (string, bool) {
	const remedy = "write {host: HOST, port: PORT}"
	entries, ok := v.mapping(remedy)
	if !ok {
		return "", false
	}
	host, port, hasPort := "", 0, false
	for _, e := range entries {
		switch strings.ToLower(e.key) {
		case "host":
			if host, ok = e.value.need("write the host's name or address"); !ok {
				return "", false
			}
			if strings.ContainsAny(host, "/@?#[] \t\\%") || strings.Contains(host, ":") && net.ParseIP(host) == nil {
				e.value.problem("is no host", "write a name or an address alone, without scheme and port")
				return "", false
			}
		case "port":
			if port, ok = e.value.number(0, 65535, "write the port's number"); !ok {
				return "", false
			}
			hasPort = true
		case "statusport":
			// Of the notifications by gRPC, which are not used here.
		default:
			e.value.problem("is not known", remedy)
			return "", false
		}
	}
	if host == "" || !hasPort {
		v.problem("lacks its host or its port", remedy)
		return "", false
	}
	if port == 0 {
		return "", true
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), true
}
