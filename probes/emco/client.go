// Package emco is a client of EMCO's REST API, made for watching it fail:
// every call runs on a connection of its own, is sent once, and reports its
// moments and its outcome in the wire's own words.
package emco

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Config has the endpoints of one EMCO, and how to call them.
type Config struct {
	// Endpoints are the base URLs of the microservices, such as
	// "http://emco.example:30415". What lies below /v2/ is added to them.
	Endpoints map[Service]string
	// Ingress is the base URL of an ingress in front of the microservices
	// that have no endpoint of their own. What answers there with 502, 503
	// or 504 is the ingress, and means that the microservice is down.
	Ingress string
	Token   Secret        // where the bearer token is read, at each call
	CAFile  string        // a PEM file with the authorities to trust instead of the system's
	Timeout time.Duration // of each call, from start to the last byte; 0 means 60 s
	// DialTimeout bounds the making of a connection, so that one lost SYN does
	// not hide seconds of an outage. 0 means 1 s. A request that changes
	// something is not asked again: its dial may take a fifth longer, so that the
	// second SYN, 1 s after the first (RFC 6298), has its answer, and is repeated
	// once from another port. A Service without endpoints refuses by ICMP, of
	// which Linux sends one a second (icmp_ratelimit), and a port from which a SYN
	// went to a pod that had died leads there for two minutes (conntrack). A TLS
	// handshake may last five times as long.
	DialTimeout time.Duration
	// Answered, if not nil, is called with what became of each call when it
	// has ended, by the goroutine that made the call.
	Answered func(Answer)
}

// Client calls one EMCO. It is safe for use by several goroutines. It goes to
// the endpoints directly: a proxy named in the environment is not used.
type Client struct {
	config    Config
	endpoints map[Service]endpoint
	roots     *x509.CertPool // nil: the system's
}

type endpoint struct {
	base    *url.URL
	ingress bool
}

// New makes a client, or reports a mistake in the configuration. It
// reads the CA file, and neither reads the token nor calls EMCO.
func New(config Config) (*Client, error) {
	config.Timeout = cmp.Or(config.Timeout, 60*time.Second)
	config.DialTimeout = cmp.Or(config.DialTimeout, time.Second)
	c := &Client{config: config, endpoints: map[Service]endpoint{}}
	if config.Token.Env != "" && config.Token.File != "" {
		return nil, errors.New("the token has both an environment variable and a file: give one of them")
	}
	if config.Ingress != "" {
		base, err := baseURL("ingress", config.Ingress)
		if err != nil {
			return nil, err
		}
		for _, service := range RESTServices() {
			c.endpoints[service] = endpoint{base: base, ingress: true}
		}
	}
	for service, text := range config.Endpoints {
		base, err := baseURL(string(service), text)
		if err != nil {
			return nil, err
		}
		c.endpoints[service] = endpoint{base: base}
	}
	if len(c.endpoints) == 0 {
		return nil, errors.New("no endpoint of EMCO is given: give the URL of each microservice or of one ingress")
	}
	if config.CAFile != "" {
		pem, err := os.ReadFile(config.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the CA file: %w", err)
		}
		c.roots = x509.NewCertPool()
		if !c.roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s holds no certificate in PEM form", config.CAFile)
		}
	}
	return c, nil
}

func baseURL(name, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		// The error of url.Parse repeats the text, which may hold a password.
		return nil, fmt.Errorf("%s: the URL cannot be parsed; write http://HOST:PORT", name)
	case u.User != nil:
		return nil, fmt.Errorf("%s: the URL holds a user name; give a token by reference instead", name)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("%s: %q is no URL of a server; write http://HOST:PORT", name, text)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%s: %q has a query or a fragment; write http://HOST:PORT", name, text)
	}
	return u, nil
}

