//go:build !release

package sim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/snp"
)

// The vendor's keys are public, so the verifier can be given anything that is
// correctly signed. These are reports that no chip should have signed.
func TestSignedReportsThatNoPolicyMayAdmit(t *testing.T) {
	p := platform(t)
	for name, c := range map[string]struct {
		change func(*snp.Report)
		want   error
	}{
		"version 2":              {func(r *snp.Report) { r.Version, r.CPUFamily, r.CPUModel = 2, 0, 0 }, attest.ErrUnsupported},
		"version 4":              {func(r *snp.Report) { r.Version = 4 }, attest.ErrUnsupported},
		"version 6":              {func(r *snp.Report) { r.Version = 6 }, attest.ErrUnsupported},
		"another algorithm":      {func(r *snp.Report) { r.Algorithm = 2 }, attest.ErrUnsupported},
		"VLEK signer":            {func(r *snp.Report) { r.SignerInfo = 1 << 2 }, attest.ErrUnsupported},
		"no signer":              {func(r *snp.Report) { r.SignerInfo = 7 << 2 }, attest.ErrUnsupported},
		"reserved signer bit":    {func(r *snp.Report) { r.SignerInfo = 1 << 5 }, attest.ErrMalformed},
		"masked chip key":        {func(r *snp.Report) { r.SignerInfo = 2 }, attest.ErrSignature},
		"made by the host":       {func(r *snp.Report) { r.VMPL = 4 }, attest.ErrUnsupported},
		"reserved policy bit":    {func(r *snp.Report) { r.GuestPolicy |= 1 << 26 }, attest.ErrMalformed},
		"missing policy bit":     {func(r *snp.Report) { r.GuestPolicy &^= 1 << 17 }, attest.ErrMalformed},
		"another family":         {func(r *snp.Report) { r.CPUFamily++ }, attest.ErrRoot},
		"another model":          {func(r *snp.Report) { r.CPUModel++ }, attest.ErrRoot},
		"another chip":           {func(r *snp.Report) { r.ChipID[63]++ }, attest.ErrChip},
		"masked chip id":         {func(r *snp.Report) { r.ChipID = [64]byte{} }, attest.ErrChip},
		"newer than certified":   {func(r *snp.Report) { r.ReportedTCB[7]++ }, attest.ErrChip},
		"reserved TCB component": {func(r *snp.Report) { r.ReportedTCB[5]++ }, attest.ErrChip},
		"unknown platform bit":   {func(r *snp.Report) { r.PlatformInfo |= 1 << 40 }, attest.ErrPolicy},
		"no alias check":         {func(r *snp.Report) { r.PlatformInfo &^= snp.PlatformAliasCheckComplete }, attest.ErrPolicy},
		"migration agent":        {func(r *snp.Report) { r.GuestPolicy |= snp.GuestMigrationAgent }, attest.ErrPolicy},
		"launched on older":      {func(r *snp.Report) { r.LaunchTCB[3] = 0 }, attest.ErrPolicy},
		"committed to older":     {func(r *snp.Report) { r.CommittedTCB[3] = 0 }, attest.ErrPolicy},
		"version 3":              {func(r *snp.Report) { r.Version = 3 }, nil},
	} {
		r := p.report
		r.ReportData = question
		c.change(&r)
		if err := sign(&r, p.key); err != nil {
			t.Fatal(err)
		}
		_, err := verify(p, attest.Evidence{Kind: attest.KindSim, Report: r.Bytes(), Chip: p.chipDER})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Certificates correctly signed by the intermediate that are not those of the chip.
func TestSignedCertificatesThatAreNoChips(t *testing.T) {
	p := platform(t)
	arc := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3704, 1}
	is := func(e pkix.Extension, below ...int) bool { return e.Id.Equal(append(slices.Clone(arc), below...)) }
	without := func(below ...int) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.ExtraExtensions = slices.DeleteFunc(c.ExtraExtensions, func(e pkix.Extension) bool { return is(e, below...) })
		}
	}
	with := func(value []byte, below ...int) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			without(below...)(c)
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: append(slices.Clone(arc), below...), Value: value})
		}
	}
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		want   error
	}{
		"unchanged":              {func(*x509.Certificate) {}, nil},
		"no hardware id":         {without(4), attest.ErrChip},
		"short hardware id":      {with(p.chipID[:8], 4), attest.ErrChip},
		"long hardware id":       {with(append(p.chipID[:], 0), 4), attest.ErrChip},
		"no microcode":           {without(3, 8), attest.ErrChip},
		"no reserved component":  {without(3, 6), attest.ErrChip},
		"a component too many":   {with([]byte{2, 1, 0}, 3, 4), attest.ErrChip},
		"an unknown component":   {with([]byte{2, 1, 0}, 3, 10), attest.ErrChip},
		"a cloud provider's id":  {with([]byte{0x16, 1, 'x'}, 5), attest.ErrChip},
		"component not a number": {with([]byte{4, 1, 0}, 3, 8), attest.ErrChip},
		"component of two bytes": {with([]byte{2, 2, 1, 1}, 3, 8), attest.ErrChip},
		"component with a tail":  {with([]byte{2, 1, 1, 0}, 3, 8), attest.ErrChip},
		"another component":      {with([]byte{2, 1, 2}, 3, 8), attest.ErrChip},
		"another name":           {func(c *x509.Certificate) { c.Subject.CommonName = "SEV-VCEK" }, attest.ErrRoot},
		"an authority":           {func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = true, true }, attest.ErrChip},
		"an unknown critical extension": {func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 999, 1}, Critical: true, Value: []byte{5, 0}})
		}, attest.ErrChip},
		"another hash":           {func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA256WithRSAPSS }, attest.ErrRoot},
		"PKCS #1 v1.5 signature": {func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA384WithRSA }, attest.ErrRoot},
		"an extension twice": {func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, c.ExtraExtensions[len(c.ExtraExtensions)-1])
		}, attest.ErrMalformed},
	} {
		e := attest.Evidence{Kind: attest.KindSim, Report: evidence(t, p, question).Report, Chip: issueChip(t, p, &p.key.PublicKey, c.change)}
		_, err := verify(p, e)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}

	wrongCurve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	e := attest.Evidence{Kind: attest.KindSim, Report: evidence(t, p, question).Report,
		Chip: issueChip(t, p, &wrongCurve.PublicKey, func(*x509.Certificate) {})}
	if _, err := verify(p, e); !errors.Is(err, attest.ErrChip) {
		t.Errorf("a P-256 chip: %v", err)
	}
}

