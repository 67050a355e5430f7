package emcotest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emcotest"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rsync"
)

// record is one call that a real EMCO 22.12 answered.
type record struct {
	number      int // its line in the file
	Set         string
	Given       string
	Call        string
	Method      string
	Path        string
	Status      int
	ContentType string
	Body        string
}

// skipped are the records that are not played, by their line.
var skipped = map[int]string{
	261: "the driver's pool says what broke another call of the same moment: which call is told so is chance",
}

// replay plays the records of one set against an EMCO.
type replay struct {
	*testing.T
	emco    *emcotest.EMCO
	call    caller
	proxies map[string]*proxy
	bodies  map[string]string // the latest body that a path took, for the duplicates
	early   map[int]answer    // of calls that were made side by side
}

// before are the calls that were made and not recorded, and the waits for what comes by itself.
var before = map[int]func(r *replay){
	116: func(r *replay) {
		create(r.T, r.call, controllers(r.emco.Address("rsync")), clusters(gmsProvider), cloud("m1", gmsProvider), group("m1", gmsProvider))
	},
	142: func(r *replay) { r.removed(cloudOf("m1") + "/cluster-references/gms-lc-cl-1") },
	144: func(r *replay) { r.removed(cloudOf("m1") + "/cluster-references/gms-lc-cl-1") },
	147: func(r *replay) { r.call.reach(r.T, cloudOf("m1"), "Instantiated") },
	168: func(r *replay) { r.call.reach(r.T, digOf("m1"), "Instantiated") },
	170: func(r *replay) { // keep the moment in which one Service is applied and nothing else
		r.proxies["rsync edge"].holdRequests("PATCH /api/v1/namespaces/default/services/adservice",
			"PATCH /apis/apps/v1/namespaces/default/deployments/currencyservice")
	},
	172: func(r *replay) { r.proxies["rsync edge"].release() },
	178: func(r *replay) {
		r.call.reach(r.T, digOf("m1"), "Instantiated")
		r.call.accept(r.T, digOf("m1")+"/terminate")
		r.call.reach(r.T, digOf("m1"), "Terminated")
	},
	183: func(r *replay) {
		create(r.T, r.call, controllers(r.emco.Address("rsync")), clusters(gmsProvider), cloud("m2", gmsProvider), group("m2", gmsProvider))
	},
	194: func(r *replay) { r.call.reach(r.T, cloudOf("m2"), "Instantiated") },
	239: func(r *replay) {
		create(r.T, r.call, controllers(r.emco.Address("rsync")), clusters(gmsProvider))
		approved(r.T, r.call, "rd1")
		create(r.T, r.call, cloud("rd2", gmsProvider))
		r.kill("rsync")
	},
	242: func(r *replay) { r.restart("rsync") },
	244: func(r *replay) { r.call.reach(r.T, digOf("rd1"), "Terminated") },
	245: func(r *replay) {
		r.call.reach(r.T, digOf("rd1"), "Instantiated")
		r.kill("rsync")
	},
	248: func(r *replay) { r.restart("rsync") },
	249: func(r *replay) {
		r.call.reach(r.T, digOf("rd1"), "Terminated")
		r.kill("rsync")
	},
	252: func(r *replay) { r.restart("rsync") },
	253: func(r *replay) {
		r.call.reach(r.T, cloudOf("rd2"), "Instantiated")
		r.kill("rsync")
	},
	255: func(r *replay) { r.restart("rsync") },
	256: func(r *replay) {
		r.proxies["orchestrator rsync"].drop()
		r.proxies["orchestrator rsync"].hold()
	},
	258: func(r *replay) { r.proxies["orchestrator rsync"].release() },
	260: func(r *replay) {
		create(r.T, r.call, controllers(r.emco.Address("rsync")), clusters(gmsProvider))
		approved(r.T, r.call, "md1")
		create(r.T, r.call, cloud("md2", gmsProvider))
		r.meanwhile(recorded(r.T)[259:268], func() { r.kill("mongo") })
	},
	269: func(r *replay) { r.restart("mongo") },
	272: func(r *replay) { r.call.reach(r.T, digOf("md1"), "Terminated") },
	273: func(r *replay) {
		create(r.T, r.call, controllers(r.emco.Address("rsync")), cloud("cd0", "prov0"), group("cd0", "prov0"))
	},
	283: func(r *replay) { r.call.reach(r.T, cloudOf("cd0"), "Instantiated") },
	285: func(r *replay) {
		create(r.T, r.call, controllers(r.emco.Address("rsync")), clusters(gmsProvider), cloud("m3", gmsProvider))
	},
	286: func(r *replay) { r.call.reach(r.T, cloudOf("m3"), "Instantiated") },
	287: func(r *replay) { r.call.reach(r.T, cloudOf("m3"), "Terminating") },
	288: func(r *replay) { r.call.reach(r.T, cloudOf("m3"), "Terminated") },
	289: func(r *replay) { r.call.reach(r.T, cloudOf("m3"), "Instantiated") },
	290: func(r *replay) { r.call.reach(r.T, cloudOf("m3"), "Terminated") },
	293: func(r *replay) {
		r.call.reach(r.T, cloudOf("m3"), "Instantiated")
		r.call.accept(r.T, cloudOf("m3")+"/terminate")
		r.call.reach(r.T, cloudOf("m3"), "Terminated")
		create(r.T, r.call, group("m3", gmsProvider))
	},
	295: func(r *replay) { create(r.T, r.call, cloud("m4", gmsProvider), group("m4", gmsProvider)) },
	297: func(r *replay) { r.call.reach(r.T, cloudOf("m4"), "Instantiated") },
	299: func(r *replay) { r.call.reach(r.T, digOf("m4"), "Terminated") },
	306: func(r *replay) { r.call.reach(r.T, cloudOf("m4"), "Terminated") },
}

