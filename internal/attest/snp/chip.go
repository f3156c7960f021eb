package snp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
)

// Extensions of chip certificates lie under this arc, document 57230.
var oidVCEK = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3704, 1}

// Arcs below oidVCEK.
const (
	arcStructVersion = 1
	arcProductName   = 2
	arcTCB           = 3 // followed by the component
	arcHardwareID    = 4
)

// chip is what a chip certificate certifies.
type chip struct {
	cert       *x509.Certificate
	key        *ecdsa.PublicKey
	parts      map[Component]byte
	hardwareID []byte
}

// parseChip reads a chip certificate and refuses one that is not of the form
// which AMD's key distribution service issues, whoever signed it.
func parseChip(der []byte) (*chip, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, attest.ErrMalformed.From(err)
	}
	c := &chip{cert: cert, parts: map[Component]byte{}}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P384() {
		return nil, attest.Refuse(attest.ErrChip, "the chip certificate is not for a P-384 key")
	}
	c.key = key
	if cert.Version != 3 || cert.IsCA || len(cert.UnhandledCriticalExtensions) > 0 {
		return nil, attest.Refuse(attest.ErrChip, "the chip certificate is not that of a chip")
	}
	for _, ext := range cert.Extensions {
		if len(ext.Id) > len(oidVCEK) && oidVCEK.Equal(ext.Id[:len(oidVCEK)]) {
			if err := c.extension(ext.Id[len(oidVCEK):], ext.Value); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

// extension reads one of AMD's extensions. The product name is not compared:
// the pinned intermediate already names the product line, and some chips were
// given names with a wrong stepping. Unknown extensions, those of VLEK
// certificates among them, are refused. (crypto/x509 refuses duplicates.)
func (c *chip) extension(arc asn1.ObjectIdentifier, value []byte) error {
	switch {
	case len(arc) == 1 && (arc[0] == arcStructVersion || arc[0] == arcProductName):
		return nil
	case len(arc) == 1 && arc[0] == arcHardwareID:
		c.hardwareID = value
		return nil
	case len(arc) == 2 && arc[0] == arcTCB && arc[1] >= int(Bootloader) && arc[1] <= int(FMC):
		var n int
		rest, err := asn1.Unmarshal(value, &n)
		if err != nil || len(rest) > 0 || n < 0 || n > 255 {
			return attest.Refuse(attest.ErrChip, "component %d of the chip certificate's TCB version is not a byte", arc[1])
		}
		c.parts[Component(arc[1])] = byte(n)
		return nil
	}
	return attest.Refuse(attest.ErrChip, "the chip certificate has an unknown extension %v.%v", oidVCEK, arc)
}

// certifies checks that the certificate is for the report's chip and for
// exactly the TCB version that the report names, all components of the
// product's layout and no others.
func (c *chip) certifies(r *Report, p Product) error {
	if len(c.parts) != len(p.Layout) {
		return attest.Refuse(attest.ErrChip, "the chip certificate states %d components of a TCB version, not %d", len(c.parts), len(p.Layout))
	}
	for i, component := range p.Layout {
		certified, ok := c.parts[component]
		if !ok || certified != r.ReportedTCB[i] {
			return attest.Refuse(attest.ErrChip, "the report names version %d of component %d, the chip certificate %d",
				r.ReportedTCB[i], component, certified)
		}
	}
	used, unused := r.ChipID[:p.HardwareID], r.ChipID[p.HardwareID:]
	if !bytes.Equal(c.hardwareID, used) || !bytes.Equal(unused, make([]byte, len(unused))) {
		return attest.Refuse(attest.ErrChip, "the report is of another chip than the certificate")
	}
	return nil
}

// descends checks that the pinned intermediate issued the certificate and that
// certificate, intermediate and root are valid at that time.
func (c *chip) descends(p Product, at time.Time) error {
	if c.cert.Subject.CommonName != p.ChipName {
		return attest.Refuse(attest.ErrRoot, "the chip certificate is for %q, not %q", c.cert.Subject.CommonName, p.ChipName)
	}
	if err := issued(c.cert, p.intermediate); err != nil {
		return err
	}
	for _, cert := range []*x509.Certificate{c.cert, p.intermediate, p.root} {
		if at.Before(cert.NotBefore) || at.After(cert.NotAfter) {
			return attest.Refuse(attest.ErrExpired, "certificate %q is valid from %s to %s, not at %s", cert.Subject.CommonName,
				cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// issued checks that issuer signed cert as a certificate authority. The chain
// has three known members, so no path is searched and no clock is read.
func issued(cert, issuer *x509.Certificate) error {
	if !bytes.Equal(cert.RawIssuer, issuer.RawSubject) {
		return attest.Refuse(attest.ErrRoot, "certificate %q was issued by %q, not %q",
			cert.Subject.CommonName, cert.Issuer.CommonName, issuer.Subject.CommonName)
	}
	if cert.SignatureAlgorithm != x509.SHA384WithRSAPSS {
		return attest.Refuse(attest.ErrRoot, "certificate %q is not signed with RSA-PSS and SHA-384", cert.Subject.CommonName)
	}
	if err := cert.CheckSignatureFrom(issuer); err != nil {
		return attest.ErrRoot.From(err)
	}
	return nil
}
