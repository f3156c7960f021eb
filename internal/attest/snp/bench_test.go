package snp_test

import (
	"testing"

	"github.com/coco-consortium/coco/internal/attest/snp"
)

func BenchmarkAuthenticate(b *testing.B) {
	e, _ := vector(b, "turin")
	for b.Loop() {
		if _, err := snp.AMD().Authenticate(e, admission); err != nil {
			b.Fatal(err)
		}
	}
}
