package probes

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// kubeconfigOf is one of a server, with more fields of the cluster and a user.
func kubeconfigOf(server, cluster string, user ...string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: c
contexts: [{name: other, context: {cluster: none, user: none}}, {name: c, context: {cluster: e, user: u}}]
clusters: [{name: e, cluster: {server: %q%s}}]
users: [{name: u, user: {%s}}]
`, server, cluster, strings.Join(user, ", "))
}

// TestSurvey: what EMCO says stands beside what is on the edge, whatever EMCO lists,
// and a teardown tells what it has left there.
func TestSurvey(t *testing.T) {
	emulated := startEMCO(t, emcotest.Options{})
	subject := emulated.subject("survey")
	subject.Setup.patience = 500 * time.Millisecond
	// onEdge creates or deletes an object of the attempt behind EMCO's back.
	onEdge := func(method, path, body string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, emulated.URL("edge")+"/apis/apps/v1/namespaces/default/deployments"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/apply-patch+yaml")
		response, err := http.DefaultClient.Do(request)
		if err != nil || response.StatusCode >= http.StatusBadRequest {
			t.Fatalf("%v, %v", response, err)
		}
		response.Body.Close()
	}
	const deployment = `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "survey-1-adservice", "labels": {"emco/deployment-id": "1-adservice"}}}`
	surveyed := func(words, edge string, agree Conclusion) {
		t.Helper()
		seen, _ := run(t, subject, "survey", forCall("dig.instantiate"), Passed)
		if seen.Message != words || seen.Evidence["edge"] != edge {
			t.Errorf("%q, on the edge %q", seen.Message, seen.Evidence["edge"])
		}
		if judged, _ := run(t, subject, "agreement", forCall("dig.instantiate"), agree); judged.Message != words {
			t.Error(judged.Message)
		}
	}
	const all = "Deployment adservice, Service adservice, Deployment currencyservice, Service currencyservice"
	run(t, subject, "ensure", given(map[string]any{"logicalCloud": "Instantiated", "dig": "Approved"}), Passed)
	surveyed("EMCO says Approved; on the edge: nothing", "", Passed)
	restless := subject
	restless.Setup.quiet = time.Hour
	run(t, restless, "survey", map[string]any{"call": "dig.instantiate", "quiet": "50ms"}, Passed)
	onEdge(http.MethodPatch, "/survey-1-adservice", deployment)
	surveyed("EMCO says Approved; on the edge: Deployment adservice", "Deployment adservice", Failed)
	onEdge(http.MethodDelete, "/survey-1-adservice", "")
	run(t, subject, "reissue", forCall("dig.instantiate"), Passed)
	surveyed("EMCO says Instantiated (Applied 4); on the edge: "+all, all, Passed)
	onEdge(http.MethodDelete, "/survey-1-adservice", "")
	surveyed("EMCO says Instantiated (Applied 4); on the edge: "+strings.TrimPrefix(all, "Deployment adservice, "), strings.TrimPrefix(all, "Deployment adservice, "), Failed)

	run(t, subject, "reissue", forCall("dig.terminate"), Passed)
	run(t, subject, "reached", forCall("dig.terminate"), Passed)
	onEdge(http.MethodPatch, "/survey-1-adservice", deployment)
	_, seen := run(t, subject, "teardown", nil, Errored)
	if left := seen.resources[len(seen.resources)-1]; left.Anchor != "edge Deployment adservice" || left.State != Left {
		t.Errorf("the teardown left %+v", left)
	}
}

// TestStoppedAgreement: a stop leaves on the edge no more than EMCO says is applied.
func TestStoppedAgreement(t *testing.T) {
	emulated := startEMCO(t, emcotest.Options{})
	subject := emulated.subject("stopped")
	run(t, subject, "ensure", given(map[string]any{"for": "dig.stop"}), Passed)
	if err := emulated.Stop(emcotest.EdgeName); err != nil {
		t.Fatal(err)
	}
	run(t, subject, "reissue", forCall("dig.instantiate"), Passed)
	_, err := task{Subject: subject, Observer: &record{}}.await(within(t, 10*time.Second), callNamed("dig.stop"), func(r emco.Reading) bool {
		return r.Status.Deployed == emco.Instantiating
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, subject, "reissue", forCall("dig.stop"), Passed)
	run(t, subject, "reached", forCall("dig.stop"), Passed)
	must(t, emulated.Restart(emcotest.EdgeName))
	run(t, subject, "agreement", forCall("dig.stop"), Passed)
	emulated.deploy(subject.Names.Object("adservice"), "1-adservice")
	if seen, _ := run(t, subject, "agreement", forCall("dig.stop"), Failed); seen.Evidence["edge"] != "Deployment adservice" {
		t.Errorf("%q, on the edge %q", seen.Message, seen.Evidence["edge"])
	}
}

// TestMigratedAgreement: what a migration replaces must be on the edge before, and not after.
func TestMigratedAgreement(t *testing.T) {
	emulated := startEMCO(t, emcotest.Options{})
	subject := emulated.subject("migrated")
	const all = "Deployment adservice, Service adservice, Deployment currencyservice, Service currencyservice"
	agree := func(want Conclusion, edge string) {
		t.Helper()
		if seen, _ := run(t, subject, "agreement", forCall("dig.migrate"), want); seen.Evidence["edge"] != edge {
			t.Errorf("%q, on the edge %q", seen.Message, seen.Evidence["edge"])
		}
	}
	run(t, subject, "ensure", given(map[string]any{"for": "dig.migrate"}), Passed)
	agree(Passed, "of what it replaces: "+all)
	run(t, subject, "reissue", forCall("dig.migrate"), Passed)
	run(t, subject, "reached", forCall("dig.migrate"), Passed)
	agree(Passed, all)
	if again, _ := run(t, subject, "reissue", forCall("dig.migrate"), Passed); again.Evidence["posts"] != "0" {
		t.Error(again.Message)
	}
	emulated.deploy(subject.Names.Object("adservice"), "1-adservice")
	agree(Failed, all+"; of what it replaces: Deployment adservice")
}

// A group that is to be replaced and is not whole on the edge agrees with no state before.
func TestMigrationOfWhatIsMissing(t *testing.T) {
	emulated := startEMCO(t, emcotest.Options{})
	subject := emulated.subject("missing")
	run(t, subject, "ensure", given(map[string]any{"logicalCloud": "Instantiated", "dig": "Approved", "dig2": "Approved"}), Passed)
	run(t, subject, "agreement", forCall("dig.migrate"), Failed)
}

// deploy puts a Deployment on the edge behind EMCO's back.
func (e *emulated) deploy(name, id string) {
	e.t.Helper()
	text := fmt.Sprintf(`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": %q, "labels": {"emco/deployment-id": %q}}}`, name, id)
	request, err := http.NewRequestWithContext(e.t.Context(), http.MethodPatch, e.URL("edge")+"/apis/apps/v1/namespaces/default/deployments/"+name, strings.NewReader(text))
	if err != nil {
		e.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/apply-patch+yaml")
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode >= http.StatusBadRequest {
		e.t.Fatalf("%v, %v", response, err)
	}
	response.Body.Close()
}

