package api

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/test/contracts"
)

// TestOldState asks the methods that read state about every block, by number and
// by hash: inside the window they give what was true then, outside they name it.
func TestOldState(t *testing.T) {
	const window, last = 12, 14
	w := newWorldWithin(t, window)
	payee, holder := common.Address{0x77}, common.Address{0x78}
	token := w.deploy()                                                         // block 1
	diary := w.sendSync(1, 0, nil, 0, contracts.Diary.Deploy()).ContractAddress // block 2
	word := func(block int) common.Hash { return common.BigToHash(big.NewInt(int64(block))) }
	for block := 3; block <= last; block++ {
		switch nonce := uint64(block / 3); block % 3 {
		case 0:
			w.sendSync(2, nonce-1, &payee, 1, nil)
		case 1:
			w.sendSync(0, nonce, &token, 0, contracts.Token.Call("transfer", holder, big.NewInt(5)))
		case 2:
			w.sendSync(1, nonce, &diary, 0, contracts.Diary.Call("write", word(block), payee, []byte("text")))
		}
	}
	if head := w.chain.Head().Number(); head != last {
		t.Fatalf("%d blocks, not %d", head, last)
	}
	for block := range last + 1 {
		paid, moved, written := block/3, max(0, (block-1)/3), 0
		for b := 5; b <= block; b += 3 {
			written = b
		}
		for _, at := range []any{hexutil.Uint64(block), map[string]any{"blockHash": w.hashOf(block)}} {
			for _, c := range []struct {
				method string
				params []any
				want   string
			}{
				{"eth_getBalance", []any{payee, at}, fmt.Sprintf("%#x", paid)},
				{"eth_getTransactionCount", []any{address(2), at}, fmt.Sprintf("%#x", paid)},
				{"eth_getStorageAt", []any{diary, "0x0", at}, word(written).Hex()},
				{"eth_call", []any{map[string]any{"to": token, "input": hexutil.Bytes(contracts.Token.Call("balanceOf", holder))}, at},
					common.BigToHash(big.NewInt(int64(5 * moved))).Hex()},
			} {
				got := w.call(c.method, c.params...)
				switch {
				case block >= last-window && got != `"`+c.want+`"`:
					t.Errorf("%s at block %d: %s, want %s", c.method, block, got, c.want)
				case block < last-window:
					contains(t, got, fmt.Sprintf(`block %d was asked for, state is kept from block %d to %d`, block, last-window, last), `"STATE_UNAVAILABLE"`)
				}
			}
		}
	}
	if code := w.call("eth_getCode", diary, hexutil.Uint64(last-window)); !strings.HasPrefix(code, `"0x60`) {
		t.Errorf("the diary's code at its first block: %.80s", code)
	}
}

// A block and the state after it belong together while the chain is not yet told of
// a block whose state is published.
func TestLatestIsOneBlock(t *testing.T) {
	w := newWorld(t)
	watcher := record{"0x00000000000000000000000000000000000000ee": record{"code": "0x73" + payee(0x77) + "3160a01b431760005260206000f3"}}
	ask := func() string { // the balance of the payee, shifted, and the block's number
		return w.call("eth_call", record{"to": "0x00000000000000000000000000000000000000ee"}, "latest", watcher)
	}
	want := func(balance, number int64) string {
		n := new(big.Int).Lsh(big.NewInt(balance), 0xa0)
		return `"` + common.BigToHash(n.Add(n, big.NewInt(number))).Hex() + `"`
	}
	to := common.HexToAddress(payee(0x77))
	raw, _ := w.sign(0, 0, &to, 5, nil)
	committed := w.Commit(t, raw)
	if got := ask(); got != want(0, 0) {
		t.Errorf("before the chain is told: %s", got)
	}
	w.chain.Committed(committed)
	if got := ask(); got != want(5, 1) {
		t.Errorf("afterwards: %s", got)
	}
}

// Where old state is not kept, the state waits for its block.
func TestLatestWaits(t *testing.T) {
	w := newWorld(t)
	past := history.OpenPast("past", w.Store, history.PastOptions{Options: history.Options{FS: crash.New(), Key: func(uint64) ([32]byte, error) { return [32]byte{1}, nil }}})
	a := &API{Config: Config{Chain: w.chain, Store: w.Store, Machine: w.Machine, Past: past}}
	committed := w.Commit(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.latest(ctx); problem.CodeOf(err) != "STATE_UNAVAILABLE" {
		t.Errorf("without its block: %v", err)
	}
	var telling sync.WaitGroup
	telling.Go(func() { w.chain.Committed(committed) })
	m, err := a.latest(t.Context())
	if err != nil || m.base.Number() != 1 || m.block.Number != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	m.Release()
	telling.Wait()
	if err := past.Close(); err != nil {
		t.Fatal(err)
	}
}

// payee is the hexadecimal digits of an address.
func payee(n byte) string { return fmt.Sprintf("%040x", n) }

// hashOf is the hash of a block.
func (w *world) hashOf(number int) (hash common.Hash) {
	w.t.Helper()
	var b struct{ Hash common.Hash }
	w.into(&b, "eth_getBlockByNumber", hexutil.Uint64(number), false)
	return b.Hash
}
