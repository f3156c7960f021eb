package bench

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/internal/bench/fleet"
)

// audit reads the whole chain of every node: each acknowledged transaction must be
// in it once, and the chains must be the same.
func (w *world) audit(ctx context.Context, l *Loss) error {
	var head uint64
	for _, n := range w.fleet.Nodes() {
		height, err := heightOf(ctx, n)
		if err != nil {
			return ErrNode.From(err)
		}
		head = max(head, height)
	}
	lost := make(map[common.Hash]bool)
	var first []common.Hash // hashes of blocks
	for i, n := range w.fleet.Nodes() {
		err := fleet.Await(ctx, fmt.Sprintf("node %d is at block %d", n.Number, head), func() (bool, error) {
			height, err := heightOf(ctx, n)
			return height >= head, err
		})
		if err != nil {
			return err
		}
		blocks, in, err := readChain(ctx, n.URL, head)
		if err != nil {
			return ErrNode.From(err)
		}
		for _, o := range w.writers.list {
			for _, h := range o.hashes {
				switch in[h] {
				case 0:
					lost[h] = true
				case 1:
				default:
					l.Twice++
				}
			}
		}
		if i == 0 {
			first, l.Blocks = blocks, len(blocks)
			continue
		}
		for j := range blocks {
			if blocks[j] != first[j] {
				l.Different++
			}
		}
	}
	l.Lost = len(lost)
	return nil
}

func heightOf(ctx context.Context, n *fleet.Node) (uint64, error) {
	return blockNumber(ctx, n.URL)
}

// readChain gives the hashes of blocks 0 to head, and how often each transaction
// is in them.
func readChain(ctx context.Context, url string, head uint64) (blocks []common.Hash, in map[common.Hash]int, err error) {
	c := &control{ctx: ctx, url: url}
	defer c.close()
	in = make(map[common.Hash]int)
	const many = 200
	for lo := uint64(0); lo <= head; lo += many {
		var params [][]any
		for n := lo; n < min(lo+many, head+1); n++ {
			params = append(params, []any{hexutil.Uint64(n), false})
		}
		answers, err := callMany(c, "eth_getBlockByNumber", params)
		if err != nil {
			return nil, nil, err
		}
		for i, a := range answers {
			var b struct {
				Hash         common.Hash   `json:"hash"`
				Transactions []common.Hash `json:"transactions"`
			}
			if err := json.Unmarshal(a, &b); err != nil || b.Hash == (common.Hash{}) {
				return nil, nil, fmt.Errorf("block %d is not there: %w", lo+uint64(i), err)
			}
			blocks = append(blocks, b.Hash)
			for _, h := range b.Transactions {
				in[h]++
			}
		}
	}
	return blocks, in, nil
}
