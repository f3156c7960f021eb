package builder

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// TestGethLosesBlocks sets a node of geth back, kills it and starts it again while
// actions are under way. Each action that was asked for is done, and done once: every
// one of them is in one block of the chain that is left.
func TestGethLosesBlocks(t *testing.T) {
	g := newGeth(t, ",debug", "--state.scheme", "hash")
	b := newAlone(t, fmt.Sprintf("connections:\n  - rpc: %s\n    kind: ethereum\n    funding: %s\n", g.url, g.funding(t)))
	d := b.deal(t, 1)
	d.is("1")
	asked := 1
	ask := func(price string) {
		d.ask(price)
		asked++
	}
	for round, lose := range []func(){
		func() { // some blocks, at rest
			d.set(g, 2)
		},
		func() { // all of the contract's, with an action under way
			ask("70")
			d.set(g, g.height(t)-1)
		},
		func() { // what was not written
			ask("71")
			g.kill()
			ask("72")
			g.start(t)
		},
		func() { // the same, and set back
			g.kill()
			g.start(t)
			d.set(g, min(3, g.height(t)-1))
			ask("73")
		},
	} {
		for k := range 3 {
			price := fmt.Sprint(10*round + k + 10)
			ask(price)
			d.is(price)
		}
		lose()
		price := fmt.Sprint(100 + round)
		ask(price)
		d.is(price)
	}
	c := b.until(bob, d.id, "all of them", func(c *contract) bool {
		for _, a := range c.ContractActions {
			if a.ProvisioningStatus < 2 {
				return false
			}
		}
		return len(c.ContractActions) == asked
	})
	for _, a := range c.ContractActions {
		if a.ProvisioningStatus != 2 {
			t.Errorf("%+v", a)
		}
	}
	on := 0 // the ledger's own tale
	for n := uint64(1); n <= g.height(t); n++ {
		var block struct {
			Transactions []struct{ From string }
		}
		if err := rpcCall(t, g.url, &block, "eth_getBlockByNumber", hexutil.Uint64(n), true); err != nil {
			t.Fatal(err)
		}
		for _, x := range block.Transactions {
			if x.From == b.address(bob) {
				on++
			}
		}
	}
	if on != asked {
		t.Errorf("%d transactions on the ledger for %d actions", on, asked)
	}
}

// set takes the newest n blocks of geth away.
func (d *deal) set(g *geth, n uint64) {
	d.t.Helper()
	if err := rpcCall(d.t, g.url, nil, "debug_setHead", hexutil.Uint64(g.height(d.t)-n)); err != nil {
		d.t.Fatal(err)
	}
}
