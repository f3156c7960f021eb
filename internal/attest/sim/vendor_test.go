//go:build !release

package sim

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the vendor's certificates")

// The distances in the source lead to primes. For a new seed the failure says
// which ones do.
func TestVendorPrimes(t *testing.T) {
	for _, k := range []vendorKey{rootKey, intermediateKey} {
		for i := range 2 {
			if k.prime(i).ProbablyPrime(20) {
				continue
			}
			candidate, distance := k.start(i), int64(0)
			for ; !candidate.ProbablyPrime(0); distance += 2 {
				candidate.Add(candidate, big.NewInt(2))
			}
			t.Errorf("key %s prime %d: distance %d leads to no prime, %d does", k.name, i, k.distance[i], distance)
		}
	}
}

// The embedded certificates are exactly those that the keys make.
func TestVendorCertificates(t *testing.T) {
	root, intermediate, err := vendorCertificates()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("roots/ark_insecure_simulation.der", root, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("roots/ask_insecure_simulation.der", intermediate, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(root, rootDER) || !bytes.Equal(intermediate, intermediateDER) {
		t.Fatal("the embedded certificates are not those of the vendor's keys; run with -update")
	}
	for _, der := range [][]byte{root, intermediate} {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(cert.Subject.CommonName, Marker) {
			t.Errorf("common name %q does not say %s", cert.Subject.CommonName, Marker)
		}
		if cert.PublicKey.(interface{ Size() int }).Size() != 512 {
			t.Errorf("%s has not an RSA-4096 key, as AMD's has", cert.Subject.CommonName)
		}
	}
}

// vendorCertificates makes root and intermediate, the same bytes every time.
func vendorCertificates() (root, intermediate []byte, err error) {
	rootPrivate, err := rootKey.private()
	if err != nil {
		return nil, nil, err
	}
	intermediatePrivate, err := intermediateKey.private()
	if err != nil {
		return nil, nil, err
	}
	rootTemplate := authority("ARK", 1)
	root, err = issue(rootTemplate, rootTemplate, &rootPrivate.PublicKey, rootPrivate)
	if err != nil {
		return nil, nil, err
	}
	intermediateTemplate := authority("SEV", 2)
	intermediateTemplate.MaxPathLenZero = true
	intermediate, err = issue(intermediateTemplate, rootTemplate, &intermediatePrivate.PublicKey, rootPrivate)
	return root, intermediate, err
}

func issue(template, parent *x509.Certificate, key *rsa.PublicKey, signer *rsa.PrivateKey) ([]byte, error) {
	salt := stream(fmt.Sprintf("certificate salt %d", template.SerialNumber))
	return x509.CreateCertificate(salt, template, parent, key, signer)
}

func authority(role string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(serial),
		Subject:               name(role),
		NotBefore:             time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		SignatureAlgorithm:    x509.SHA384WithRSAPSS,
		BasicConstraintsValid: true,
		IsCA:                  true,
		KeyUsage:              x509.KeyUsageCertSign,
		SubjectKeyId:          []byte(Marker + " " + role), // stated, so that no release of Go changes it
		ExtraExtensions:       []pkix.Extension{insecure()},
	}
}
