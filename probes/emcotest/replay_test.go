package emcotest_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/conformance"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rsync"
)

// unasked are the records that even an EMCO with a hand on it is not asked, by their number. There may be 15 at most.
var unasked = []int{261}

// TestRecordedCalls asks all records of emulated EMCOs, one a set, whose services are stopped and whose links are held
// as the records need it.
func TestRecordedCalls(t *testing.T) {
	t.Parallel()
	sets, err := conformance.Sets()
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]int, len(sets))
	t.Run("sets", func(t *testing.T) {
		for i, set := range sets {
			t.Run(set, func(t *testing.T) {
				t.Parallel()
				counts[i] = ask(t, set)
			})
		}
	})
	asked := 0
	for _, count := range counts {
		asked += count
	}
	if want := 315 - len(unasked); asked != want {
		t.Errorf("%d records are answered as recorded, want %d", asked, want)
	}
}

// ask asks the records of one set, and returns how many are answered as recorded.
func ask(t *testing.T, set string) int {
	t.Helper()
	r := newReplay(t, emcotest.Options{
		AppTime: 20 * time.Millisecond, CloudTime: time.Millisecond,
		StoreTimeout: 300 * time.Millisecond, RsyncTimeout: 300 * time.Millisecond,
		RsyncTimes: rsync.Times{PickUp: time.Millisecond, Settle: 300 * time.Millisecond, ApplyTime: time.Millisecond, Retry: 50 * time.Millisecond},
	})
	client, err := emco.New(emco.Config{Endpoints: map[emco.Service]string{
		emco.Orchestrator: r.emco.URL(emcotest.OrchestratorName), emco.DCM: r.emco.URL(emcotest.DCMName), emco.CLM: r.emco.URL(emcotest.CLMName),
	}})
	if err != nil {
		t.Fatal(err)
	}
	var notAsked []int
	summary, err := conformance.Run(t.Context(), client, conformance.Options{
		Run: "replay", Sets: []string{set}, Hand: hand{r}, Rsync: r.emco.Address(emcotest.RsyncName),
		Kubeconfig: []byte("apiVersion: v1\nkind: Config\n"), Interval: 5 * time.Millisecond, Patience: patience, Settle: patience,
	}, func(result conformance.Result) {
		one := result.Record
		switch result.Kind {
		case conformance.Different:
			t.Errorf("record %d, %s, %s: %s: %s\nrecorded %d %s\n%s\ngot %d %s\n%s", one.Number, one.Given, one.Call, result.Request, result.Reason,
				result.Expected.Status, result.Expected.ContentType, result.Expected.Body, result.Got.Status, result.Got.ContentType, result.Got.Body)
		case conformance.NotAsked:
			t.Logf("record %d, %s, %s is not asked: %s", one.Number, one.Given, one.Call, result.Reason)
			notAsked = append(notAsked, one.Number)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, number := range notAsked {
		if !slices.Contains(unasked, number) {
			t.Errorf("record %d was not asked", number)
		}
	}
	return summary.AsRecorded
}

// replay is an EMCO whose services are killed and whose links are held.
type replay struct {
	*testing.T
	emco    *emcotest.EMCO
	call    caller
	proxies map[string]*proxy
}

// newReplay starts an EMCO whose links a test can hold.
func newReplay(t *testing.T, options emcotest.Options) *replay {
	r := &replay{T: t, proxies: map[string]*proxy{}}
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

// hand does what the records need.
type hand struct{ *replay }

func (h hand) Kill(service string) error {
	h.kill(service)
	return nil
}

func (h hand) Restart(service string) error {
	h.restart(service)
	return nil
}

func (h hand) Link(link conformance.Link) conformance.Hold {
	return held{h.proxies[link.From+" "+link.To]}
}

// held is a proxy as a link that can be held.
type held struct{ *proxy }

func (h held) Hold(texts ...string) {
	if len(texts) == 0 {
		h.hold()
		return
	}
	h.holdRequests(texts...)
}

func (h held) Drop()        { h.drop() }
func (h held) Release()     { h.release() }
func (h held) Waiting() int { return h.waiting() }
