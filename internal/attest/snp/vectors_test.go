package snp_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/snp"
)

const vectors = "../../../third_party/attestation/snp"

// admission is a time within the validity of all recorded certificates.
var admission = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

var productLines = []string{"milan", "genoa", "turin"}

// vector is the recorded evidence of a real processor and a policy written for it.
func vector(t testing.TB, name string) (attest.Evidence, attest.Policy) {
	t.Helper()
	e := attest.Evidence{
		Kind:   attest.KindSNP,
		Report: read(t, filepath.Join(vectors, name+"_attestation_report.bin")),
		Chip:   der(t, read(t, filepath.Join(vectors, name+"_vcek.pem"))),
	}
	policy, err := attest.ParsePolicy(read(t, "testdata/policy_"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return e, policy
}

func reportData(e attest.Evidence) attest.ReportData { return attest.ReportData(e.Report[0x50:0x90]) }

func verify(e attest.Evidence, policy attest.Policy, at time.Time) (attest.Verdict, error) {
	return attest.Verify(e, reportData(e), policy, at, snp.AMD())
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func der(t testing.TB, data []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatal("not PEM")
	}
	return block.Bytes
}

func wantError(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
}

// Third-party data is what its README says it is.
func TestVectorsAreTheRecordedOnes(t *testing.T) {
	for name, want := range map[string]string{
		"milan_attestation_report.bin": "e75e8d4efa81c2ce16e982419ca82cb042b5feca3ef82dfc48dda06926d9ece1",
		"genoa_attestation_report.bin": "4ae0e73ab3a0e461bedf193795f0d90646a59d3617c0571cac0b0bfeb0ee908f",
		"turin_attestation_report.bin": "85da705e19cdc2b8e4551f069de88685dba92d8961b59e4a17149bb35b606556",
		"milan_vcek.pem":               "ddc96c5867c51a2824477127a016ea21976c5459b9c59a651e3837d503c5effc",
		"genoa_vcek.pem":               "2a25bac52864ff316e6968870d95989d84a678db2082cbe37e7908c09930ca33",
		"turin_vcek.pem":               "38fec03f98ca5308443dae3077ba3be01e2356fad88c40f590b2f41e6be29911",
	} {
		sum := sha256.Sum256(read(t, filepath.Join(vectors, name)))
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s: SHA-256 %s, want %s", name, got, want)
		}
	}
}

func TestRealReportsAreAccepted(t *testing.T) {
	for _, name := range productLines {
		t.Run(name, func(t *testing.T) {
			e, policy := vector(t, name)
			v, err := verify(e, policy, admission)
			if err != nil {
				t.Fatal(err, v.Violated())
			}
			if v.Claims.Product != name || v.Claims.Kind != attest.KindSNP || v.Profile != name+" vector" || len(v.Rules) < 30 {
				t.Errorf("verdict %+v", v)
			}
			if v.Claims.Reported.SNP != map[string]uint8{"milan": 0x18, "genoa": 0x17, "turin": 4}[name] ||
				v.Claims.Reported.Microcode != map[string]uint8{"milan": 0xDB, "genoa": 0x54, "turin": 0x51}[name] {
				t.Errorf("TCB decoded as %+v", v.Claims.Reported)
			}
			if e.Chain = [][]byte{der(t, read(t, filepath.Join(vectors, name+"_ask.pem")))}; true {
				_, err = verify(e, policy, admission)
				if err != nil {
					t.Errorf("with the vendor's own intermediate: %v", err)
				}
			}
		})
	}
}

// Every bit that the signature covers: all of Turin's, whose report version has
// the most fields, and one of every byte of the others.
func TestEverySignedBitCounts(t *testing.T) {
	for _, name := range productLines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, policy := vector(t, name)
			want := reportData(e)
			step, flips, refused := 7, 672*8/7, 0 // 7: no byte is left out, and the bit changes
			if name == "turin" {
				step, flips = 1, 672*8
			}
			for bit := 0; bit < snp.SignedSize*8; bit += step {
				e.Report[bit/8] ^= 1 << (bit % 8)
				if v, err := attest.Verify(e, want, policy, admission, snp.AMD()); err == nil {
					t.Errorf("accepted with bit %d of byte %#x flipped: %+v", bit%8, bit/8, v)
				} else {
					refused++
				}
				e.Report[bit/8] ^= 1 << (bit % 8)
			}
			if refused != flips {
				t.Errorf("%d flips refused, want %d", refused, flips)
			}
			if _, err := attest.Verify(e, want, policy, admission, snp.AMD()); err != nil {
				t.Errorf("the restored report: %v", err)
			}
		})
	}
}

