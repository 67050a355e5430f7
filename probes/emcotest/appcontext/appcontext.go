// Package appcontext keeps AppContexts in etcd, under the keys that EMCO uses: what a deployment intent group or a
// logical cloud wants on which cluster, the events that rsync has still to work off, and how far it has come.
package appcontext

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// ErrMissing says that there is no AppContext of this id, or no longer.
var ErrMissing = errors.New("AppContext not found")

// State is how far rsync has come with an AppContext.
type State string

// The states of an AppContext.
const (
	Created           State = "Created"
	Instantiating     State = "Instantiating"
	Instantiated      State = "Instantiated"
	InstantiateFailed State = "InstantiateFailed"
	Terminating       State = "Terminating"
	Terminated        State = "Terminated"
	TerminateFailed   State = "TerminateFailed"
	Updating          State = "Updating" // another one takes its place
	Updated           State = "Updated"
	UpdateFailed      State = "UpdateFailed"
)

// The states of one resource, and of the connection to a cluster.
const (
	Pending = "Pending"
	Applied = "Applied"
	Deleted = "Deleted"
	Failed  = "Failed"

	Unknown   = "Unknown"
	Available = "Available"
	Retrying  = "Retrying"
)

// Meta says whose AppContext it is.
type Meta struct {
	Project               string `json:"project"`
	CompositeApp          string `json:"compositeApp,omitempty"`
	Version               string `json:"version,omitempty"`
	Release               string `json:"release,omitempty"`
	DeploymentIntentGroup string `json:"deploymentIntentGroup,omitempty"`
	LogicalCloud          string `json:"logicalCloud,omitempty"`
	Namespace             string `json:"namespace"`
	Level                 string `json:"level"`
}

// Context is an AppContext as read at one moment.
type Context struct {
	ID    string
	Meta  Meta
	State State
	Apps  []App // by name
}

// App is what one app wants.
type App struct {
	Name     string
	Clusters []Cluster // by name
}

// Cluster is what one app wants on one cluster. Name is provider+cluster.
type Cluster struct {
	Name         string
	Connectivity string
	Resources    []Resource // by name
}

// Resource is one Kubernetes object. Name is name+kind; Order is its place in the order of application.
type Resource struct {
	Name     string
	Manifest string
	Order    int
	State    string
}

// Contexts reads and writes AppContexts through one etcd client.
type Contexts struct {
	etcd *clientv3.Client
}

// New returns the AppContexts behind etcd.
func New(etcd *clientv3.Client) Contexts { return Contexts{etcd: etcd} }

// NewID returns an id as EMCO makes them: a random positive number.
func NewID() string { return strconv.FormatInt(rand.Int64(), 10) }

const (
	contexts = "/context/"
	active   = "/activecontext/"
)

func root(id string) string      { return contexts + id + "/" }
func metaKey(id string) string   { return root(id) + "meta/" }
func statusKey(id string) string { return root(id) + "status/" }
func stopKey(id string) string   { return root(id) + "stopflag/" }
func activeKey(id string) string { return active + id + "/" }

func appKey(id, app string) string              { return root(id) + "app/" + app + "/" }
func clusterKey(id, app, cluster string) string { return appKey(id, app) + "cluster/" + cluster + "/" }
func resourceKey(id, app, cluster, resource string) string {
	return clusterKey(id, app, cluster) + "resource/" + resource + "/"
}

// Begin writes an empty AppContext.
func (c Contexts) Begin(ctx context.Context, id string, meta Meta) error {
	if err := c.put(ctx, root(id), id); err != nil {
		return err
	}
	return c.putJSON(ctx, metaKey(id), meta)
}

// AddApp adds an app.
func (c Contexts) AddApp(ctx context.Context, id, app string) error {
	return c.put(ctx, appKey(id, app), appKey(id, app))
}

// AddCluster adds a cluster, provider+cluster, to an app.
func (c Contexts) AddCluster(ctx context.Context, id, app, cluster string) error {
	return c.put(ctx, clusterKey(id, app, cluster), clusterKey(id, app, cluster))
}

// AddResource adds a resource, to be applied in the place order, to an app's cluster.
func (c Contexts) AddResource(ctx context.Context, id, app, cluster string, wanted Resource) error {
	key := resourceKey(id, app, cluster, wanted.Name)
	_, err := c.etcd.Txn(ctx).Then(
		clientv3.OpPut(key, wanted.Manifest),
		clientv3.OpPut(key+"order/", strconv.Itoa(wanted.Order)),
	).Commit()
	return wrap(err, "write %s", key)
}

// AddOrder writes the order of the apps, which completes an AppContext.
func (c Contexts) AddOrder(ctx context.Context, id string, apps []string) error {
	return c.putJSON(ctx, root(id)+"app/instruction/order/", map[string][]string{"apporder": apps})
}