func TestRecordedCalls(t *testing.T) {
	t.Parallel()
	sets := map[string][]record{}
	var order []string
	for _, one := range recorded(t) {
		if sets[one.Set] == nil {
			order = append(order, one.Set)
		}
		sets[one.Set] = append(sets[one.Set], one)
	}
	for _, set := range order {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			r := newReplay(t, emcotest.Options{
				AppTime: 20 * time.Millisecond, CloudTime: time.Millisecond,
				StoreTimeout: 300 * time.Millisecond, RsyncTimeout: 300 * time.Millisecond,
				RsyncTimes: rsync.Times{PickUp: time.Millisecond, Settle: 300 * time.Millisecond, ApplyTime: time.Millisecond, Retry: 50 * time.Millisecond},
			})
			for _, one := range sets[set] {
				r.play(one)
			}
		})
	}
}

// newReplay starts an EMCO whose links a test can hold.
func newReplay(t *testing.T, options emcotest.Options) *replay {
	r := &replay{T: t, proxies: map[string]*proxy{}, bodies: map[string]string{}, early: map[int]answer{}}
	options.Link = func(from, to, address string) string {
		name := from + " " + to
		if r.proxies[name] == nil {
			r.proxies[name] = newProxy(t, address)
		}
		return r.proxies[name].address()
	}
	r.emco = emcotest.Start(t, options)
	r.call = caller{urls: r.emco.URL}
	return r
}

// meanwhile makes calls side by side, lets something happen while the store keeps them all waiting, and then breaks
// their connections to it.
func (r *replay) meanwhile(records []record, happen func()) {
	r.Helper()
	var store []*proxy
	for _, service := range []string{"orchestrator", "dcm", "clm"} {
		store = append(store, r.proxies[service+" mongo"])
		r.proxies[service+" mongo"].hold()
	}
	answers := make([]answer, len(records))
	var calls sync.WaitGroup
	for i, one := range records {
		header, body := r.body(one)
		calls.Go(func() { answers[i] = r.call.do(one.Method, one.path(), header, body) })
	}
	eventually(r.T, "all calls wait for the store", func() bool {
		waiting := 0
		for _, each := range store {
			waiting += each.waiting()
		}
		return waiting == len(records)
	})
	happen()
	for _, each := range store {
		each.release()
	}
	calls.Wait()
	for i, one := range records {
		r.early[one.number] = answers[i]
	}
}

func (r *replay) kill(service string) {
	r.Helper()
	if err := r.emco.Kill(service); err != nil {
		r.Fatal(err)
	}
	for name, each := range r.proxies {
		if strings.HasSuffix(name, " "+service) {
			each.refuse()
		}
	}
}

// restartAlone starts a service whose links were not touched.
func (r *replay) restartAlone(service string) {
	r.Helper()
	if err := r.emco.Restart(service); err != nil {
		r.Fatal(err)
	}
}

func (r *replay) restart(service string) {
	r.Helper()
	r.restartAlone(service)
	for name, each := range r.proxies {
		if strings.HasSuffix(name, " "+service) {
			each.resume(r.T)
		}
	}
}

func (r *replay) removed(path string) {
	r.Helper()
	if got := r.call.remove(path); got.status != http.StatusNoContent {
		r.Fatalf("DELETE %s: %d %s", path, got.status, got.body)
	}
}