// The root signs the intermediate and nothing else: a chip below it is refused.
func TestChipBelowTheRootIsRefused(t *testing.T) {
	p := platform(t)
	root, err := x509.ParseCertificate(rootDER)
	if err != nil {
		t.Fatal(err)
	}
	key, err := rootKey.private()
	if err != nil {
		t.Fatal(err)
	}
	template := chipTemplate(t, p)
	chip, err := x509.CreateCertificate(rand.Reader, template, root, &p.key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = verify(p, attest.Evidence{Kind: attest.KindSim, Report: evidence(t, p, question).Report, Chip: chip})
	if !errors.Is(err, attest.ErrRoot) {
		t.Errorf("got %v", err)
	}
}

// The issuer must be the intermediate by name too, not only by key.
func TestChipOfAnIssuerWithAnotherNameIsRefused(t *testing.T) {
	p := platform(t)
	key, err := intermediateKey.private()
	if err != nil {
		t.Fatal(err)
	}
	chip, err := x509.CreateCertificate(rand.Reader, chipTemplate(t, p), authority("other", 2), &p.key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = verify(p, attest.Evidence{Kind: attest.KindSim, Report: evidence(t, p, question).Report, Chip: chip})
	if !errors.Is(err, attest.ErrRoot) {
		t.Errorf("got %v", err)
	}
}

// On a product with short chip ids, as Turin is, the rest of the field is zero.
func TestUnusedPartOfTheChipIDIsZero(t *testing.T) {
	p := platform(t)
	short := product
	short.HardwareID = 8
	pinned, err := snp.NewProduct(short, rootDER, intermediateDER)
	if err != nil {
		t.Fatal(err)
	}
	chip := issueChip(t, p, &p.key.PublicKey, func(c *x509.Certificate) {
		c.ExtraExtensions[len(c.ExtraExtensions)-1].Value = p.chipID[:8]
	})
	for tail, want := range map[byte]error{0: nil, 1: attest.ErrChip} {
		r := p.report
		r.ChipID = [64]byte(append(slices.Clone(p.chipID[:8]), make([]byte, 56)...))
		r.ChipID[63] = tail
		if err := sign(&r, p.key); err != nil {
			t.Fatal(err)
		}
		e := attest.Evidence{Kind: attest.KindSim, Report: r.Bytes(), Chip: chip}
		if _, err := snp.NewAuthority(attest.KindSim, pinned).Authenticate(e, now); !errors.Is(err, want) {
			t.Errorf("tail %d: %v, want %v", tail, err, want)
		}
	}
}

func chipTemplate(t *testing.T, p *Platform) *x509.Certificate {
	t.Helper()
	template, err := x509.ParseCertificate(p.chipDER)
	if err != nil {
		t.Fatal(err)
	}
	template.ExtraExtensions = p.extensions(currentTCB)
	template.RawSubject = nil // so that Subject counts
	return template
}

func issueChip(t *testing.T, p *Platform, public *ecdsa.PublicKey, change func(*x509.Certificate)) []byte {
	t.Helper()
	intermediate, err := x509.ParseCertificate(intermediateDER)
	if err != nil {
		t.Fatal(err)
	}
	key, err := intermediateKey.private()
	if err != nil {
		t.Fatal(err)
	}
	template := chipTemplate(t, p)
	change(template)
	chip, err := x509.CreateCertificate(rand.Reader, template, intermediate, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return chip
}
