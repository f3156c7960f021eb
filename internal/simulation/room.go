package simulation

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// The protocol of the simulation: registers that are written, lists that are
// appended to, and numbers that are drawn, which only works when a request is
// executed once. It has no nonces, so that nothing but the way of a request keeps
// it from being executed twice.
const (
	protocolName = "sim"
	registers    = "sim.registers"
	lists        = "sim.lists"
	done         = "sim.done"
)

type operation byte

const (
	opWrite  operation = iota + 1 // register = value
	opAppend                      // list = hash(list ‖ request)
	opDraw                        // register = random
	opRefuse                      // refused by the protocol
	opPanic                       // breaks the protocol
)

// request is what a client asks for.
type request struct {
	id    uint64
	op    operation
	key   byte
	value uint64
}

func (r *request) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, r.id)
	b = append(b, byte(r.op), r.key)
	return binary.BigEndian.AppendUint64(b, r.value)
}

var errRequest = errors.New("that is no request of the simulation")

func decodeRequest(b []byte) (*request, error) {
	if len(b) != 18 {
		return nil, errRequest
	}
	return &request{binary.BigEndian.Uint64(b), operation(b[8]), b[9], binary.BigEndian.Uint64(b[10:])}, nil
}

func nativeID(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

// room is the protocol on one node.
type room struct {
	store            *kv.Store
	registers, lists kv.TableID
}

func tables() []kv.Table {
	return []kv.Table{
		{Name: registers, Kind: kv.Ordered}, {Name: lists, Kind: kv.Ordered},
		{Name: format.TableService, Kind: kv.Ordered}, {Name: format.TableFormat, Kind: kv.Ordered}, {Name: format.TableNodes, Kind: kv.Ordered},
	}
}

func newRoom() (*room, error) {
	store, err := kv.New(tables()...)
	if err != nil {
		return nil, err
	}
	r := &room{store: store}
	r.registers, _ = store.Table(registers)
	r.lists, _ = store.Table(lists)
	return r, nil
}

// Effect implements sequencer.Protocol.
func (r *room) Effect() format.Effect { return format.Effect{Protocol: protocolName, Version: 1} }

// Room implements sequencer.Protocol.
func (r *room) Room() string { return protocolName }

// Open implements sequencer.Protocol.
func (r *room) Open(sequencer.Slot) sequencer.Part { return &part{room: r} }

// Rollback implements sequencer.Protocol.
func (r *room) Rollback(uint64) {}

// digest is a hash over the protocol's state.
func (r *room) digest() format.Hash {
	v := r.store.Pin()
	defer v.Release()
	h := sha256.New()
	for _, table := range []kv.TableID{r.registers, r.lists} {
		_ = v.Each(table, func(key, value []byte) bool { // the tables exist
			fmt.Fprintf(h, "%d %x %x\n", table, key, value)
			return true
		})
	}
	return format.Hash(h.Sum(nil))
}

type part struct {
	room  *room
	count int
}

var errRefusedHere = errors.New("the protocol refuses this request")

// Execute implements sequencer.Part.
func (p *part) Execute(tx *kv.Tx, q *sequencer.Request) (*sequencer.Result, error) {
	r, err := decodeRequest(q.Bytes)
	if err != nil {
		return nil, err
	}
	var out []byte
	switch r.op {
	case opWrite:
		out = binary.BigEndian.AppendUint64(nil, r.value)
		err = tx.Put(p.room.registers, []byte{r.key}, out)
	case opAppend:
		old, _ := tx.Get(p.room.lists, []byte{r.key})
		sum := sha256.Sum256(append(old, q.Bytes...))
		out = sum[:]
		err = tx.Put(p.room.lists, []byte{r.key}, out)
	case opDraw:
		out = make([]byte, 8)
		rand.Read(out)
		err = tx.Put(p.room.registers, []byte{r.key}, out)
	case opRefuse:
		_ = tx.Put(p.room.registers, []byte{r.key}, []byte("refused, and yet here")) // must leave no trace
		return nil, errRefusedHere
	default:
		panic("this request breaks the protocol")
	}
	if err != nil {
		return nil, err
	}
	p.count++
	return &sequencer.Result{Outcome: out, NativeID: nativeID(r.id), Claims: []proof.Claim{{Field: 1, Value: out}}}, nil
}

// Full implements sequencer.Part.
func (p *part) Full() bool { return p.count >= 8 }

// Close implements sequencer.Part.
func (p *part) Close() ([]byte, any) { return []byte{byte(p.count)}, nil }
