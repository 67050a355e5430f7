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
)

// edge reads the objects on an edge cluster.
type edge struct {
	server, token string
	http          http.Client
}

type kubeconfig struct {
	Current                   string `json:"current-context"`
	Contexts, Clusters, Users entries
}

type entries []struct {
	Name                   string
	Context, Cluster, User fields
}

func (e entries) named(name string) (context, cluster, user fields) {
	for _, each := range e {
		if each.Name == name {
			return each.Context, each.Cluster, each.User
		}
	}
	return nil, nil, nil
}

type fields map[string]any

func (f fields) text(name string) string {
	text, _ := f[name].(string)
	return text
}

// content is what stands in NAME-data, or in the file NAME, from the folder of the kubeconfig.
func (f fields) content(folder, name string) ([]byte, error) {
	if data := f.text(name + "-data"); data != "" {
		return base64.StdEncoding.DecodeString(data)
	}
	file := f.text(name)
	if file == "" {
		return nil, nil
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(folder, file)
	}
	return os.ReadFile(file)
}

// openEdge reads a kubeconfig: the server, what to trust and who to be, of its current context.
func openEdge(file string) (*edge, error) {
	wrong := func(field, message string) error {
		return document.Problem{File: file, Field: field, Message: message,
			Remedy: "give a kubeconfig of the edge cluster whose current context has a server, and a token or a client certificate"}
	}
	if file == "" {
		return nil, wrong("settings.edge.kubeconfig", "is missing in the target")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig of the edge cluster: %w", err)
	}
	var read kubeconfig
	source := document.Parse(file, data)
	source.Decode("", &read)
	if err := source.Problems().Err(); err != nil {
		return nil, err
	}
	context, _, _ := read.Contexts.named(read.Current)
	_, cluster, _ := read.Clusters.named(context.text("cluster"))
	_, _, user := read.Users.named(context.text("user"))
	for field := range user {
		if !slices.Contains([]string{"token", "tokenFile", certificate, certificate + "-data", key, key + "-data"}, field) {
			return nil, wrong("users", "the user of the current context has "+document.Shown(field)+", which is not run or sent from here")
		}
	}
	e := &edge{server: strings.TrimSuffix(cluster.text("server"), "/")}
	if at, err := url.Parse(e.server); err != nil || at.Host == "" {
		return nil, wrong("current-context", "leads to no cluster with a server")
	}
	config := &tls.Config{InsecureSkipVerify: cluster["insecure-skip-tls-verify"] == true, ServerName: cluster.text("tls-server-name")}
	folder := filepath.Dir(file)
	ca, err1 := cluster.content(folder, "certificate-authority")
	token, err2 := user.content(folder, "tokenFile")
	cert, err3 := user.content(folder, certificate)
	private, err4 := user.content(folder, key)
	err = errors.Join(err1, err2, err3, err4)
	if len(ca) > 0 {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(ca)
	}
	if len(cert) > 0 && err == nil {
		config.Certificates = make([]tls.Certificate, 1)
		config.Certificates[0], err = tls.X509KeyPair(cert, private)
	}
	e.token = cmp.Or(user.text("token"), strings.TrimSpace(string(token)))
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
