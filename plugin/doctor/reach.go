package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// lookAtServices asks every service that has an address of its own on the
// network whether it is there.
func lookAtServices(ctx context.Context, e *examination) {
	asked := false
	for _, name := range e.services() {
		url := e.Target.Services[name].URL
		if url == "" && (e.Target.Ingress == nil || !e.Target.Services[name].HasPods()) {
			continue
		}
		if url == "" {
			url = e.Target.Ingress.URL
		}
		asked = true
		limited, cancel := context.WithTimeoutCause(ctx, e.Limit, fmt.Errorf("no answer within %s", e.Limit))
		began := time.Now()
		answer, err := e.Reach(limited, name, url)
		switch {
		case err != nil:
			e.fail(name, "curl --verbose "+url+"\nwrite where it is reached from here into services."+name+".url of the target file",
				"it does not answer at %s: %v", url, cause(limited, err))
		default:
			e.ok(name, "%s at %s after %s", answer, url, time.Since(began).Round(time.Millisecond))
		}
		cancel()
	}
	if !asked {
		e.warn("", "write url: under services in the target file", "no service of the target has a URL, so none was asked")
	}
}

// AnyAnswer asks a service over HTTP, and takes any answer for a sign that it is
// there; a redirect is one too.
func AnyAnswer(ctx context.Context, _, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	if err := response.Body.Close(); err != nil {
		return "", err
	}
	return "answers " + response.Status, nil
}
