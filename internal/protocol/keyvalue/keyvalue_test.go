package keyvalue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/sequencer"
)

func TestCheck(t *testing.T) {
	long := bytes.Repeat([]byte{1}, MaxValue+1)
	for name, c := range map[string]struct {
		request Request
		want    error
	}{
		"put":               {Request{Op: Put, Key: []byte("k"), Value: []byte("v")}, nil},
		"put nothing":       {Request{Op: Put, Key: []byte("k")}, nil},
		"longest":           {Request{Op: Put, Key: long[:MaxKey], Value: long[:MaxValue]}, nil},
		"delete":            {Request{Op: Delete, Key: []byte("k")}, nil},
		"delete with value": {Request{Op: Delete, Key: []byte("k"), Value: []byte("v")}, ErrRequest},
		"no operation":      {Request{Key: []byte("k")}, ErrRequest},
		"unknown operation": {Request{Op: 3, Key: []byte("k")}, ErrRequest},
		"no key":            {Request{Op: Put}, ErrKey},
		"long key":          {Request{Op: Put, Key: long[:MaxKey+1]}, ErrKey},
		"long value":        {Request{Op: Put, Key: []byte("k"), Value: long}, ErrValue},
	} {
		if err := c.request.Check(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", name, err, c.want)
		}
		if _, err := Decode(c.request.Encode()); !errors.Is(err, c.want) {
			t.Errorf("%s, decoded: %v, not %v", name, err, c.want)
		}
	}
}

// TestEncoding: what is written by hand is what the format's encoder writes.
func TestEncoding(t *testing.T) {
	long := bytes.Repeat([]byte{1}, MaxValue)
	for _, key := range []int{1, 23, 24, 255, 256, MaxKey} {
		for _, value := range []int{0, 23, 24, 255, 256, 1<<16 - 1, 1 << 16, MaxValue} {
			r := &Request{Op: Put, Key: long[:key], Value: long[:value]}
			if !bytes.Equal(r.Encode(), format.Encode(r)) {
				t.Errorf("%d bytes under %d", value, key)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add((&Request{Op: Put, Key: []byte("k"), Value: []byte("v")}).Encode())
	f.Add((&Request{Op: Delete, Key: []byte{0}}).Encode())
	f.Add([]byte{0x83, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := Decode(data); err == nil && !bytes.Equal(r.Encode(), data) {
			t.Errorf("%x has another encoding: %x", data, r.Encode())
		}
	})
}

// published is a block with records of given native ids.
func published(height uint64, ids ...[]byte) *sequencer.Committed {
	b := &envelope.Block{Header: &format.Header{Height: height, View: 2, FirstSeqno: 100 * height}}
	for _, id := range ids {
		b.Records = append(b.Records, envelope.Record{Prelude: &format.Prelude{Kind: format.KindTransaction}, Private: &format.Private{NativeID: id}})
	}
	return &sequencer.Committed{Block: b}
}

func TestRecent(t *testing.T) {
	r := NewRecent(6)
	old, a, b := ID(5), ID(6), ID(7)
	if err := r.vouch(a); err != nil {
		t.Error("nothing is committed behind the height that is known:", err)
	}
	r.Committed(published(7, make([]byte, 32), a, nil))
	if err := r.vouch(old); !errors.Is(err, sequencer.ErrOutcomeUnknown) {
		t.Error("a request that may be in an unknown block:", err)
	}
	if tx, ok := r.Find(a); !ok || tx != (sequencer.TxID{View: 2, Seqno: 701}) {
		t.Error(tx, ok)
	}
	if _, ok := r.Find(b); ok {
		t.Error("found what was never committed")
	}
	for _, id := range [][]byte{nil, a[:8], append(bytes.Clone(a), 0)} {
		if _, ok := r.Find(id); ok || r.vouch(id) == nil {
			t.Errorf("%x is no ID", id)
		}
	}
}

// TestRecentIsBounded: what is forgotten is not vouched for.
func TestRecentIsBounded(t *testing.T) {
	r := NewRecent(0)
	const perBlock = 1000
	first := ID(0)
	for h := uint64(1); h <= recentRequests/perBlock+5; h++ {
		ids := [][]byte{first}
		for n := range uint64(perBlock) {
			id := ID(h - 1)
			binary.BigEndian.PutUint64(id[8:], n)
			ids = append(ids, id)
		}
		r.Committed(published(h, ids...))
		first = nil
	}
	if len(r.known) > recentRequests || len(r.known) < recentRequests-2*perBlock {
		t.Errorf("%d requests are known", len(r.known))
	}
	if r.vouch(ID(0)) == nil || r.vouch(ID(r.first-1)) != nil || r.vouch(ID(r.first-2)) == nil {
		t.Errorf("requests are known from height %d", r.first)
	}
	for h := range uint64(2 * recentBlocks) {
		r.Committed(published(1000 + h))
	}
	if len(r.blocks) != recentBlocks || len(r.known) != 0 {
		t.Errorf("%d blocks, %d requests", len(r.blocks), len(r.known))
	}
}

func TestExecute(t *testing.T) {
	store, err := kv.New(Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	recent := NewRecent(0)
	room, err := NewRoom(store, func() *Recent { return recent })
	if err != nil {
		t.Fatal(err)
	}
	block, err := store.Begin(0)
	if err != nil {
		t.Fatal(err)
	}
	defer block.Discard()
	part, alice, bob := room.Open(sequencer.Slot{}), Client{1}, Client{2}
	run := func(who Client, q Request) (string, error) {
		tx := block.Tx()
		defer tx.Discard()
		result, err := part.Execute(tx.Scope(room.Room()), &sequencer.Request{ID: ID(0), Caller: who[:], Bytes: q.Encode()})
		if err != nil {
			return "", err
		}
		return string(result.Outcome), tx.Commit()
	}
	for i, c := range []struct {
		who     Client
		request Request
		outcome []byte
	}{
		{alice, Request{Op: Put, Key: []byte("k"), Value: []byte("1")}, outcomeNew},
		{bob, Request{Op: Put, Key: []byte("k"), Value: []byte("2")}, outcomeNew},
		{alice, Request{Op: Put, Key: []byte("k"), Value: []byte("3")}, outcomeOld},
		{bob, Request{Op: Delete, Key: []byte("k")}, outcomeOld},
		{bob, Request{Op: Delete, Key: []byte("k")}, outcomeNew},
	} {
		if got, err := run(c.who, c.request); err != nil || got != string(c.outcome) {
			t.Errorf("%d: %x %v", i, got, err)
		}
	}
	tx := block.Tx()
	defer tx.Discard()
	if value, ok := room.Get(nil, tx, alice, []byte("k")); !ok || string(value) != "3" {
		t.Errorf("%q %v", value, ok)
	}
	if value, ok := room.Get(nil, tx, bob, []byte("k")); ok {
		t.Errorf("deleted, and %q", value)
	}
	for name, r := range map[string]*sequencer.Request{
		"nobody":      {ID: ID(0), Bytes: (&Request{Op: Put, Key: []byte("k")}).Encode()},
		"no ID":       {Caller: alice[:], Bytes: (&Request{Op: Put, Key: []byte("k")}).Encode()},
		"no encoding": {ID: ID(0), Caller: alice[:], Bytes: []byte("k")},
	} {
		if _, err := part.Execute(tx, r); err == nil {
			t.Error(name)
		}
	}
}
