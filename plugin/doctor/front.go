package doctor

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/target"
)

// frontLimit is how long looking for what stands in front of a service may delay a run.
const frontLimit = 3 * time.Second

// unknownPath is one that no service has: EMCO's router answers it with a 404 of its own.
const unknownPath = "/emco-chaos-asks-who-answers"

// Front describes what answers in front of EMCO at a URL; empty when nothing does
// that can be seen: its headers, its answer to an unknown path, its answer to a
// request that cannot be passed on, and what it tells of requests that it has
// repeated.
func Front(ctx context.Context, address string) (string, error) {
	response, err := get(ctx, address+unknownPath)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	// What passes requests on cannot pass the second one on: its body breaks. EMCO does not read it.
	signs := append(signsOf(response), signsOfBroken(ctx, response.Request.URL)...)
	slices.Sort(signs)
	return strings.Join(slices.Compact(signs), ", "), nil
}

// signsOf are what in an answer is not EMCO's.
func signsOf(response *http.Response) (signs []string) {
	for name, values := range response.Header {
		if slices.Contains([]string{"Server", "Via", "X-Powered-By", "X-Cache", "X-Served-By"}, name) || strings.HasPrefix(name, "X-Envoy-") || strings.HasPrefix(name, "X-Kong-") {
			signs = append(signs, name+": "+strings.Join(values, ", "))
		}
	}
	// What was read so far is compared.
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if text, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n"); response.StatusCode != http.StatusNotFound || text != "404 page not found" {
		signs = append(signs, fmt.Sprintf("%s %.60q where EMCO says 404 page not found", response.Status, text))
	}
	return signs
}

// signsOfBroken are those in the answer to a request whose body breaks, which is
// sent over HTTP without TLS.
func signsOfBroken(ctx context.Context, address *url.URL) []string {
	if address.Scheme != "http" {
		return nil
	}
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(address.Hostname(), cmp.Or(address.Port(), "80")))
	if err != nil {
		return nil
	}
	defer context.AfterFunc(ctx, func() { _ = connection.SetDeadline(time.Now()) })()
	defer connection.Close()
	if _, err := fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nno length\r\n", address.RequestURI(), address.Host); err != nil {
		return nil
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return nil
	}
	return signsOf(response) // Its body ends with the connection.
}

// Fronts tells what stands in front of the services of a target that names no
// ingress, and of an ingress that repeats requests: no call may be seen to lose
// its connection or to be refused there. It returns the services in front of which
// anything was seen.
func Fronts(ctx context.Context, target *target.Target, tell func(string)) (behind []string) {
	addresses := map[string]string{}
	for name, service := range target.Services {
		addresses[name] = service.URL
	}
	if target.Ingress != nil {
		addresses = map[string]string{"ingress": target.Ingress.URL}
	}
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		limited, cancel := context.WithTimeout(ctx, frontLimit)
		front, err := Front(limited, addresses[name])
		cancel()
		if err != nil || front == "" {
			continue
		}
		if repeats := repeating(front, "may answer for it or repeat requests"); target.Ingress == nil || repeats == repeated {
			tell(fmt.Sprintf("%s: something answers in front of it at %s (%s), and %s; see emco-chaos doctor", name, addresses[name], front, repeats))
		}
		if target.Ingress != nil {
			return slices.Sorted(maps.Keys(target.Services))
		}
		behind = append(behind, name)
	}
	return behind
}

// repeated is said of what tells that it has sent a request more than once.
const repeated = "repeats requests by itself"

// noRepeats mends that.
const noRepeats = "it must not repeat requests: for instance retries: {attempts: 0} in Istio, proxy_next_upstream off in nginx"

var attempts = regexp.MustCompile(`X-Envoy-Attempt-Count: ([2-9]|\d\d)`)

// repeating is [repeated] where the signs tell so, else the other words.
func repeating(signs, otherwise string) string {
	if attempts.MatchString(signs) {
		return repeated
	}
	return otherwise
}

// checkFront looks for what stands in front of a service.
func checkFront(ctx context.Context, e *examination, name string) {
	address := e.url(e.Target.Services[name])
	ctx, cancel := e.limited(ctx)
	defer cancel()
	front, err := e.Front(ctx, address)
	repeats := repeating(front, "may repeat requests by itself, which --outage shows: EMCO answers whatever does no harm")
	switch {
	case err != nil:
		e.say(Warn, name, "curl --verbose "+address+unknownPath, "what answers at %s cannot be told: %v", address, cause(ctx, err))
	case front == "":
		e.say(OK, name, "", "nothing is seen in front of it at %s", address)
	case e.Target.Ingress != nil && repeats == repeated:
		e.say(Warn, name, noRepeats, "behind the target's ingress (%s), which %s: no call in flight is seen to be lost", front, repeats)
	case e.Target.Ingress != nil:
		e.say(OK, name, "", "behind the target's ingress (%s), whose 502, 503 and 504 to a call in flight count as its lost connection; it %s", front, repeats)
	default:
		e.say(Warn, name, "write the service's own address into services."+name+".url of the target file, or that of what stands in front as ingress: {url: …}\n"+
			noRepeats,
			"something answers in front of it at %s (%s): it may answer 502, 503 or 504 for a service that is down; it %s", address, front, repeats)
	}
}
