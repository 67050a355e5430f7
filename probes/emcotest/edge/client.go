package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// requestTimeout bounds one request, so that a cluster that hangs is tried again.
const requestTimeout = 30 * time.Second

// ErrRefused says that the cluster was reached and refused.
var ErrRefused = errors.New("refused by the cluster")

// Client applies manifests to an edge cluster.
type Client struct {
	address string
	http    *http.Client
}

// NewClient returns a client of the edge cluster at address, which is host:port.
func NewClient(address string) *Client {
	return &Client{address: address, http: &http.Client{Timeout: requestTimeout, Transport: &http.Transport{}}}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Reach returns an error if the cluster does not answer.
func (c *Client) Reach(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, "/version", "")
}

// Apply creates or replaces the object in manifest, with one label more.
func (c *Client) Apply(ctx context.Context, namespace, manifest, label, value string) error {
	var wanted object
	if err := yaml.Unmarshal([]byte(manifest), &wanted); err != nil {
		return fmt.Errorf("%w: read the manifest: %w", ErrRefused, err)
	}
	metadata, ok := wanted["metadata"].(map[string]any)
	if !ok {
		return fmt.Errorf("%w: the manifest has no metadata", ErrRefused)
	}
	labels, ok := metadata["labels"].(map[string]any)
	if !ok {
		labels = map[string]any{}
	}
	labels[label] = value
	metadata["labels"] = labels
	labelled, err := yaml.Marshal(wanted)
	if err != nil {
		return fmt.Errorf("%w: write the manifest: %w", ErrRefused, err)
	}
	return c.do(ctx, http.MethodPatch, path(namespace, wanted), string(labelled))
}

// Delete removes the object in manifest. It is no error if it is not there.
func (c *Client) Delete(ctx context.Context, namespace, manifest string) error {
	var wanted object
	if err := yaml.Unmarshal([]byte(manifest), &wanted); err != nil {
		return fmt.Errorf("%w: read the manifest: %w", ErrRefused, err)
	}
	return c.do(ctx, http.MethodDelete, path(namespace, wanted), "")
}

func (c *Client) do(ctx context.Context, method, path, body string) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.address+path, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/apply-patch+yaml")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, largestBody))
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	if response.StatusCode < 300 || method == http.MethodDelete && response.StatusCode == http.StatusNotFound {
		return nil
	}
	return fmt.Errorf("%w: %s %s: %s: %s", ErrRefused, method, path, response.Status, answer)
}

// path is where Kubernetes has an object.
func path(namespace string, applied object) string {
	metadata, _ := applied["metadata"].(map[string]any)
	if own := text(metadata["namespace"]); own != "" {
		namespace = own
	}
	version := text(applied["apiVersion"])
	prefix := "/api/"
	if strings.Contains(version, "/") {
		prefix = "/apis/"
	}
	return prefix + version + "/namespaces/" + namespace + "/" + plural(kindOf(applied)) + "/" + nameOf(applied)
}

func plural(kind string) string {
	lower := strings.ToLower(kind)
	switch {
	case strings.HasSuffix(lower, "s"):
		return lower + "es"
	case strings.HasSuffix(lower, "y"):
		return strings.TrimSuffix(lower, "y") + "ies"
	default:
		return lower + "s"
	}
}
