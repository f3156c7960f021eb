package ethereum_test

import (
	"testing"

	"github.com/coco-consortium/coco/internal/builder/ledger/ethereum"
	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
	"github.com/coco-consortium/coco/test/contracts"
)

// open makes a driver whose people are given funds by geth's developer account.
func open(t testing.TB, g *ledgertest.Geth) *ethereum.Driver {
	t.Helper()
	d, err := ethereum.Open(g.URL, ethereum.Options{Funder: g.Funder})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func TestConformance(t *testing.T) {
	ledgertest.Run(t, open(t, ledgertest.StartGeth(t, "debug")), contracts.Token)
}

// TestConformanceWithoutTraces is the stated fallback.
func TestConformanceWithoutTraces(t *testing.T) {
	ledgertest.Run(t, open(t, ledgertest.StartGeth(t)), contracts.Token)
}
