package consortium

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/test/contracts"
	"github.com/coco-consortium/coco/test/follow"
	"github.com/coco-consortium/coco/test/npm"
)

// TestFollow lets programs with unmodified clients follow events through one
// address, behind which the network's nodes stand, over elections and ends of the
// nodes that served them: they are told every event once, in order.
func TestFollow(t *testing.T) {
	t.Parallel()
	const supply = 1_000_000
	npm.Install(t, "../clients")
	network := found(t, newProxies(t), 3)
	l := network.begin(t)
	door := follow.NewWire(t)
	primary, _ := network.leader()
	door.Reach(primary.place.client)

	who := newAccount()
	raw, hash := who.signGas(network.chain, nil, contracts.Token.Deploy("Garden", "GDN", big.NewInt(supply)), 5_000_000)
	token := *l.must(t, raw, hash).ContractAddress
	value := 0
	transfers := func(n int) {
		for range n {
			value++
			raw, hash := who.sign(network.chain, &token, contracts.Token.Call("transfer", common.Address{1}, big.NewInt(int64(value))))
			l.must(t, raw, hash)
		}
	}
	var programs []*follow.Program
	for _, client := range []string{"ethers", "web3"} {
		p := follow.Start(t, "../clients", client, door.Address, token)
		p.Until(t, "listening")
		programs = append(programs, p)
	}
	transfers(5)
	for round := range 3 {
		primary, _ := network.leader()
		switch round {
		case 0: // the node that serves the clients stays, another leads
			network.drain(primary)
			network.leader()
			transfers(5)
			primary.interrupt(t)
		case 1:
			door.Reach(primary.place.client)
			transfers(5)
			primary.kill()
		case 2:
			backup := network.others(primary)[0]
			door.Reach(backup.place.client)
			primary.kill()
			transfers(5)
			network.leader()
			primary.again(t)
			transfers(5)
			continue
		}
		door.Reach(network.others(primary)[0].place.client)
		transfers(5)
		primary.again(t)
	}
	for _, p := range programs {
		p.Told(t, value, supply)
		t.Logf("%s was told %d events, each once and in order", p.Client, value)
	}
	l.settle(t)
}