// TestTeardownLooksForEachGroup: what of any group is on the edge is told as left.
func TestTeardownLooksForEachGroup(t *testing.T) {
	for number := 1; number <= emco.Groups; number++ {
		e := startEMCO(t, emcotest.Options{})
		subject := e.subject("many")
		subject.Setup.patience = 100 * time.Millisecond
		run(t, subject, "ensure", given(map[string]any{"logicalCloud": "Instantiated"}), Passed)
		e.deploy(subject.Names.Group(number).Object("adservice"), "1-adservice")
		if _, seen := run(t, subject, "teardown", nil, Errored); !slices.ContainsFunc(seen.resources, func(r Resource) bool {
			return r.State == Left && r.Anchor == "edge Deployment adservice"
		}) {
			t.Errorf("group %d: %+v", number, seen.resources)
		}
	}
}

func TestEdge(t *testing.T) {
	emulated := startEMCO(t, emcotest.Options{})
	subject := emulated.subject("edge")
	run(t, subject, "ensure", given(map[string]any{"logicalCloud": "Instantiated", "dig": "Instantiated"}), Passed)
	there, _ := run(t, subject, "edge", forCall("dig.instantiate"), Passed)
	if !strings.HasPrefix(there.Message, "4 of 4 objects are on the edge: ") {
		t.Error(there.Message)
	}
	late := subject
	late.Recheck = true
	result, _ := run(t, late, "edge", forCall("dig.terminate"), Failed)
	if !strings.HasPrefix(result.Message, "still on the edge: ") || !strings.Contains(result.Message, "Deployment edge-1-adservice") {
		t.Error(result.Message)
	}

	// Somebody else deletes one behind EMCO's back.
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete,
		emulated.URL("edge")+"/apis/apps/v1/namespaces/default/deployments/edge-1-adservice", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := http.DefaultClient.Do(request); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", response, err)
	}
	if result, _ := run(t, late, "edge", forCall("dig.instantiate"), Failed); result.Message != "missing on the edge: Deployment edge-1-adservice" {
		t.Error(result.Message)
	}
	timed, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if result := mustNew(t, "edge", forCall("dig.instantiate")).Run(timed, subject, &record{}); result.Conclusion != Failed {
		t.Errorf("%+v", result)
	}

	run(t, subject, "reissue", forCall("dig.terminate"), Passed)
	run(t, subject, "reached", forCall("dig.terminate"), Passed)
	gone, _ := run(t, subject, "edge", forCall("dig.terminate"), Passed)
	if !strings.HasPrefix(gone.Message, "0 of 4 objects are on the edge: ") {
		t.Error(gone.Message)
	}
	if result, _ := run(t, subject, "edge", forCall("logical-cloud.instantiate"), Passed); !strings.HasPrefix(result.Message, "EMCO lists no objects of logical-cloud.instantiate") {
		t.Error(result.Message)
	}
	if err := emulated.Stop("edge"); err != nil {
		t.Fatal(err)
	}
	timed, cancel = context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	away := mustNew(t, "edge", forCall("dig.terminate")).Run(timed, late, &record{})
	if away.Conclusion != Inconclusive || !strings.Contains(away.Message, "the edge gives no answer") {
		t.Errorf("%+v", away)
	}
	subject.Setup.Kubeconfig = ""
	if result, _ := run(t, subject, "edge", forCall("dig.terminate"), Errored); !strings.Contains(result.Message, "kubeconfig: is missing") {
		t.Error(result.Message)
	}
}

