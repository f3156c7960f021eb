package snp_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-sev-guest/abi"
	sevsnp "github.com/google/go-sev-guest/proto/sevsnp"
	oracle "github.com/google/go-sev-guest/verify"
	oracledata "github.com/google/go-sev-guest/verify/testdata"
	"github.com/google/go-sev-guest/verify/trust"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/snp"
)

// oracleAccepts is the verdict of go-sev-guest on the same evidence, without network.
func oracleAccepts(e attest.Evidence, at time.Time) bool {
	report, err := abi.ReportToProto(e.Report)
	if err != nil || len(e.Report) != abi.ReportSize {
		return false
	}
	return oracle.SnpAttestation(&sevsnp.Attestation{
		Report:           report,
		CertificateChain: &sevsnp.CertificateChain{VcekCert: e.Chip},
	}, &oracle.Options{DisableCertFetching: true, Now: at}) == nil
}

// Both agree on the genuine reports; Turin is the reviewed exception, which the
// oracle does not know.
func TestOracleOnRealReports(t *testing.T) {
	for name, want := range map[string]bool{"milan": true, "genoa": true, "turin": false} {
		e, _ := vector(t, name)
		if got := oracleAccepts(e, admission); got != want {
			t.Errorf("%s: the oracle says %t, want %t", name, got, want)
		}
		if _, err := snp.AMD().Authenticate(e, admission); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Never accept what the oracle refuses, over mutations of report, certificate
// and time. The genuine evidence is among them, so that "never accept" alone
// does not pass.
func TestNeverMoreThanTheOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const rounds = 1000
	both, neither := 0, 0
	for i := range rounds {
		e, at := mutate(t, rng, i%10 == 0)
		_, err := snp.AMD().Authenticate(e, at)
		accepted := err == nil
		if accepted && !oracleAccepts(e, at) {
			t.Fatalf("round %d: accepted what the oracle refuses\nreport %x\ncertificate %x\nat %s", i, e.Report, e.Chip, at)
		}
		if accepted {
			both++
		} else {
			neither++
		}
	}
	if both < rounds/20 || neither < rounds/2 {
		t.Errorf("accepted %d, refused %d: the mutations are one-sided", both, neither)
	}
}

func mutate(t testing.TB, rng *rand.Rand, genuine bool) (attest.Evidence, time.Time) {
	e, _ := vector(t, []string{"milan", "genoa"}[rng.IntN(2)])
	at := admission
	if genuine {
		return e, at
	}
	switch rng.IntN(6) {
	case 0: // another part of the report
		e.Report[rng.IntN(len(e.Report))] ^= 1 << rng.IntN(8)
	case 1: // a run of zeros or ones
		start, n, fill := rng.IntN(len(e.Report)), 1+rng.IntN(16), byte(-rng.IntN(2))
		for i := start; i < min(start+n, len(e.Report)); i++ {
			e.Report[i] = fill
		}
	case 2: // the certificate
		e.Chip[rng.IntN(len(e.Chip))] ^= 1 << rng.IntN(8)
	case 3: // the header fields, where meaning is dense
		e.Report[rng.IntN(0x50)] = byte(rng.IntN(256))
	case 4: // the time
		at = at.AddDate(rng.IntN(60)-30, 0, 0)
	case 5: // the other product's certificate, or a shorter report
		other, _ := vector(t, []string{"milan", "genoa", "turin"}[rng.IntN(3)])
		if rng.IntN(2) == 0 {
			e.Chip = other.Chip
		} else {
			e.Report = e.Report[:rng.IntN(len(e.Report))]
		}
	}
	return e, at
}

// The sample inside go-sev-guest is a genuine version 2 report with DEBUG set:
// its signature holds, and it is refused.
func TestDebugSampleOfVersion2(t *testing.T) {
	chip, err := x509.ParseCertificate(oracledata.VcekBytes)
	if err != nil {
		t.Fatal(err)
	}
	report := oracledata.AttestationBytes
	if !snp.SignedBy(report, chip.PublicKey.(*ecdsa.PublicKey)) {
		t.Error("the genuine signature does not hold")
	}
	r, err := snp.Parse(report)
	if err != nil {
		t.Fatal(err)
	}
	if r.Version != 2 || r.GuestPolicy&snp.GuestDebug == 0 {
		t.Errorf("version %d, policy %#x", r.Version, r.GuestPolicy)
	}
	e := attest.Evidence{Kind: attest.KindSNP, Report: report, Chip: oracledata.VcekBytes}
	_, err = snp.AMD().Authenticate(e, chip.NotBefore.Add(time.Hour))
	wantError(t, err, attest.ErrUnsupported)
}

// The embedded certificates are those that the oracle embeds.
func TestRootsAreTheOraclesRoots(t *testing.T) {
	for name, bundle := range map[string][]byte{
		"milan": trust.AskArkMilanVcekBytes, "genoa": trust.AskArkGenoaVcekBytes, "turin": trust.AskArkTurinVcekBytes,
	} {
		ask, rest := pem.Decode(bundle)
		ark, _ := pem.Decode(rest)
		if string(der(t, read(t, filepath.Join("roots", "ask_"+name+".pem")))) != string(ask.Bytes) ||
			string(der(t, read(t, filepath.Join("roots", "ark_"+name+".pem")))) != string(ark.Bytes) {
			t.Errorf("%s: embedded certificates differ from the oracle's", name)
		}
		shared := der(t, read(t, filepath.Join(vectors, name+"_ask.pem")))
		if string(shared) != string(ask.Bytes) {
			t.Errorf("%s: the recorded intermediate differs", name)
		}
	}
}
