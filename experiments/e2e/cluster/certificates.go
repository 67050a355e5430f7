package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// lifetime is how long a certificate is valid: longer than any cluster.
const lifetime = 365 * 24 * time.Hour

// authority is a certificate authority that only this cluster trusts.
type authority struct {
	folder      folder
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newAuthority makes one and writes ca.crt and ca.key.
func newAuthority(in folder) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "emco-chaos-cluster"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(lifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority's certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	made := &authority{folder: in, certificate: certificate, key: key}
	return made, made.write("ca", der, key)
}

// identity is who a certificate speaks for.
type identity struct {
	file   string
	user   string
	groups []string
	// names and addresses are those of a server.
	names     []string
	addresses []string
}

// issue writes FILE.crt and FILE.key, for a client and a server at once.
func (a *authority) issue(who identity) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the key of %s: %w", who.user, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return fmt.Errorf("choose a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: who.user, Organization: who.groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		DNSNames:     who.names,
	}
	for _, address := range who.addresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("sign the certificate of %s: %w", who.user, err)
	}
	return a.write(who.file, der, key)
}

func (a *authority) write(name string, certificate []byte, key *ecdsa.PrivateKey) error {
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode the key of %s: %w", name, err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: certificate},
		name + ".key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(a.folder.pki(file), pem.EncodeToMemory(block), 0o600); err != nil {
			return fmt.Errorf("write the certificates: %w", err)
		}
	}
	return nil
}

// identities are all that a cluster's components need.
func identities() []identity {
	return []identity{
		{file: "admin", user: "kubernetes-admin", groups: []string{"system:masters"}},
		{
			file: "apiserver", user: "kube-apiserver",
			names: []string{
				"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
				"kubernetes.default.svc." + dnsDomain,
			},
			addresses: []string{NodeAddress, apiService, "127.0.0.1"},
		},
		{
			file: "kubelet", user: "system:node:" + nodeName, groups: []string{"system:nodes"},
			names: []string{nodeName}, addresses: []string{NodeAddress},
		},
		{file: "controller-manager", user: "system:kube-controller-manager"},
		{file: "scheduler", user: "system:kube-scheduler"},
		{file: "proxy", user: "system:kube-proxy"},
		{file: "service-accounts", user: "service-accounts"},
	}
}