// Delete removes an AppContext with all that is below it.
func (c Contexts) Delete(ctx context.Context, id string) error {
	_, err := c.etcd.Delete(ctx, root(id), clientv3.WithPrefix())
	return wrap(err, "delete AppContext %s", id)
}

// SetStop writes whether rsync is to give up what is under way.
func (c Contexts) SetStop(ctx context.Context, id string, stop bool) error {
	return c.putJSON(ctx, stopKey(id), stop)
}

// Forget removes the first resource of an AppContext.
func (c Contexts) Forget(ctx context.Context, id string) error {
	known, err := c.Load(ctx, id)
	if err != nil {
		return err
	}
	for _, app := range known.Apps {
		for _, cluster := range app.Clusters {
			for _, resource := range cluster.Resources {
				key := resourceKey(id, app.Name, cluster.Name, resource.Name)
				_, err := c.etcd.Delete(ctx, key, clientv3.WithPrefix())
				return wrap(err, "delete %s", key)
			}
		}
	}
	return nil
}

// StateOf returns how far rsync has come, or ErrMissing.
func (c Contexts) StateOf(ctx context.Context, id string) (State, error) {
	var state State
	found, err := c.getJSON(ctx, statusKey(id), &state)
	if err == nil && !found {
		err = ErrMissing
	}
	return state, wrap(err, "read the status of AppContext %s", id)
}

// Load reads an AppContext, or returns ErrMissing.
func (c Contexts) Load(ctx context.Context, id string) (Context, error) {
	answer, err := c.etcd.Get(ctx, root(id), clientv3.WithPrefix())
	if err != nil {
		return Context{}, wrap(err, "read AppContext %s", id)
	}
	if len(answer.Kvs) == 0 || string(answer.Kvs[0].Key) != root(id) {
		return Context{}, fmt.Errorf("AppContext %s: %w", id, ErrMissing)
	}
	read := Context{ID: id}
	tree := map[string]map[string]*Cluster{}
	resources := map[*Cluster]map[string]*Resource{}
	for _, pair := range answer.Kvs {
		path := strings.Split(strings.TrimSuffix(strings.TrimPrefix(string(pair.Key), root(id)), "/"), "/")
		switch {
		case len(path) == 1 && path[0] == "meta":
			err = json.Unmarshal(pair.Value, &read.Meta)
		case len(path) == 1 && path[0] == "status":
			err = json.Unmarshal(pair.Value, &read.State)
		case len(path) == 2 && path[0] == "app":
			tree[path[1]] = map[string]*Cluster{}
		case len(path) == 4 && path[0] == "app" && path[2] == "cluster":
			one := &Cluster{Name: path[3], Connectivity: Unknown}
			tree[path[1]][path[3]] = one
			resources[one] = map[string]*Resource{}
		case len(path) >= 5 && path[0] == "app" && path[2] == "cluster":
			err = tree[path[1]][path[3]].read(path[4:], pair.Value, resources[tree[path[1]][path[3]]])
		}
		if err != nil {
			return Context{}, fmt.Errorf("AppContext %s: key %s: %w", id, pair.Key, err)
		}
	}
	for _, app := range slices.Sorted(maps.Keys(tree)) {
		one := App{Name: app}
		for _, name := range slices.Sorted(maps.Keys(tree[app])) {
			cluster := tree[app][name]
			for _, resource := range slices.Sorted(maps.Keys(resources[cluster])) {
				cluster.Resources = append(cluster.Resources, *resources[cluster][resource])
			}
			one.Clusters = append(one.Clusters, *cluster)
		}
		read.Apps = append(read.Apps, one)
	}
	return read, nil
}

// read takes in one key below a cluster. A key follows those that it extends, because etcd sorts them.
func (c *Cluster) read(path []string, value []byte, resources map[string]*Resource) error {
	switch {
	case len(path) == 1 && path[0] == "readystatus":
		c.Connectivity = string(value)
	case len(path) == 2 && path[0] == "resource":
		resources[path[1]] = &Resource{Name: path[1], Manifest: string(value), State: Pending}
	case len(path) == 3 && path[0] == "resource" && path[2] == "status":
		resources[path[1]].State = string(value)
	case len(path) == 3 && path[0] == "resource" && path[2] == "order":
		order, err := strconv.Atoi(string(value))
		resources[path[1]].Order = order
		return err
	}
	return nil
}

func (c Contexts) put(ctx context.Context, key, value string) error {
	_, err := c.etcd.Put(ctx, key, value)
	return wrap(err, "write %s", key)
}

func (c Contexts) putJSON(ctx context.Context, key string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return wrap(err, "write %s", key)
	}
	return c.put(ctx, key, string(raw))
}

func (c Contexts) getJSON(ctx context.Context, key string, value any) (found bool, err error) {
	answer, err := c.etcd.Get(ctx, key)
	if err != nil || len(answer.Kvs) == 0 {
		return false, err
	}
	return true, json.Unmarshal(answer.Kvs[0].Value, value)
}

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