// Every byte after the signed part: signature and the zeros behind it.
func TestEverySignatureByteCounts(t *testing.T) {
	for _, name := range productLines {
		e, policy := vector(t, name)
		for i := snp.SignedSize; i < snp.ReportSize; i++ {
			e.Report[i] ^= 0x10
			if _, err := verify(e, policy, admission); err == nil {
				t.Errorf("%s: accepted with byte %#x changed", name, i)
			}
			e.Report[i] ^= 0x10
		}
	}
}

func TestLengthIsExact(t *testing.T) {
	e, policy := vector(t, "genoa")
	whole := e.Report
	for _, report := range [][]byte{whole[:snp.ReportSize-1], append(whole[:len(whole):len(whole)], 0), whole[:0x90], {1}} {
		e.Report = report
		_, err := attest.Verify(e, attest.ReportData(whole[0x50:0x90]), policy, admission, snp.AMD())
		wantError(t, err, attest.ErrMalformed)
	}
}

func TestCertificatesHoldOnlyInTheirTime(t *testing.T) {
	for _, name := range productLines {
		e, policy := vector(t, name)
		v, err := verify(e, policy, admission)
		if err != nil {
			t.Fatal(err)
		}
		from, to := v.Claims.NotBefore, v.Claims.NotAfter
		for at, ok := range map[time.Time]bool{
			from: true, from.Add(-time.Second): false, to: true, to.Add(time.Second): false, {}: false,
		} {
			// The recorded policy expires a few weeks before 2033: judge the certificates alone.
			_, err := snp.AMD().Authenticate(e, at)
			if (err == nil) != ok {
				t.Errorf("%s at %s: %v", name, at, err)
			}
			if !ok {
				wantError(t, err, attest.ErrExpired)
			}
		}
	}
}

func TestCertificatesOfOthersAreRefused(t *testing.T) {
	for _, name := range productLines {
		e, _ := vector(t, name)
		for _, other := range productLines {
			if other == name {
				continue
			}
			foreign, _ := vector(t, other)
			mixed := attest.Evidence{Kind: attest.KindSNP, Report: e.Report, Chip: foreign.Chip}
			_, err := snp.AMD().Authenticate(mixed, admission)
			wantError(t, err, attest.ErrRoot)

			mixed = e
			mixed.Chain = [][]byte{der(t, read(t, filepath.Join(vectors, other+"_ask.pem")))}
			_, err = snp.AMD().Authenticate(mixed, admission)
			wantError(t, err, attest.ErrRoot)
		}
		// The intermediate is no chip.
		e.Chip = der(t, read(t, filepath.Join(vectors, name+"_ask.pem")))
		_, err := snp.AMD().Authenticate(e, admission)
		wantError(t, err, attest.ErrChip)
	}
}

// Whatever byte is changed, parsing refuses it or keeps it: none is ignored.
func TestParseAndBytesAreInverse(t *testing.T) {
	for _, name := range productLines {
		e, _ := vector(t, name)
		refused := 0
		for i := range e.Report {
			for _, flip := range []byte{0, 1, 0x80} {
				e.Report[i] ^= flip
				if r, err := snp.Parse(e.Report); err != nil {
					refused++
				} else if string(r.Bytes()) != string(e.Report) {
					t.Errorf("%s: with byte %#x changed by %#x, Bytes differs from what was parsed", name, i, flip)
				}
				e.Report[i] ^= flip
			}
		}
		if refused < 800 {
			t.Errorf("%s: only %d changes refused; the reserved bytes alone are more", name, refused)
		}
	}
}

// Fields that a version does not have are reserved in it.
func TestFieldsOfLaterVersions(t *testing.T) {
	e, _ := vector(t, "milan")
	for _, i := range []int{0x1F8, 0x1FF, 0x200, 0x207} {
		e.Report[i] = 1
		_, err := snp.Parse(e.Report)
		wantError(t, err, attest.ErrMalformed)
		e.Report[i] = 0
	}
	e.Report[0] = 2 // no CPU identification
	_, err := snp.Parse(e.Report)
	wantError(t, err, attest.ErrMalformed)
}
