package snp

import (
	"crypto/ecdsa"
	"crypto/sha512"
	"math/big"
	"slices"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
)

// Authority authenticates reports of the product lines that it pins.
type Authority struct {
	kind     attest.Kind
	products []Product
}

// NewAuthority is an authority for evidence of one kind. Products come from
// NewProduct.
func NewAuthority(kind attest.Kind, products ...Product) *Authority {
	return &Authority{kind: kind, products: products}
}

// Kind is the kind of evidence that the authority judges.
func (a *Authority) Kind() attest.Kind { return a.kind }

// Authenticate checks that a chip of a pinned product line signed the report:
// pinned certificates, chip certificate and its validity, then its agreement
// with the report, then the signature.
func (a *Authority) Authenticate(e attest.Evidence, at time.Time) (attest.Claims, error) {
	if e.Kind != a.kind {
		return attest.Claims{}, attest.Refuse(attest.ErrRoot, "evidence of kind %q is not for an authority of kind %q", e.Kind, a.kind)
	}
	if at.IsZero() {
		return attest.Claims{}, attest.Refuse(attest.ErrExpired, "no time was given to verify the evidence at")
	}
	r, err := Parse(e.Report)
	if err != nil {
		return attest.Claims{}, err
	}
	product, err := a.product(r)
	if err != nil {
		return attest.Claims{}, err
	}
	for _, der := range e.Chain {
		if !product.pinned(der) {
			return attest.Claims{}, attest.Refuse(attest.ErrRoot, "the evidence brings a vendor certificate that is not pinned")
		}
	}
	c, err := parseChip(e.Chip)
	if err != nil {
		return attest.Claims{}, err
	}
	if err := c.descends(product, at); err != nil {
		return attest.Claims{}, err
	}
	if err := c.certifies(r, product); err != nil {
		return attest.Claims{}, err
	}
	if !SignedBy(e.Report, c.key) {
		return attest.Claims{}, attest.Refuse(attest.ErrSignature, "the signature of the report does not hold under the chip's key")
	}
	claims := r.claims(product)
	claims.Kind, claims.NotBefore, claims.NotAfter = a.kind, c.cert.NotBefore, c.cert.NotAfter
	return claims, nil
}

// product finds the report's product line and refuses reports that no policy
// may admit: of a version without CPU identification, by another signer than
// the chip, unsigned, or made by the host.
func (a *Authority) product(r *Report) (Product, error) {
	switch {
	case r.Version < 3:
		return Product{}, attest.Refuse(attest.ErrUnsupported, "report version %d does not name the processor", r.Version)
	case r.Signer() != signerVCEK:
		return Product{}, attest.Refuse(attest.ErrUnsupported, "the report is signed by key %d, not by the chip's own (VCEK)", r.Signer())
	case r.Masked():
		return Product{}, attest.Refuse(attest.ErrSignature, "the host masks the chip's key: the report is not signed")
	case r.VMPL > 3:
		return Product{}, attest.Refuse(attest.ErrUnsupported, "the report was asked for by the host (VMPL %d)", r.VMPL)
	}
	i := slices.IndexFunc(a.products, func(p Product) bool { return p.is(r.CPUFamily, r.CPUModel) })
	if i < 0 {
		return Product{}, attest.Refuse(attest.ErrRoot, "no root is pinned for processors of family %#x model %#x", r.CPUFamily, r.CPUModel)
	}
	return a.products[i], nil
}

// SignedBy reports whether a report's signature holds under a chip's P-384 key.
// It says nothing about whose key that is.
func SignedBy(report []byte, key *ecdsa.PublicKey) bool {
	if len(report) != ReportSize {
		return false
	}
	digest := sha512.Sum384(report[:SignedSize])
	signature := report[SignedSize : SignedSize+2*scalarSize]
	return ecdsa.Verify(key, digest[:], scalar(signature[:scalarSize]), scalar(signature[scalarSize:]))
}

// scalar reads a little-endian number.
func scalar(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func (r *Report) claims(p Product) attest.Claims {
	return attest.Claims{
		Product:            p.Name,
		ReportVersion:      r.Version,
		ReportData:         r.ReportData,
		Measurement:        r.Measurement,
		HostData:           r.HostData,
		VMPL:               r.VMPL,
		GuestSVN:           r.GuestSVN,
		FamilyID:           r.FamilyID,
		ImageID:            r.ImageID,
		IDKeyDigest:        r.IDKeyDigest,
		AuthorKeyDigest:    r.AuthorKeyDigest,
		ReportID:           r.ReportID,
		ChipID:             r.ChipID,
		Guest:              guestBits(r.GuestPolicy),
		Platform:           platformBits(r.PlatformInfo),
		Current:            p.Layout.Decode(r.CurrentTCB),
		Committed:          p.Layout.Decode(r.CommittedTCB),
		Reported:           p.Layout.Decode(r.ReportedTCB),
		Launch:             p.Layout.Decode(r.LaunchTCB),
		CurrentFirmware:    r.Current,
		CommittedFirmware:  r.Committed,
		LaunchMitigations:  r.LaunchMit,
		CurrentMitigations: r.CurrentMit,
	}
}
