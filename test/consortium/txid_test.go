package consortium

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// txids follows what nodes say of transactions by their TxIDs.
type txids struct {
	mu       sync.Mutex
	final    map[string]string // of all nodes: Committed or Invalid
	wrong    []string
	asked    int
	recent   []string
	invalid  int
	finished int
}

func newTxIDs() *txids { return &txids{final: map[string]string{}} }

// saw takes note of what a node said. Committed and Invalid never change, and all
// nodes agree on them.
func (x *txids) saw(n *node, txid, status string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked++
	switch was := x.final[txid]; {
	case status == "Committed" || status == "Invalid":
		if was != "" && was != status {
			x.wrong = append(x.wrong, fmt.Sprintf("%s is %s at node %d and was %s", txid, status, n.number, was))
		}
		if was == "" {
			x.final[txid] = status
			if x.finished++; status == "Invalid" {
				x.invalid++
			}
		}
	case status != "Unknown" && status != "Pending":
		x.wrong = append(x.wrong, fmt.Sprintf("%s is %q at node %d", txid, status, n.number))
	}
}

// follow asks any node about transactions that are on their way, and any other
// about TxIDs that were heard.
func (l *load) follow(ctx context.Context) {
	who := newAccount()
	ends := map[*process]map[string]string{} // what each process said at last
	for ctx.Err() == nil {
		n, m := l.pick(), l.pick()
		if n == nil || m == nil {
			pause(ctx, 50*time.Millisecond)
			continue
		}
		if !l.ask(ctx, who, n, m, ends) {
			who = newAccount()
		}
	}
}

func (l *load) ask(ctx context.Context, who *account, n, m *node, ends map[*process]map[string]string) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	raw, hash := who.sign(l.net.chain, &l.contract, swapData(0, l.ids.Add(1)))
	if err := n.call(ctx, new(common.Hash), "eth_sendRawTransaction", raw); err != nil {
		pause(ctx, 20*time.Millisecond)
		return false
	}
	for range 5 {
		var s standing
		if n.call(ctx, &s, "coco_getTransactionStatus", hash) == nil && s.TxID != "" {
			l.txids.hear(s.TxID)
			l.txids.saw(n, s.TxID, s.Status)
		}
		p := m.life()
		if txid := l.txids.some(); txid != "" && m.call(ctx, &s, "coco_getTransactionStatus", txid) == nil && m.life() == p {
			l.txids.saw(m, txid, s.Status)
			if ends[p] == nil {
				ends[p] = map[string]string{}
			}
			// A node that knew a TxID's end never forgets it.
			if was := ends[p][txid]; (was == "Committed" || was == "Invalid") && was != s.Status {
				l.txids.saw(m, txid, was+", then "+s.Status)
			}
			ends[p][txid] = s.Status
		}
		pause(ctx, 5*time.Millisecond)
	}
	return true
}

// hear keeps a TxID to ask about; some gives one of the recent.
func (x *txids) hear(txid string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.recent = append(x.recent, txid); len(x.recent) > 64 {
		x.recent = x.recent[len(x.recent)-32:]
	}
}

func (x *txids) some() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.recent) == 0 {
		return ""
	}
	return x.recent[x.asked%len(x.recent)]
}

// legal fails the test for statuses that changed although they cannot.
func (x *txids) legal(t *testing.T) {
	t.Helper()
	for _, w := range x.wrong {
		t.Error(w)
	}
	t.Logf("%d answers about TxIDs were legal; %d came to an end, %d of them Invalid", x.asked, x.finished, x.invalid)
}
