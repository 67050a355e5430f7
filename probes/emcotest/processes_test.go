package emcotest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emcotest"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
)

// nodeVariable makes the test binary run a service in place of the tests.
const nodeVariable = "EMCOTEST_NODE"

func TestMain(m *testing.M) {
	if description := os.Getenv(nodeVariable); description != "" {
		runNode(description)
		return
	}
	os.Exit(m.Run())
}

// nodes are the services that a process can be.
func nodes() map[string]emcotest.Node {
	return map[string]emcotest.Node{
		"etcd": &emcotest.Etcd{}, "mongo": &emcotest.Mongo{}, "edge": &emcotest.Edge{}, "rsync": &emcotest.Rsync{},
		"orchestrator": &emcotest.Orchestrator{}, "dcm": &emcotest.DCM{}, "clm": &emcotest.CLM{},
	}
}

// runNode runs a service until it is killed or the test that started it is gone.
func runNode(description string) {
	name, settings, _ := strings.Cut(description, " ")
	node := nodes()[name]
	if err := json.Unmarshal([]byte(settings), node); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	if err := node.Run(context.Background(), func(address string) { fmt.Println(address) }); err != nil {
		fmt.Fprintln(os.Stderr, name, err)
		os.Exit(1)
	}
}

// processes is an EMCO whose services are processes, with a proxy in every link.
type processes struct {
	*testing.T
	caller
	folder    string
	bugs      bug.Set
	addresses map[string]string
	running   map[string]*exec.Cmd
	proxies   map[string]*proxy
	began     int // projects
}

// startProcesses starts an EMCO with clusters registered.
func startProcesses(t *testing.T, bugs ...bug.Bug) *processes {
	t.Helper()
	p := &processes{
		T: t, folder: t.TempDir(), bugs: bug.Set{},
		addresses: map[string]string{}, running: map[string]*exec.Cmd{}, proxies: map[string]*proxy{},
	}
	for _, each := range bugs {
		p.bugs[each] = true
	}
	p.caller = caller{urls: func(service string) string { return "http://" + p.addresses[service] }}
	t.Cleanup(func() {
		for name := range p.running {
			p.kill(name)
		}
	})
	for _, name := range []string{"etcd", "mongo", "edge", "rsync", "orchestrator", "dcm", "clm"} {
		p.addresses[name] = freeAddress(t)
		p.start(name)
	}
	create(t, p.caller, controllers(p.addresses["rsync"]), clusters(gmsProvider))
	return p
}

// node describes a service.
func (p *processes) node(name string) emcotest.Node {
	listen := p.addresses[name]
	data := filepath.Join(p.folder, name)
	to := func(other string) string {
		link := name + " " + other
		if p.proxies[link] == nil {
			p.proxies[link] = newProxy(p.T, p.addresses[other])
		}
		return p.proxies[link].address()
	}
	const storeTimeout = time.Second
	switch name {
	case "etcd":
		return emcotest.Etcd{Listen: listen, Data: data}
	case "mongo":
		return emcotest.Mongo{Listen: listen, Data: data}
	case "edge":
		return emcotest.Edge{Listen: listen, Data: data}
	case "rsync":
		return emcotest.Rsync{Listen: listen, Metrics: "127.0.0.1:0", Etcd: to("etcd"), Edge: to("edge"), Bugs: p.bugs}
	case "orchestrator":
		return emcotest.Orchestrator{
			Listen: listen, Store: to("mongo"), Etcd: to("etcd"), Rsync: to("rsync"), StoreTimeout: storeTimeout,
			AppTime: 50 * time.Millisecond, Bugs: p.bugs,
		}
	case "dcm":
		return emcotest.DCM{Listen: listen, Store: to("mongo"), Etcd: to("etcd"), Rsync: to("rsync"), StoreTimeout: storeTimeout, Bugs: p.bugs}
	default:
		return emcotest.CLM{StoreOnly: emcotest.StoreOnly{Listen: listen, Store: to("mongo"), StoreTimeout: storeTimeout}}
	}
}

// start starts a service and returns when its port is open.
func (p *processes) start(name string) {
	p.Helper()
	settings, err := json.Marshal(p.node(name))
	if err != nil {
		p.Fatal(err)
	}
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), nodeVariable+"="+name+" "+string(settings))
	command.Stderr = os.Stderr
	if _, err := command.StdinPipe(); err != nil {
		p.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		p.Fatal(err)
	}
	if err := command.Start(); err != nil {
		p.Fatal(err)
	}
	p.running[name] = command
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil {
		p.Fatalf("%s did not listen: %v", name, err)
	}
}

// kill sends SIGKILL and returns when the process is gone.
func (p *processes) kill(name string) {
	_ = p.running[name].Process.Kill()
	_ = p.running[name].Wait() // it says that it was killed
	delete(p.running, name)
}

// link is the proxy between two services.
func (p *processes) link(from, to string) *proxy { return p.proxies[from+" "+to] }

// project is a name that was not used.
func (p *processes) project() string {
	p.began++
	return fmt.Sprintf("p%d", p.began)
}

// onEdge counts a project's objects on the edge.
func (p *processes) onEdge(project string) int {
	p.Helper()
	response, err := http.Get("http://" + p.addresses["edge"] + "/objects")
	if err != nil {
		p.Fatal(err)
	}
	defer response.Body.Close()
	var objects []struct {
		Metadata struct{ Name string }
	}
	if err := json.NewDecoder(response.Body).Decode(&objects); err != nil {
		p.Fatal(err)
	}
	count := 0
	for _, each := range objects {
		if strings.HasPrefix(each.Metadata.Name, project+"-") {
			count++
		}
	}
	return count
}

// stays checks that something is true for a while, in which what should not happen could.
func (p *processes) stays(what string, is func() bool) {
	p.Helper()
	limit := time.After(700 * time.Millisecond)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if !is() {
			p.Fatalf("no longer: %s", what)
		}
		select {
		case <-tick.C:
		case <-limit:
			return
		}
	}
}

// killedInFlight makes a POST, kills its service when the proxy holds something of it, and demands a lost connection.
// What is held is forgotten, and the service is started again.
func (p *processes) killedInFlight(path string, at *proxy) {
	p.Helper()
	ended := make(chan answer, 1)
	go func() { ended <- p.post(path) }()
	eventually(p.T, "something of the call is held", func() bool { return at.waiting() > 0 })
	select {
	case got := <-ended:
		p.Fatalf("POST %s is not in flight: %+v", path, got)
	default:
	}
	name := service(path)
	p.kill(name)
	if got := <-ended; !connectionLost(got.err) {
		p.Fatalf("POST %s: %+v, want a lost connection", path, got)
	}
	at.drop()
	at.release()
	p.start(name)
}
