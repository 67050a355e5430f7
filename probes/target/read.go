package target

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Read reads a target file. Whatever it does not understand is a
// problem, and no message shows what stands where a secret could stand.
// References to files are made absolute from the target file's folder.
func Read(file string) (*Target, document.Problems) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, document.Problems{{File: file, Message: "the target file cannot be read: " + err.Error(), Remedy: "name a target file that is there"}}
	}
	return Parse(file, data)
}

// Parse reads a target from data; file is its name and gives the folder
// that its references start from.
func Parse(file string, data []byte) (*Target, document.Problems) {
	doc, root := document.Parse(file, data)
	if root == nil {
		return nil, doc.Problems()
	}
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, document.Problems{{File: file, Message: "its folder is not known: " + err.Error(), Remedy: "give the target file's absolute path"}}
	}
	target := reader{folder: folder}.target(*root)
	if problems := doc.Problems(); len(problems) > 0 {
		return nil, problems
	}
	return target, nil
}

type reader struct{ folder string }

func (r reader) target(root document.Value) *Target {
	target := &Target{Services: map[string]Service{}}
	name, spec := document.Head(root, "Target")
	target.Name = name
	if spec == nil {
		return target
	}
	if value, found := spec.Need("driver", "write driver: {local: {cluster: FILE}} or driver: {kubernetes: {}}"); found {
		target.Driver = r.driver(value)
	}
	if value, found := spec.Need("services", "write services: with the name of each microservice and back end"); found {
		if services, ok := value.Map(); ok {
			if len(services.Entries()) == 0 {
				value.Problem("has no service", "write the name of each microservice and back end")
			}
			for _, entry := range services.Entries() {
				if !document.IsName(entry.Key) {
					entry.Value.Problem(fmt.Sprintf("%q is not a name", entry.Key), document.NameRemedy)
				}
				target.Services[entry.Key] = r.service(entry.Value)
			}
		}
	}
	if value, found := spec.Get("ingress"); found {
		if ingress, ok := value.Map(); ok {
			if value, found := ingress.Need("url", "write url: http://HOST:PORT"); found {
				target.Ingress = &Ingress{URL: readURL(value)}
			}
			ingress.End()
		}
	}
	if value, found := spec.Get("credentials"); found {
		if credentials, ok := value.Map(); ok {
			if value, found := credentials.Get("token"); found {
				target.Credentials.Token = r.secret(value)
			}
			if value, found := credentials.Get("ca"); found {
				target.Credentials.CA = r.secret(value)
			}
			credentials.End()
		}
	}
	if value, found := spec.Get("settings"); found {
		target.Settings = r.settings(value)
	}
	spec.End()
	return target
}

func (r reader) driver(value document.Value) Driver {
	var driver Driver
	fields, ok := value.Map()
	if !ok {
		return driver
	}
	if value, found := fields.Get("local"); found {
		if local, ok := value.Map(); ok {
			driver.Local = &LocalDriver{}
			if value, found := local.Need("cluster", "write cluster: FILE"); found {
				if file, ok := value.Text(); ok {
					driver.Local.Cluster = r.file(file)
				}
			}
			local.End()
		}
	}
	if value, found := fields.Get("kubernetes"); found {
		if kubernetes, ok := value.Map(); ok {
			driver.Kubernetes = &KubernetesDriver{}
			if value, found := kubernetes.Get("kubeconfig"); found {
				if file, ok := value.Text(); ok {
					driver.Kubernetes.Kubeconfig = r.file(file)
				}
			}
			if value, found := kubernetes.Get("context"); found {
				driver.Kubernetes.Context, _ = value.Text()
			}
			kubernetes.End()
		}
	}
	fields.End()
	if len(fields.Entries()) != 1 {
		value.Problem(fmt.Sprintf("has %d drivers", len(fields.Entries())), "write exactly one: local or kubernetes")
	}
	return driver
}

func (r reader) service(value document.Value) Service {
	var service Service
	fields, ok := value.Map()
	if !ok {
		return service
	}
	if value, found := fields.Get("url"); found {
		service.URL = readURL(value)
	}
	if value, found := fields.Get("address"); found {
		service.Address = readAddress(value)
	}
	if value, found := fields.Get("namespace"); found {
		service.Namespace = value.Name()
	}
	if value, found := fields.Get("labels"); found {
		service.Labels = readLabels(value)
		if _, named := fields.Get("namespace"); !named {
			value.Problem("labels without a namespace select pods of every namespace", "write the namespace beside them")
		}
	}
	fields.End()
	if len(fields.Entries()) == 0 {
		value.Problem("says nothing of the service", "write its url, its address, or its namespace and labels")
	}
	return service
}

