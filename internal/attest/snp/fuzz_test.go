package snp_test

import (
	"bytes"
	"testing"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/snp"
)

// What parses is written again identically, so nothing in a report is ignored.
func FuzzParse(f *testing.F) {
	for _, name := range productLines {
		e, _ := vector(f, name)
		f.Add(e.Report)
		f.Add(e.Report[:len(e.Report)-1])
	}
	f.Add([]byte{})
	f.Add(make([]byte, snp.ReportSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := snp.Parse(data)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Bytes(), data) {
			t.Errorf("%x parses and is written as %x", data, r.Bytes())
		}
	})
}

// No certificate makes the verifier panic, and none but the genuine one is the
// chip's. (A certificate's bytes outside its signature's reach do not exist: DER
// has one form, and the verifier takes no other.)
func FuzzChipCertificate(f *testing.F) {
	for i, name := range productLines {
		e, _ := vector(f, name)
		f.Add(uint8(i), e.Chip)
	}
	f.Add(uint8(0), []byte{})
	f.Add(uint8(1), []byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, i uint8, chip []byte) {
		e, _ := vector(t, productLines[int(i)%len(productLines)])
		genuine := bytes.Equal(chip, e.Chip)
		e.Chip = chip
		_, err := snp.AMD().Authenticate(e, admission)
		if (err == nil) != genuine {
			t.Errorf("certificate %x: %v", chip, err)
		}
	})
}

// Never accept what the oracle refuses, for as long as one likes.
func FuzzAgainstOracle(f *testing.F) {
	for i, name := range productLines[:2] {
		e, _ := vector(f, name)
		f.Add(e.Report, uint8(i))
	}
	f.Fuzz(func(t *testing.T, report []byte, i uint8) {
		e, _ := vector(t, productLines[int(i)%2])
		e = attest.Evidence{Kind: e.Kind, Report: report, Chip: e.Chip}
		if _, err := snp.AMD().Authenticate(e, admission); err == nil && !oracleAccepts(e, admission) {
			t.Errorf("accepted what the oracle refuses: %x", report)
		}
	})
}