// A kubeconfig says whom to trust and who to be.
func TestEdgeCredentials(t *testing.T) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case len(r.TLS.PeerCertificates) == 0 && r.Header.Get("Authorization") != "Bearer abcdefgh":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/below/api/v1":
			_, _ = io.WriteString(w, `{"resources":[{"name":"services/status","kind":"Service"},{"name":"services","kind":"Service"}]}`)
		case r.URL.Path == "/below/api/v1/services" && r.URL.Query().Get("fieldSelector") == "metadata.name=s":
			_, _ = io.WriteString(w, `{"items":[{"metadata":{"name":"s"}},{"metadata":{"name":"s","labels":{"emco/deployment-id":"7-a"}}}]}`)
		default:
			http.NotFound(w, r)
		}
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	folder := t.TempDir()
	for name, content := range map[string][]byte{
		"ca.pem":   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"token":    []byte("abcdefgh\n"),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inline := func(name string) string {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(content)
	}
	const trust = ", certificate-authority: ca.pem"
	for name, test := range map[string]struct {
		cluster string
		user    []string
		want    string // of the error
	}{
		"token":                    {trust, []string{"token: abcdefgh"}, ""},
		"token in a file":          {", certificate-authority-data: " + inline("ca.pem"), []string{"tokenFile: token"}, ""},
		"certificate":              {trust, []string{"client-certificate-data: " + inline("cert.pem"), "client-key-data: " + inline("key.pem")}, ""},
		"certificate in files":     {", insecure-skip-tls-verify: true", []string{"client-certificate: cert.pem", "client-key: key.pem"}, ""},
		"not trusted":              {"", []string{"token: abcdefgh"}, "certificate"},
		"nobody":                   {trust, nil, "401 Unauthorized"},
		"a plugin":                 {trust, []string{"exec: {command: login}"}, "users: the user of the current context has exec"},
		"a password":               {trust, []string{"username: me", "password: secret"}, "which is not run or sent from here; give a kubeconfig"},
		"a file that is not there": {trust, []string{"tokenFile: none"}, "no such file"},
		"a key for another":        {trust, []string{"client-certificate: cert.pem", "client-key: ca.pem"}, "kubeconfig "},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(folder, "kubeconfig")
			if err := os.WriteFile(file, kubeconfigOf(server.URL+"/below/", test.cluster, test.user...), 0o600); err != nil {
				t.Fatal(err)
			}
			edge, err := openEdge(file)
			found := false
			if err == nil {
				defer edge.http.CloseIdleConnections()
				found, err = edge.has(t.Context(), emco.Object{App: "a", Version: "v1", Kind: "Service", Name: "s"})
			}
			if test.want == "" && (err != nil || !found) || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%t, %v, want %q", found, err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
	for content, want := range map[string]string{
		"a: [": "", "current-context: c": "leads to no cluster with a server", "clusters: 7": "cannot be read",
	} {
		file := filepath.Join(folder, "broken")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openEdge(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", content, err)
		}
	}
}
