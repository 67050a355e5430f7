package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// last is the last piece of a path.
func last(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// isForm says whether resources are posted to a path as forms with a file.
func isForm(path string) bool {
	return slices.Contains([]string{"clusters", "apps", "profiles"}, last(path))
}

// request is the body from which the recorded answer follows, in the recorded
// names, and the file that goes along; a nil file means that it is no form.
func (p *player) request(record Record) (body string, file []byte) {
	if record.Method != http.MethodPost || slices.Contains([]string{"approve", "instantiate", "terminate"}, last(record.Path)) {
		return "", nil
	}
	body = p.bodies[record.Path]
	name := "adservice"
	switch text := strings.TrimSpace(record.Body); {
	case record.Status == http.StatusCreated: // what is created is answered
		body = record.Body
		name = ""
		p.bodies[record.Path] = body
	case text == "Empty body" || text == "EOF":
		body = ""
	case text == "unexpected EOF":
		body = `{"metadata":`
	case strings.HasPrefix(text, "Invalid Input:") && last(record.Path) == "deployment-intent-groups":
		body = named("x") // three names, and the list of values, are missing
	case strings.HasPrefix(text, "Invalid Input:"):
		body = `{"spec":{"compositeAppVersion":"v1"}}`
	case strings.Contains(text, "ControllerSpec.spec.port"):
		body = `{"metadata":{"name":"c"},"spec":{"port":"x"}}`
	case body == "" && last(record.Path) == "labels":
		body = `{"clusterLabel":"edge-cluster"}`
	case body == "":
		body = `{"metadata":{"name":"x"},"spec":{"compositeAppVersion":"v1"}}`
	}
	if record.Call == "cluster json body" {
		return body, nil
	}
	switch strings.TrimSpace(record.Body) {
	case "Unable to process file":
		file = []byte{}
	case "Error in file format":
		file = []byte("no archive")
	default:
		if name == "" {
			file = p.file(record.Path, body)
		} else {
			file = p.file(record.Path, named(name))
		}
	}
	return body, file
}

// file is what goes along with the body of a resource; nil if nothing does.
func (p *player) file(path, body string) []byte {
	var resource struct {
		Metadata struct{ Name string }
		Spec     struct{ App string }
	}
	_ = json.Unmarshal([]byte(body), &resource) // a label has none
	switch {
	case !isForm(path):
		return nil
	case last(path) == "clusters":
		return p.Kubeconfig
	case last(path) == "profiles":
		return p.names.material(emco.Profile, resource.Spec.App)
	default:
		return p.names.material(emco.App, resource.Metadata.Name)
	}
}

// sent is a body as it goes to EMCO: with the run's names and mark, and
// without what EMCO fills in by itself. What is no JSON stays as it is.
func (n names) sent(path, body string) string {
	var resource map[string]any
	if json.Unmarshal([]byte(body), &resource) != nil {
		return body
	}
	if metadata, ok := resource["metadata"].(map[string]any); ok {
		if name, ok := metadata["name"].(string); ok && (path == "/v2/projects" || path == "/v2/cluster-providers") {
			metadata["name"] = n.own(name)
		}
		// EMCO answers with the userData1 of an app's placement only if it
		// was given.
		if last(path) != "app-intents" {
			metadata["userData1"] = n.set.Mark()
		}
	}
	n.rename(resource)
	prune(resource)
	text, err := json.Marshal(resource)
	if err != nil {
		return body // it was JSON before
	}
	return string(text)
}

// rename renames the cluster providers that a body refers to.
func (n names) rename(value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if name, ok := inner.(string); ok && key == "clusterProvider" {
				value[key] = n.own(name)
			}
			n.rename(inner)
		}
	case []any:
		for _, inner := range value {
			n.rename(inner)
		}
	}
}

// prune takes out what is empty, except lists.
func prune(object map[string]any) {
	for key, value := range object {
		inner, isObject := value.(map[string]any)
		if isObject {
			prune(inner)
		}
		if value == nil || value == "" || isObject && len(inner) == 0 {
			delete(object, key)
		}
	}
}

// raw is a request with nothing in it but what was meant to be there.
func raw(method, anchor, query, body string, file []byte) (emco.Request, error) {
	request := emco.Request{Method: method, Anchor: anchor, Query: query, Raw: &emco.Raw{}}
	switch {
	case file == nil && body == "":
	case file == nil:
		request.Raw = &emco.Raw{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
	default:
		contentType, content, err := form(body, file)
		if err != nil {
			return emco.Request{}, fmt.Errorf("make the form for %s: %w", anchor, err)
		}
		request.Raw = &emco.Raw{Header: http.Header{"Content-Type": {contentType}}, Body: content}
	}
	return request, nil
}

// form is a body with the field metadata, unless that is empty, and a file,
// unless that is empty.
func form(metadata string, file []byte) (contentType string, body []byte, err error) {
	var content bytes.Buffer
	writer := multipart.NewWriter(&content)
	if metadata != "" {
		if err := writer.WriteField("metadata", metadata); err != nil {
			return "", nil, err
		}
	}
	if len(file) > 0 {
		part, err := writer.CreateFormFile("file", "file")
		if err != nil {
			return "", nil, err
		}
		if _, err := part.Write(file); err != nil {
			return "", nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return "", nil, err
	}
	return writer.FormDataContentType(), content.Bytes(), nil
}
