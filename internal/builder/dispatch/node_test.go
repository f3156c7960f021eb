package dispatch_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger/coco"
	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/test/binary"
)

func TestMain(m *testing.M) { ledgertest.Main(m) }

// TestNode is the life of a contract on a real node: in the gateway, past it, and
// by other contracts; then the node is killed, and then the database deleted.
func TestNode(t *testing.T) {
	data, port := filepath.Join(t.TempDir(), "data"), ledgertest.FreePort(t)
	start := func() *binary.Node {
		return binary.StartCommand(t, ledgertest.Coco(t, "start", "--json", "--portal", "off", "--rpc", "127.0.0.1:"+port, "--data", data))
	}
	node := start()
	driver, err := coco.Open(node.RPC, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(driver.Close)
	zero, err := driver.Blocks(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := newStageOn(t, driver, &offchain.ConnectionAdded{LedgerID: 1, Endpoint: node.RPC, Kind: "coco", ChainID: node.ChainID, Genesis: zero[0].Hash})
	s.start()
	shop, _ := s.create("kim", "10")
	s.calm()
	address := s.contract(shop).Address
	s.call("gus", s.shop, address, "Take", "n", "1")
	s.call("stranger", s.shop, address, "Take", "n", "2")
	s.calm()
	s.call("lee", s.shop, address, "Take", "n", "98")
	s.calm()
	s.act("gus", shop, "Take", "n", "99")
	s.calm()
	s.act("gus", shop, "Make", "n", "3")
	s.calm()
	items := s.items()
	if len(items) != 1 {
		t.Fatalf("the items are %+v", items)
	}
	it := strings.ToLower(items[0].Address.Hex())
	s.act("lee", shop, "Pass", "item", it, "n", "4")
	s.calm()
	node.Kill(t)
	s.act("kim", shop, "Close")
	start()
	s.calm()
	s.wantActions(shop,
		"kim constructor count=10 -> Open",
		"gus Take n=1 -> Open",
		"nobody Take n=2 -> Open",
		"lee Take n=98 reverted: too few -> Open",
		"gus Take n=99 refused: too few",
		"gus Make n=3 -> Open",
		"lee Pass item="+it+" n=4 -> Open",
		"kim Close -> Closed")
	s.wantActions(items[0].ID,
		"gus constructor shop="+strings.ToLower(address.Hex())+" n=3 by contract -> New",
		"lee Add n=4 by contract -> Used")
	s.wantValue(items[0].ID, "Total", "7")
	if lag, err := s.index.Lag(t.Context(), s.conn); err != nil || lag.Blocks != 0 || lag.Head == 0 {
		t.Errorf("the lag is %+v: %v", lag, err)
	}
	before := s.dump()
	s.restart(s.forget)
	s.calm()
	same(t, "after the database was deleted", before, s.dump())
}
