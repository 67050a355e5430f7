package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func TestCertificates(t *testing.T) {
	t.Parallel()
	in := folder(t.TempDir())
	for _, each := range folders(in) {
		if err := os.MkdirAll(each, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	authority, err := newAuthority(in)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority.certificate)
	for _, identity := range identities() {
		if err := authority.issue(identity); err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(in.pki(identity.file+".crt"), in.pki(identity.file+".key"))
		if err != nil {
			t.Fatal(err)
		}
		for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
			_, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{usage}})
			if err != nil {
				t.Errorf("%s: %v", identity.file, err)
			}
		}
		for _, name := range append(identity.names, identity.addresses...) {
			if err := pair.Leaf.VerifyHostname(name); err != nil {
				t.Errorf("%s: %v", identity.file, err)
			}
		}
		if got := pair.Leaf.Subject.CommonName; got != identity.user {
			t.Errorf("%s speaks for %q, want %q", identity.file, got, identity.user)
		}
	}
	for file, who := range clients(in) {
		if err := writeKubeconfig(in, file, who); err != nil {
			t.Fatal(err)
		}
		config, err := clientcmd.BuildConfigFromFlags("", file)
		if err != nil {
			t.Fatal(err)
		}
		if config.Host != "https://192.168.77.1:6443" || len(config.CAData) == 0 || len(config.CertData) == 0 || len(config.KeyData) == 0 {
			t.Errorf("the kubeconfig of %s is incomplete: %s", who, config)
		}
	}
}