var (
	labelName  = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`)
)

func readLabels(value document.Value) map[string]string {
	fields, ok := value.Map()
	if !ok {
		return nil
	}
	if len(fields.Entries()) == 0 {
		value.Problem("has no label", "write at least one, or leave labels out")
	}
	labels := map[string]string{}
	for _, entry := range fields.Entries() {
		if !labelName.MatchString(entry.Key) {
			entry.Value.Problem(fmt.Sprintf("%q cannot be the name of a label", entry.Key), "write it as kubectl shows it, such as app or app.kubernetes.io/name")
		}
		text, ok := entry.Value.Text()
		if ok && !labelValue.MatchString(text) {
			entry.Value.Problem(fmt.Sprintf("%q cannot be the value of a label", text), "write it as kubectl shows it")
		}
		labels[entry.Key] = text
	}
	return labels
}

const urlRemedy = "write http://HOST:PORT or https://HOST:PORT"

func readURL(value document.Value) string {
	text, ok := value.Text()
	if !ok {
		return ""
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil, parsed.Host == "", parsed.Scheme != "http" && parsed.Scheme != "https":
		value.Problem("is not a URL of http or https", urlRemedy)
	case parsed.User != nil:
		value.Problem("has a password or user in it", urlRemedy+" and put a token into credentials")
	case parsed.RawQuery != "", parsed.Fragment != "":
		value.Problem("has a query or a fragment", urlRemedy)
	}
	return strings.TrimSuffix(text, "/")
}

func readAddress(value document.Value) string {
	text, ok := value.Text()
	if !ok {
		return ""
	}
	const remedy = "write HOST:PORT, or a host alone"
	host := text
	if strings.Contains(text, ":") && net.ParseIP(text) == nil {
		name, port, err := net.SplitHostPort(text)
		number, portErr := strconv.Atoi(port)
		if err != nil || portErr != nil || number < 1 || number > 65535 {
			value.Problem(fmt.Sprintf("%q is not an address", text), remedy)
			return text
		}
		host = name
	}
	if host == "" || strings.ContainsAny(host, "/ @[]") {
		value.Problem(fmt.Sprintf("%q is not an address", text), remedy)
	}
	return text
}

var environmentName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// secret reads a reference. Its messages never show what is there.
func (r reader) secret(value document.Value) *SecretRef {
	const remedy = "write {env: NAME} or {file: PATH}; the secret itself never stands in this file"
	if !value.IsMap() {
		value.Problem("is not a reference to a secret", remedy)
		return nil
	}
	fields, ok := value.Map()
	if !ok {
		return nil
	}
	reference := &SecretRef{}
	if value, found := fields.Get("env"); found {
		if name, ok := value.Text(); ok {
			if !environmentName.MatchString(name) {
				value.Problem("is not the name of an environment variable", remedy)
			}
			reference.Env = name
		}
	}
	if value, found := fields.Get("file"); found {
		if name, ok := value.Text(); ok {
			reference.File = r.file(name)
		}
	}
	fields.End()
	if len(fields.Entries()) != 1 {
		value.Problem(fmt.Sprintf("has %d keys", len(fields.Entries())), remedy)
	}
	return reference
}

func (r reader) settings(value document.Value) map[string]any {
	if !value.IsMap() {
		value.Map()
		return nil
	}
	read, ok := value.Any()
	settings, isMap := read.(map[string]any)
	if !ok || !isMap {
		return nil
	}
	r.resolve(settings)
	return settings
}

// resolve makes the name in each {file: NAME} absolute.
func (r reader) resolve(value any) {
	switch value := value.(type) {
	case map[string]any:
		if name, isText := value["file"].(string); isText && len(value) == 1 {
			value["file"] = r.file(name)
			return
		}
		for _, inner := range value {
			r.resolve(inner)
		}
	case []any:
		for _, inner := range value {
			r.resolve(inner)
		}
	}
}

func (r reader) file(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(r.folder, name)
}
