package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// worker fills storage and does the load "work". Called with first, n, more and loops
// it writes number+more into each slot from first on, n of them, and then goes through
// an empty loop so often. What is behind those words it does not read.
var worker = &numbering{what: "slots", each: 200, burst: 8, code: common.FromHex("602d600c600039602d6000f3" + // return the rest
	"602035" + // n
	"5b" + "80601957" + // 3: while n is not 0 go to 25
	"606035" + // loops
	"5b" + "80601157" + "00" + // 11: while it is not 0 go to 17, then end
	"5b" + "60019003" + "600b56" + // 17: loops-1, back to 11
	"5b" + "60019003" + "8060003501" + // 25: n-1; the number
	"8060403501" + "9055" + "600356")} // slot number = number+more, back to 3

// workplace is a worker that was deployed at a node, and how many of its slots are
// occupied: from 0 on.
type workplace struct {
	address common.Address
	slots   int
}

// occupy has the node's workplace have so many slots at least.
func (t *target) occupy(ctx context.Context, slots int, progress io.Writer) error {
	if t.work == nil {
		address, err := t.deploy(ctx, worker)
		if err != nil {
			return err
		}
		t.work = &workplace{address: address}
	}
	if slots <= t.work.slots {
		return nil
	}
	if err := t.refresh(); err != nil {
		return err
	}
	if err := t.count(ctx, worker, t.work.address, t.work.slots, slots, progress); err != nil {
		return err
	}
	t.work.slots = slots
	if err := t.filled(t.work.address, slots); err != nil {
		return err
	}
	return t.rest(ctx, progress)
}

// rest waits until the node has done what the load before left it to do, such as a
// snapshot: until it takes less than a twentieth of a processor for a second. One that
// goes on for three minutes is not waited for.
func (t *target) rest(ctx context.Context, progress io.Writer) error {
	if t.process == nil {
		return nil
	}
	last, err := t.process.time()
	if err != nil {
		return ErrNode.From(err)
	}
	for second := range 180 {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
		now, err := t.process.time()
		if err != nil {
			return ErrNode.From(err)
		}
		if now-last < time.Second/20 {
			fmt.Fprintf(progress, "%s rests after %d s\n", t.name, second)
			return nil
		}
		last = now
	}
	return nil
}

// workOf is the call of the transaction of a load that has this place in it.
func workOf(l Load, order int) []byte {
	r := rand.New(rand.NewPCG(uint64(order), uint64(l.Transactions)))
	first := r.IntN(l.Slots - l.Writes + 1)
	data := worker.span(first, l.Writes)
	// Another value than the last one: a slot that keeps its value is not written.
	data = append(data, common.BigToHash(new(big.Int).SetUint64(r.Uint64())).Bytes()...)
	data = append(data, number(l.Loops).Bytes()...)
	for range l.Data {
		data = append(data, byte(r.Uint32()))
	}
	return data
}

// gas is a limit that the work stays below.
func (w Work) gas() uint64 { return uint64(60_000 + 25_000*w.Writes + 60*w.Loops + 60*w.Data) }

// filled reads some slots back.
func (t *target) filled(contract common.Address, slots int) error {
	for _, n := range []int{0, slots / 2, slots - 1} {
		var value common.Hash
		if err := call(t.control, &value, "eth_getStorageAt", contract, number(n), "latest"); err != nil {
			return err
		}
		if value.Big().Sign() == 0 {
			return errors.New("the node does not have a slot that was written")
		}
	}
	return nil
}
