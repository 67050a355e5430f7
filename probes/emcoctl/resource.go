package emcoctl

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Resource is one document of a resource file: what to make, or a call.
type Resource struct {
	// File, Document and Line say where it stands. Document counts from 1;
	// the line is one of the rendered text if there is a values file.
	File     string
	Document int
	Line     int
	// Anchor is the path below /v2/ that is posted to.
	Anchor   string
	Metadata *Metadata      // nil when the document has none
	Spec     map[string]any // nil when the document has none
	// ClusterLabel is what a cluster's label has in place of metadata.
	ClusterLabel string
	// File and Files go along as a form, in the field "file" or "files".
	Attachment  *emco.File
	Attachments []emco.File
}

type Metadata struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	UserData1   string `json:"userData1,omitempty"`
	UserData2   string `json:"userData2,omitempty"`
}

// calls are the last pieces of an anchor that make it a call, not a collection.
var calls = []string{"instantiate", "terminate", "apply", "approve", "migrate", "rollback", "status", "stop", "update"}

// Call is the last piece of the anchor if it makes it a call on what is
// there, such as instantiate; empty for what makes a resource.
func (r Resource) Call() string {
	if last := path.Base(r.Anchor); r.Name() == "" && slices.Contains(calls, last) {
		return last
	}
	return ""
}

// Name is the resource's name; empty for a call.
func (r Resource) Name() string {
	if r.Metadata != nil && r.Metadata.Name != "" {
		return r.Metadata.Name
	}
	return r.ClusterLabel
}

// Own is the anchor of the resource once it is made, with its name, and of a
// composite app its version. It is empty for a call.
func (r Resource) Own() string {
	name := r.Name()
	if name == "" {
		return ""
	}
	own := r.Anchor + "/" + name
	if path.Base(r.Anchor) == "composite-apps" {
		if version, ok := r.Spec["compositeAppVersion"].(string); ok {
			own += "/" + version
		}
	}
	return own
}

// on is the anchor of what a call works on.
func (r Resource) on() string { return strings.TrimSuffix(r.Anchor, "/"+path.Base(r.Anchor)) }

// Post is the request that makes the resource, or is the call.
func (r Resource) Post() emco.Request {
	request := emco.Post(r.Anchor)
	request.File, request.Files = r.Attachment, r.Attachments
	if r.Metadata == nil && r.Spec == nil && r.ClusterLabel == "" {
		return request
	}
	request.JSON = struct {
		Metadata     *Metadata      `json:"metadata,omitempty"`
		ClusterLabel string         `json:"clusterLabel,omitempty"`
		Spec         map[string]any `json:"spec,omitempty"`
	}{r.Metadata, r.ClusterLabel, r.Spec}
	return request
}

// Named are the names of the project, the logical cloud, the deployment
// intent group and so on that resources describe or call, so that probes can
// work on them. Of each kind there can be one.
func Named(resources []Resource) (emco.Chosen, error) {
	var named emco.Chosen
	for _, resource := range resources {
		found, err := emco.ParseAnchor(cmp.Or(resource.Own(), resource.on()))
		if err != nil {
			continue // such as a controller: no probe works on it
		}
		if name, first, second := named.Fill(found); name != "" {
			return emco.Chosen{}, fmt.Errorf("%s: document %d: there is a second %s, %s beside %s; name files with one",
				resource.File, resource.Document, name, second, first)
		}
	}
	return named, nil
}
