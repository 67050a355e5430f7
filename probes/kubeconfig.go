package probes

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"gopkg.in/yaml.v3"
)

// edge reads the objects on an edge cluster.
type edge struct {
	server, token string
	http          http.Client
}

type fields map[string]any

func (f fields) text(name string) string {
	text, _ := f[name].(string)
	return text
}

// named is what a list of a kubeconfig has under a name, such as a user.
func named(list []fields, kind, name string) fields {
	for _, entry := range list {
		if found, ok := entry[kind].(fields); ok && entry["name"] == name {
			return found
		}
	}
	return nil
}

func readKubeconfig(file string) ([]byte, error) {
	if file == "" {
		return nil, document.Problem{Field: "kubeconfig", Message: "is missing",
			Remedy: "name the file with the kubeconfig of the edge cluster, in the target's settings.edge.kubeconfig or by --kubeconfig"}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		err = fmt.Errorf("read the kubeconfig of the edge cluster: %w", err)
	}
	return data, err
}

// openEdge reads a kubeconfig: the server, what to trust and who to be, of its current context.
func openEdge(file string) (*edge, error) {
	wrong := func(field, message string) error {
		return document.Problem{File: file, Field: field, Message: message,
			Remedy: "give a kubeconfig of the edge cluster whose current context has a server, and a token or a client certificate"}
	}
	data, err := readKubeconfig(file)
	if err != nil {
		return nil, err
	}
	var read struct {
		Current                   string `yaml:"current-context"`
		Contexts, Clusters, Users []fields
	}
	if err := yaml.Unmarshal(data, &read); err != nil {
		return nil, wrong("", "cannot be read: "+err.Error())
	}
	context := named(read.Contexts, "context", read.Current)
	cluster, user := named(read.Clusters, "cluster", context.text("cluster")), named(read.Users, "user", context.text("user"))
	for field := range user {
		if !slices.Contains([]string{"token", "tokenFile", certificate, certificate + "-data", key, key + "-data"}, field) {
			return nil, wrong("users", "the user of the current context has "+document.Shown(field)+", which is not run or sent from here")
		}
	}
	e := &edge{server: strings.TrimSuffix(cluster.text("server"), "/")}
	if at, err := url.Parse(e.server); err != nil || at.Host == "" {
		return nil, wrong("current-context", "leads to no cluster with a server")
	}
	// content is what stands in NAME-data, or in the file NAME, from the folder of the kubeconfig.
	content := func(f fields, name string) (content []byte) {
		var failed error
		if data, named := f.text(name+"-data"), f.text(name); data != "" {
			content, failed = base64.StdEncoding.DecodeString(data)
		} else if filepath.IsAbs(named) {
			content, failed = os.ReadFile(named)
		} else if named != "" {
			content, failed = os.ReadFile(filepath.Join(filepath.Dir(file), named))
		}
		err = errors.Join(err, failed)
		return content
	}
	config := &tls.Config{InsecureSkipVerify: cluster["insecure-skip-tls-verify"] == true, ServerName: cluster.text("tls-server-name")}
	if ca := content(cluster, "certificate-authority"); len(ca) > 0 {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(ca)
	}
	if cert, private := content(user, certificate), content(user, key); len(cert) > 0 && err == nil {
		config.Certificates = make([]tls.Certificate, 1)
		config.Certificates[0], err = tls.X509KeyPair(cert, private)
	}
	e.token = cmp.Or(user.text("token"), strings.TrimSpace(string(content(user, "tokenFile"))))
	e.http.Transport = &http.Transport{TLSClientConfig: config}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", file, err)
	}
	return e, nil
}

const certificate, key = "client-certificate", "client-key"

// deploymentLabel is on all that EMCO puts on an edge: the AppContext's id, a hyphen and the app.
const deploymentLabel = "emco/deployment-id"

// has reports whether an object of a deployment is on the edge, in whatever namespace and of whatever AppContext.
func (e *edge) has(ctx context.Context, object emco.Object) (bool, error) {
	group := "/api/" + object.Version
	if object.Group != "" {
		group = "/apis/" + object.Group + "/" + object.Version
	}
	var kinds struct {
		Resources []struct{ Name, Kind string }
	}
	if err := e.get(ctx, group, &kinds); err != nil {
		return false, err
	}
	for _, kind := range kinds.Resources {
		if kind.Kind != object.Kind || strings.Contains(kind.Name, "/") {
			continue
		}
		var list struct {
			Items []struct {
				Metadata struct {
					Name   string
					Labels map[string]string
				}
			}
		}
		if err := e.get(ctx, group+"/"+kind.Name+"?fieldSelector="+url.QueryEscape("metadata.name="+object.Name), &list); err != nil {
			return false, err
		}
		for _, item := range list.Items {
			if item.Metadata.Name == object.Name && strings.HasSuffix(item.Metadata.Labels[deploymentLabel], "-"+object.App) {
				return true, nil
			}
		}
	}
	return false, nil
}

// sort tells which objects are on the edge, and which are not, by a name for a reader.
func (e *edge) sort(ctx context.Context, objects []emco.Object, name func(emco.Object) string) (there, missing []string, err error) {
	for _, object := range objects {
		switch found, err := e.has(ctx, object); {
		case err != nil:
			return nil, nil, err
		case found:
			there = append(there, name(object))
		default:
			missing = append(missing, name(object))
		}
	}
	return there, missing, nil
}

// get reads JSON, nothing from what the cluster does not have.
func (e *edge) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.server+path, nil)
	if err != nil {
		return err
	}
	if e.token != "" {
		request.Header.Set("Authorization", "Bearer "+e.token)
	}
	response, err := e.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusNotFound:
		return nil
	case http.StatusOK:
		return json.NewDecoder(io.LimitReader(response.Body, 64<<20)).Decode(into)
	}
	return fmt.Errorf("GET %s: %s", path, response.Status)
}