// play makes a call and compares. A status is asked until it is the recorded one, since it lags.
func (r *replay) play(one record) {
	r.Helper()
	if prepare := before[one.number]; prepare != nil {
		prepare(r)
	}
	if skipped[one.number] != "" {
		return
	}
	path := one.path()
	header, body := r.body(one)
	var difference string
	limit := time.Now().Add(patience)
	for {
		got, made := r.early[one.number]
		if !made {
			got = r.call.do(one.Method, path, header, body)
		}
		difference = one.differs(got)
		if difference == "" || !strings.Contains(path, "/status") || time.Now().After(limit) {
			break
		}
	}
	if difference != "" {
		r.Fatalf("record %d, %s, %s: %s %s with %q: %s", one.number, one.Given, one.Call, one.Method, path, body, difference)
	}
}

func (one record) path() string {
	return strings.NewReplacer("{CA}", gmsCompositeApp, "{DIG}", gmsDIG).Replace(one.Path)
}

// body makes the request from which the recorded answer follows.
func (r *replay) body(one record) (http.Header, []byte) {
	last := one.Path[strings.LastIndex(one.Path, "/")+1:]
	if one.Method != http.MethodPost || slices.Contains([]string{"approve", "instantiate", "terminate"}, last) {
		return nil, nil
	}
	body := r.bodies[one.Path]
	file := chartOf("adservice")
	switch text := strings.TrimSpace(one.Body); {
	case one.Status == http.StatusCreated: // what is created is answered
		body = one.Body
		file = chartOf(nameIn(body))
		r.bodies[one.Path] = body
	case text == "Empty body" || text == "EOF":
		body = ""
	case text == "unexpected EOF":
		body = `{"metadata":`
	case strings.HasPrefix(text, "Invalid Input:"):
		body = `{"spec":{"compositeAppVersion":"v1"}}`
	case strings.Contains(text, "ControllerSpec.spec.port"):
		body = `{"metadata":{"name":"c"},"spec":{"port":"x"}}`
	case text == "Unable to process file":
		file = []byte{}
	case text == "Error in file format":
		file = []byte("no archive")
	case body == "" && last == "labels":
		body = `{"clusterLabel":"edge-cluster"}`
	case body == "":
		body = `{"metadata":{"name":"x"},"spec":{"compositeAppVersion":"v1"}}`
	}
	if slices.Contains([]string{"clusters", "apps", "profiles"}, last) && one.Call != "cluster json body" {
		return form(body, file)
	}
	return nil, []byte(body)
}

func nameIn(body string) string {
	var resource struct {
		Metadata struct{ Name string }
	}
	_ = json.Unmarshal([]byte(body), &resource) // a label has none
	return resource.Metadata.Name
}

// The parts of an answer that are new each time.
var (
	anyTime       = regexp.MustCompile(`"time":"[0-9-]+T[0-9:]+(\.[0-9]{1,3})?Z"`)
	anyID         = regexp.MustCompile(`"[0-9]{10,20}"`)
	anyAddress    = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
	anyConnection = regexp.MustCompile(`\[-[0-9]+\]`)
	// A connection whose server was killed ends either way; which one is chance.
	anyEnd = regexp.MustCompile(`read tcp [^ ]+: read: connection reset by peer|EOF`)
)

// normal replaces what is new each time; ids by their order, so that it is seen which are the same.
func normal(body string) string {
	ids := map[string]string{}
	body = anyTime.ReplaceAllString(body, `"time":"T"`)
	body = anyID.ReplaceAllStringFunc(body, func(id string) string {
		if ids[id] == "" {
			ids[id] = fmt.Sprintf(`"#%d"`, len(ids))
		}
		return ids[id]
	})
	body = anyEnd.ReplaceAllString(body, "END")
	body = anyAddress.ReplaceAllString(body, "ADDRESS")
	return anyConnection.ReplaceAllString(body, "[-N]")
}

// differs says in what an answer is not the recorded one.
func (one record) differs(got answer) string {
	switch {
	case got.err != nil:
		return got.err.Error()
	case got.status != one.Status:
		return fmt.Sprintf("status %d, recorded %d; body %q", got.status, one.Status, got.body)
	case got.contentType != one.ContentType:
		return fmt.Sprintf("Content-Type %q, recorded %q", got.contentType, one.ContentType)
	}
	have, want := normal(got.body), normal(one.Body)
	if begin, cut := strings.CutSuffix(want, "..."); cut { // the recording was cut off
		want = begin
		have = have[:min(len(have), len(want))]
	}
	if have != want {
		return fmt.Sprintf("body\n%s\nrecorded\n%s", have, want)
	}
	return ""
}

func recorded(t *testing.T) []record {
	t.Helper()
	file, err := os.Open("testdata/recorded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var records []record
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		one := record{number: len(records) + 1}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatalf("line %d: %v", one.number, err)
		}
		records = append(records, one)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(records) != 315 {
		t.Fatalf("%d records, want 315", len(records))
	}
	return records
}
