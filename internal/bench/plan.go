package bench

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"runtime"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"golang.org/x/sync/errgroup"
)

// plan is a run signed and encoded beforehand. Transactions are numbered in the
// order of the lanes, and an account's all lie in one lane, so that they arrive
// in the order of their nonces.
type plan struct {
	lanes  [][]shot         // one for each connection
	index  map[uint64]int32 // the first bytes of a transaction's hash -> its number
	hashes []common.Hash
}

// shot is one request.
type shot struct {
	request []byte
	lo, hi  int // its transactions are lo to hi-1
	due     time.Duration
}

// draft is a transaction before it is signed.
type draft struct {
	from  *account
	nonce uint64
	to    common.Address // who receives
	order int            // its place in the whole load
}

// prepare signs and encodes a load for a node.
func prepare(ctx context.Context, t *target, l Load) (*plan, error) {
	encode, err := encodingFor(l.Transport, t.node)
	if err != nil {
		return nil, err
	}
	if err := t.refresh(); err != nil {
		return nil, err
	}
	lanes := make([][]draft, l.Connections)
	accounts := len(t.accounts)
	for i := range l.Transactions {
		a := i % accounts
		from := &t.accounts[a]
		to := t.accounts[(a+1+i/accounts%max(1, accounts-1))%accounts].address
		lane := a % l.Connections
		lanes[lane] = append(lanes[lane], draft{from: from, nonce: from.nonce, to: to, order: i})
		from.nonce++
	}
	p := &plan{
		lanes:  make([][]shot, l.Connections),
		index:  make(map[uint64]int32, l.Transactions),
		hashes: make([]common.Hash, l.Transactions),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	first := 0
	for i, drafts := range lanes {
		lo := first
		first += len(drafts)
		group.Go(func() error { return p.prepareLane(ctx, t, l, i, lo, drafts, encode) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, h := range p.hashes {
		p.index[hashKey(h)] = int32(i)
	}
	return p, nil
}

func (p *plan) prepareLane(ctx context.Context, t *target, l Load, lane, lo int, drafts []draft, encode encoding) error {
	var body []byte
	for begin := 0; begin < len(drafts); begin += l.Batch {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		batch := drafts[begin:min(begin+l.Batch, len(drafts))]
		s := shot{lo: lo + begin, hi: lo + begin + len(batch)}
		if l.Rate > 0 { // a batch is due when its last transaction is
			s.due = time.Duration(float64(batch[len(batch)-1].order) / l.Rate * float64(time.Second))
		}
		body = body[:0]
		for i, d := range batch {
			raw, err := p.sign(t, l, d, s.lo+i)
			if err != nil {
				return err
			}
			body = appendCall(body, l, i, raw)
		}
		if l.Batch > 1 {
			body = append(body, ']')
		}
		s.request = encode(body)
		p.lanes[lane] = append(p.lanes[lane], s)
	}
	return nil
}

func (p *plan) sign(t *target, l Load, d draft, number int) ([]byte, error) {
	data := t.transaction(d.nonce, &d.to, big.NewInt(1), nil, 21_000)
	switch l.Contract {
	case "work":
		data = t.transaction(d.nonce, &t.work.address, nil, workOf(l, d.order), l.gas())
	case "erc20":
		data = t.transaction(d.nonce, &t.token, nil, transferData(d.to, big.NewInt(1)), t.gas)
	}
	tx, err := types.SignNewTx(d.from.key, t.signer, data)
	if err != nil {
		return nil, err
	}
	p.hashes[number] = tx.Hash()
	return tx.MarshalBinary()
}

// appendCall appends the JSON-RPC call of the i-th transaction of a request.
func appendCall(body []byte, l Load, i int, raw []byte) []byte {
	switch {
	case l.Batch > 1 && i == 0:
		body = append(body, '[')
	case l.Batch > 1:
		body = append(body, ',')
	}
	method := "eth_sendRawTransaction"
	if l.Sync {
		method = "eth_sendRawTransactionSync"
	}
	body = append(body, `{"jsonrpc":"2.0","id":`...)
	body = strconv.AppendInt(body, int64(i), 10)
	body = append(body, `,"method":"`...)
	body = append(body, method...)
	body = append(body, `","params":["0x`...)
	body = hex.AppendEncode(body, raw)
	return append(body, `"]}`...)
}

func hashKey(h common.Hash) uint64 { return binary.BigEndian.Uint64(h[:8]) }
