package builder

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/ledger/access"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

func TestClaimed(t *testing.T) {
	one, two := access.Identity{Chain: 1, Genesis: common.Hash{1}}, access.Identity{Chain: 1, Genesis: common.Hash{2}}
	row := func(id int, endpoint string, i access.Identity) offchain.Connection {
		return offchain.Connection{ID: id, Endpoint: endpoint, Kind: kindCoco, ChainID: i.Chain, Genesis: i.Genesis}
	}
	a, b, never := row(1, "a", one), row(2, "b", two), row(3, "n", access.Identity{})
	asks := func(i access.Identity, rpc ...string) way { return way{Connection: Connection{RPC: rpc}, identity: i} }
	down := access.Identity{}
	for name, c := range map[string]struct {
		way   way
		known []offchain.Connection
		taken int
		want  int // 0: a new one
	}{
		"the first":                      {asks(one, "a"), nil, 0, 0},
		"the first, down":                {asks(down, "a"), nil, 0, 0},
		"as before":                      {asks(one, "a"), []offchain.Connection{a, b}, 0, 1},
		"down":                           {asks(down, "b"), []offchain.Connection{a, b}, 0, 2},
		"by its second node":             {asks(one, "x", "a"), []offchain.Connection{a, b}, 0, 1},
		"another address":                {asks(two, "x"), []offchain.Connection{a, b}, 0, 2},
		"another address, down":          {asks(down, "x"), []offchain.Connection{a}, 0, 1},
		"another address, two are left":  {asks(down, "x"), []offchain.Connection{a, b}, 0, 0},
		"another address, one is left":   {asks(down, "x"), []offchain.Connection{a, b}, 1, 2},
		"another address, none is left":  {asks(down, "x"), []offchain.Connection{a}, 1, 0},
		"another ledger at its address":  {asks(two, "a"), []offchain.Connection{a}, 0, 1}, // and is refused
		"its address is another's":       {asks(two, "a"), []offchain.Connection{a, b}, 0, 1},
		"a new ledger":                   {asks(two, "b"), []offchain.Connection{a}, 0, 0},
		"never seen and down":            {asks(down, "n"), []offchain.Connection{a, never}, 0, 3},
		"never seen and there":           {asks(two, "n"), []offchain.Connection{a, never}, 0, 3},
		"never seen, and is another one": {asks(one, "n"), []offchain.Connection{a, never}, 0, 1},
	} {
		got := 0
		if k := claimed(&c.way, c.known, func(k *offchain.Connection) bool { return k.ID == c.taken }); k != nil {
			got = k.ID
		}
		if got != c.want {
			t.Errorf("%s: connection %d, not %d", name, got, c.want)
		}
	}
}
