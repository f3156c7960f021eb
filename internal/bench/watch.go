package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// watch learns when transactions are committed: at the moment when the node
// announces their block. Which transactions a block holds is asked afterwards,
// over a connection of its own, so that the asking delays no announcement.
type watch struct {
	announced *wsConn
	asked     *control
	blocks    chan block
	seen      func(h common.Hash, at time.Time)
	ctx       context.Context // ends when the watch does, with its cause
	cancel    context.CancelCauseFunc
	running   sync.WaitGroup
	count     int // blocks, to be read after stop
}

// block is one announcement.
type block struct {
	number uint64
	at     time.Time
}

// maxAnnounced is how many blocks the asking may lag behind the announcements.
const maxAnnounced = 1 << 16

// startWatch subscribes to new blocks. seen is called from one goroutine.
func startWatch(ctx context.Context, t *target, seen func(h common.Hash, at time.Time)) (*watch, error) {
	w := &watch{blocks: make(chan block, maxAnnounced), seen: seen}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.asked = &control{ctx: w.ctx, url: t.node.URL}
	var head hexutil.Uint64
	err := func() (err error) {
		if w.announced, err = dialWebSocket(w.ctx, t.node.WebSocket); err != nil {
			return err
		}
		return errors.Join(
			call(w.asked, &head, "eth_blockNumber"),
			call(w.announced, nil, "eth_subscribe", "newHeads"),
		)
	}()
	if err != nil {
		w.stop()
		return nil, err
	}
	w.running.Go(func() { w.cancel(w.listen()) })
	w.running.Go(func() { w.ask(uint64(head)) })
	return w, nil
}

// stop ends the watch and gives the number of blocks it saw.
func (w *watch) stop() (blocks int) {
	w.cancel(nil)
	w.running.Wait()
	if w.announced != nil {
		w.announced.close()
	}
	w.asked.close()
	return w.count
}

// listen notes announcements until the connection ends.
func (w *watch) listen() error {
	defer close(w.blocks)
	for {
		message, err := w.announced.receive()
		at := time.Now()
		if err != nil {
			return fmt.Errorf("newHeads: %w", err)
		}
		number, err := announcedNumber(message)
		if err != nil {
			return err
		}
		select {
		case w.blocks <- block{number, at}:
		default:
			return fmt.Errorf("newHeads: the generator is %d blocks behind", maxAnnounced)
		}
	}
}

// announcedNumber finds the number in a newHeads message; the rest of the header
// is not worth decoding.
func announcedNumber(message []byte) (uint64, error) {
	_, after, ok := bytes.Cut(message, []byte(`"number":"`))
	text, _, closed := bytes.Cut(after, []byte(`"`))
	if !ok || !closed {
		return 0, fmt.Errorf("newHeads: no block number in %.200q", message)
	}
	number, err := hexutil.DecodeUint64(string(text))
	if err != nil {
		return 0, fmt.Errorf("newHeads: %w", err)
	}
	return number, nil
}

// ask reads the blocks above head as they are announced, several in a request
// when it lags. A block that was not announced counts from the next one that was.
func (w *watch) ask(head uint64) {
	for b := range w.blocks {
		waiting := []block{b}
		for len(waiting) < 64 && len(w.blocks) > 0 {
			waiting = append(waiting, <-w.blocks)
		}
		var want []block
		for _, b := range waiting {
			for head < b.number {
				head++
				want = append(want, block{head, b.at})
			}
		}
		for lo := 0; lo < len(want); lo += 64 {
			if err := w.read(want[lo:min(lo+64, len(want))]); err != nil {
				w.cancel(err)
				return
			}
		}
	}
}

// read asks for blocks and reports their transactions.
func (w *watch) read(blocks []block) error {
	params := make([][]any, len(blocks))
	for i, b := range blocks {
		params[i] = []any{hexutil.Uint64(b.number), false}
	}
	answers, err := callMany(w.asked, "eth_getBlockByNumber", params)
	if err != nil {
		return err
	}
	for i, a := range answers {
		var content struct {
			Transactions []common.Hash `json:"transactions"`
		}
		if string(a) == "null" {
			return fmt.Errorf("block %d was announced and is not there", blocks[i].number)
		}
		if err := json.Unmarshal(a, &content); err != nil {
			return fmt.Errorf("eth_getBlockByNumber: %w", err)
		}
		w.count++
		for _, h := range content.Transactions {
			w.seen(h, blocks[i].at)
		}
	}
	return nil
}
