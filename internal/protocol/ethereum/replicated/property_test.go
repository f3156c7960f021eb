package replicated

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
)

// story is what happens to a network by chance, and what was sent.
type story struct {
	*network
	chance *rand.Rand
	raw    map[common.Hash][]byte
	hashes []common.Hash
	sent   map[common.Hash][]*pool.Entry
	sends  int
}

// send sends a transaction of few accounts and nonces, so that many have the same,
// or one that was sent before, to some node.
func (s *story) send() {
	var hash common.Hash
	if len(s.hashes) > 0 && s.chance.IntN(3) == 0 {
		hash = s.hashes[s.chance.IntN(len(s.hashes))]
	} else {
		account := s.chance.IntN(3)
		sender := ethereum.DevelopmentAccounts()[account].Address
		n := s.nodes[s.chance.IntN(len(s.nodes))]
		nonce := n.pool.Next(sender)
		nonce += uint64(s.chance.IntN(4))
		nonce -= min(nonce, uint64(s.chance.IntN(3)))
		raw, h := s.sign(account, nonce, int64(s.chance.IntN(3)))
		if hash = h; s.raw[hash] == nil {
			s.raw[hash] = raw
			s.hashes = append(s.hashes, hash)
		}
	}
	s.sends++
	n := s.nodes[s.chance.IntN(len(s.nodes))]
	if e, err := n.admit(s.raw[hash]); err == nil {
		s.sent[hash] = append(s.sent[hash], e)
	}
}

func (s *story) happen() {
	n := s.nodes[s.chance.IntN(len(s.nodes))]
	switch s.chance.IntN(20) {
	case 0, 1, 2, 3, 4:
		s.send()
	case 5, 6, 7, 8:
		n.forwarder.pump(s.chance)
	case 9, 10:
		n.forwarder.hear(s.chance)
	case 11, 12, 13:
		n.sequencer.Step()
	case 14:
		s.decide(1 + s.chance.IntN(3))
	case 15, 16, 17:
		n.deliver(1 + s.chance.IntN(5))
	case 18:
		s.now = s.now.Add(time.Duration(s.chance.IntN(2000)) * time.Millisecond)
		n.pool.Tick()
	case 19:
		switch s.chance.IntN(8) {
		case 0:
			s.depose()
		case 1, 2:
			s.elect(n, s.chance.IntN(3))
		}
	}
}

// Whatever is sent to whichever nodes, and whatever is lost on its way or with a
// leader: at the end every transaction is either committed, once and for all nodes
// under one name, or for none; every nonce is used once; and whoever was told that
// it is committed was told the truth, and of a committed one somebody was.
func TestWhateverHappens(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { tell(t, seed) })
	}
}

func tell(t *testing.T, seed uint64) {
	s := &story{network: newNetwork(t, 3), chance: rand.New(rand.NewPCG(seed, 1)), raw: map[common.Hash][]byte{}, sent: map[common.Hash][]*pool.Entry{}}
	for range 1500 {
		s.happen()
	}
	s.elect(s.nodes[s.chance.IntN(3)], s.chance.IntN(3))
	for range 4 { // what waits for its turn, and what came back, has its time
		s.settle()
		for _, n := range s.nodes {
			n.pool.Tick()
		}
	}
	s.now = s.now.Add(2 * time.Minute)
	for _, n := range s.nodes {
		n.pool.Tick()
	}
	s.settle()
	s.check(t)
}

func (s *story) check(t *testing.T) {
	committed := map[common.Hash]bool{}
	nonces := map[common.Address]uint64{}
	first := s.nodes[0].chain
	for number := uint64(1); number <= first.Head().Number(); number++ {
		b, err := first.ByNumber(t.Context(), number)
		must(t, err)
		for i, r := range b.Receipts {
			from := b.Transactions[i].From
			if committed[r.TxHash] || b.Transactions[i].Nonce() != nonces[from] {
				t.Errorf("block %d: transaction %v of nonce %d, want %d", number, r.TxHash, b.Transactions[i].Nonce(), nonces[from])
			}
			committed[r.TxHash] = true
			nonces[from]++
		}
	}
	now, cancel := context.WithCancel(t.Context())
	cancel()
	for hash, entries := range s.sent {
		told := false
		for _, e := range entries {
			switch err := e.Wait(now); {
			case errors.Is(err, context.Canceled):
				t.Errorf("%v of nonce %d has no end; waiting: %v", hash, e.Transaction().Nonce(), e.Waiting())
			case err == nil && !committed[hash]:
				t.Errorf("%v was said to be committed", hash)
			case err == nil:
				told = true
			}
		}
		if committed[hash] && !told {
			t.Errorf("%v is committed, and everybody was told something else: %v", hash, entries[0].Wait(now))
		}
	}
	name := map[common.Hash]string{}
	for _, n := range s.nodes {
		if n.chain.Head().Hash != first.Head().Hash {
			t.Fatalf("node %d stands at block %d", n.id, n.chain.Head().Number())
		}
		for _, hash := range s.hashes {
			got := n.status(hash)
			switch {
			case committed[hash] && (got.Status != "Committed" || name[hash] != "" && got.TxID != name[hash]):
				t.Errorf("node %d says of %v: %+v, another %s", n.id, hash, got, name[hash])
			case !committed[hash] && (got.Status == "Committed" || got.Status == "Pending" || got.Status == "pending"):
				t.Errorf("node %d says of %v, which is not committed: %+v", n.id, hash, got)
			}
			name[hash] = got.TxID
		}
	}
	t.Logf("%d views, %d blocks, %d transactions sent %d times, %d committed", s.term-1, first.Head().Number(), len(s.hashes), s.sends, len(committed))
	if len(committed) < 10 {
		t.Errorf("only %d transactions of %d were committed", len(committed), len(s.hashes))
	}
}
