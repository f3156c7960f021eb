package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// files is the ledger's directory.
func (a *author) files() fstest.MapFS { return files(a.entries) }

// files frames entries: a new chunk behind every block that ends one, zeros
// behind the last frame.
func files(entries []format.Entry) fstest.MapFS {
	dir := fstest.MapFS{}
	var prefix format.Hash
	var chunk []byte
	first := uint64(1)
	flush := func() { dir[chunkName(first)] = &fstest.MapFile{Data: chunk, Mode: 0o600} }
	for i := range entries {
		e := &entries[i]
		chunk = format.AppendFrame(chunk, prefix, e)
		prefix = format.NextPrefix(prefix, e)
		if h := headerOf(e); h != nil && h.ChunkEnd {
			flush()
			first, chunk = e.Index+1, nil
		}
	}
	chunk = append(chunk, make([]byte, 3*format.FrameAlign)...)
	flush()
	return dir
}

func chunkName(first uint64) string { return fmt.Sprintf("chunk-%020d", first) }

func headerOf(e *format.Entry) *format.Header {
	if e.Kind != format.EntryBlock {
		return nil
	}
	h, err := format.PeekHeader(e.Body)
	if err != nil {
		return nil
	}
	return h
}

// signedCheckpoint is the checkpoint of the head.
func (a *author) signedCheckpoint() []byte {
	a.t.Helper()
	c := &proof.Checkpoint{Service: a.id, Recoveries: a.recoveries, Size: a.tree.Size(), Root: a.tree.Root(), Mode: a.mode,
		Height: a.last.Height, Key: a.checkpointKey(), Endorsement: a.endorse(a.service, proof.PurposeCheckpoint, a.checkpointKey(), 0)}
	note, err := c.Sign(a.checkpoint)
	if err != nil {
		a.t.Fatal(err)
	}
	return note
}

// receipt is the receipt of a record of the last block, all claims disclosed.
func (a *author) receipt(seqno uint64) *proof.Receipt {
	a.t.Helper()
	last := len(a.entries) - 1
	for a.entries[last].Kind != format.EntryBlock {
		last--
	}
	b, h, err := format.DecodeBlock(a.entries[last].Body)
	if err != nil {
		a.t.Fatal(err)
	}
	stored := b.Records[seqno-h.FirstSeqno]
	_, p, err := format.DecodeRecord(stored)
	if err != nil {
		a.t.Fatal(err)
	}
	key := a.derive("commit-evidence", h.View, h.Height)
	mac := hmac.New(sha256.New, key[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, seqno))
	mac.Write(h.Previous[:])
	mac.Write(h.Writer[:])
	r, err := proof.NewReceipt(tree(a.leaves), a.writer, b.Header, b.Signature, seqno, sha256.Sum256(stored), format.Hash(mac.Sum(nil)), p.Claims)
	if err != nil {
		a.t.Fatal(err)
	}
	for i := range a.claims[seqno].Claims {
		d, err := proof.Disclose([]proof.DomainClaims{a.claims[seqno]}, 0, i)
		if err != nil {
			a.t.Fatal(err)
		}
		r.Disclosed = append(r.Disclosed, *d)
	}
	return r
}

func (a *author) servicePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki(a.t, a.service)})
}

// tree is a tree in memory as proof.Nodes.
type tree []format.Hash

func (t tree) Node(level uint, index uint64) (format.Hash, error) {
	var f proof.Frontier
	for _, leaf := range t[index<<level : (index+1)<<level] {
		f.Append(leaf)
	}
	return f.Root(), nil
}

// short is a ledger of everything that a ledger may hold: four views, three
// nodes that join, lead and retire, joint changes of Raft's configuration, a
// recovery that retires the rest, a snapshot record, four chunks.
func short(t testing.TB, seed string) *author {
	a := newAuthor(t, seed)
	a.genesis(nil)
	a.elect(2)
	a.transactions(1, false)
	a.transactions(3, true)
	a.block(false, false, a.members(a.candidate(format.NodeLearner, nil), a.candidate(format.NodePending, nil)), transaction(1))
	a.entry(format.EntryRaftEmpty, nil) // may stand anywhere
	a.config(2, 6, 2, format.ConfigChange{Type: 3, RaftID: 2})
	a.transactions(1, false)
	a.config(2, 6, 0)
	a.block(false, true, a.members(a.as(2, format.NodeVoter), a.as(3, format.NodeLearner)))
	a.config(2, 9, 2, format.ConfigChange{RaftID: 2}, format.ConfigChange{Type: 3, RaftID: 3})
	a.config(2, 9, 0)
	a.elect(3)
	a.lead(2)
	a.block(false, false, transaction(2), snapshot(4))
	a.block(true, false, a.members(a.as(1, format.NodeRetired)))
	a.config(3, 12, 2, format.ConfigChange{Type: 1, RaftID: 1})
	a.elect(5)
	a.config(3, 12, 0) // by the next leader
	a.recovery(7, nil)
	a.transactions(2, true)
	a.transactions(1, false)
	a.transactions(4, false)
	return a
}

// long is a few hundred blocks in several chunks.
func long(t testing.TB, seed string) *author {
	a := newAuthor(t, seed)
	a.genesis(nil)
	a.elect(2)
	for i := range 300 {
		a.transactions(1+i%3, i%64 == 63)
		if i == 150 {
			a.recovery(4, nil)
		}
	}
	return a
}