func (c *Client) URL(request Request) (string, error) {
	_, u, err := c.route(request)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

func (c *Client) Reaches(service Service) bool {
	_, known := c.endpoints[service]
	return known
}

func (c *Client) route(request Request) (endpoint, *url.URL, error) {
	service := ServiceOf(request.Anchor)
	e, ok := c.endpoints[service]
	if !ok {
		return endpoint{}, nil, fmt.Errorf("no endpoint of %s is given: give its URL or that of an ingress", service)
	}
	u := e.base.JoinPath("v2", strings.Trim(request.Anchor, "/"))
	u.RawQuery = request.Query
	return e, u, nil
}

// Do sends a request, once, and waits for what becomes of it: the answer's
// outcome. An error means that it could not be tried, by an unreadable token for
// instance.
func (c *Client) Do(ctx context.Context, request Request) (Answer, error) {
	return c.send(ctx, request, func(Moment) {}, false)
}

// Watch does what Do does and calls on with each moment of the call when it
// happens, one at a time. on runs in the middle of the call and must not block.
//
// An ingress answers by 502, 503 or 504 both for a service that is down and for one that dies while it works. Which of
// the two it was, a request beforehand tells that needs no more of EMCO than its router. A GET is refused by either.
func (c *Client) Watch(ctx context.Context, request Request, on func(Moment)) (Answer, error) {
	down := false
	if e, _, err := c.route(request); err == nil && e.ingress && request.Method != http.MethodGet {
		limited, cancel := context.WithTimeout(ctx, c.config.DialTimeout)
		before, _ := c.send(limited, Get(request.Anchor+"/-/-"), func(Moment) {}, false)
		cancel()
		down = before.Outcome.Gateway
	}
	return c.send(ctx, request, on, down)
}

// send makes a call; down says that its service was down before.
func (c *Client) send(ctx context.Context, request Request, on func(Moment), down bool) (Answer, error) {
	e, u, err := c.route(request)
	if err != nil {
		return Answer{}, err
	}
	token, err := c.config.Token.read()
	if err != nil {
		return Answer{}, err
	}
	limited, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	w := newWatch(on)
	r, err := request.http(w.trace(limited), u, token)
	if err != nil {
		return Answer{}, err
	}

	// The transport is used for this call alone: Go would silently send a GET
	// again that failed on a used connection. Its write buffer takes the whole
	// request: when that one write is done, the request is sent.
	const headers = 8 << 10
	transport := &http.Transport{
		DialContext:       c.dialer(w, request.Method, nil),
		DialTLSContext:    c.dialer(w, request.Method, &tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}),
		DisableKeepAlives: true,
		Protocols:         new(http.Protocols),
		WriteBufferSize:   int(r.ContentLength) + len(u.String()) + len(token) + headers,
	}
	transport.Protocols.SetHTTP1(true)
	defer transport.CloseIdleConnections()

	answer := Answer{Request: request, URL: u.String(), Started: time.Now()}
	w.emit(Started, answer.Started, Outcome{})
	response, err := transport.RoundTrip(r)
	if err == nil {
		err = answer.read(response, token)
	}
	var gateway OutcomeKind // what an ingress's own answer means
	switch {
	case e.ingress && (down || request.Method == http.MethodGet):
		gateway = Refused
	case e.ingress:
		gateway = ConnectionLost
	}
	answer.Outcome = outcome(ctx, answer.Code, err, gateway)
	answer.Outcome.Words = withoutToken(answer.Outcome.Words, token)
	answer.Ended, answer.Outcome.Sent = w.end(answer.Outcome)
	if c.config.Answered != nil {
		c.config.Answered(answer)
	}
	return answer, nil
}

// dialer makes connections that report their writes to w. With a TLS configuration
// it makes the handshake itself, so that w counts what went into the connection whole.
func (c *Client) dialer(w *watch, method string, config *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: c.config.DialTimeout}
	if method != http.MethodGet {
		dialer.Timeout = dialer.Timeout * 6 / 5
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := dialer.DialContext(ctx, network, address)
		hung, ok := errors.AsType[net.Error](err)
		if ok && hung.Timeout() && ctx.Err() == nil && method != http.MethodGet {
			connection, err = dialer.DialContext(ctx, network, address) // what the first one has sent is no request
		}
		if err != nil {
			return nil, err
		}
		if config != nil {
			secured := tls.Client(connection, config)
			limited, cancel := context.WithTimeout(ctx, 5*c.config.DialTimeout)
			defer cancel()
			if err := secured.HandshakeContext(limited); err != nil {
				connection.Close()
				return nil, handshakeError{err}
			}
			connection = secured
		}
		return &watchedConnection{Conn: connection, watch: w}, nil
	}
}
