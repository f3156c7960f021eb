package envelope

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"sync/atomic"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/planted"
	"github.com/coco-consortium/coco/internal/proof"
)

// Seal makes the record of draft d with the given seqno.
func (k *Keys) Seal(seqno uint64, d *Draft) *Record {
	records, _ := k.SealAll(seqno, []*Draft{d}, 0, 1)
	return &records[0]
}

// SealAll makes the records of a block's drafts, from the given seqno on, in the
// place that they have in the block's body; section is the size of what stands
// there beside them. Up to so many goroutines do it, the caller is one of them.
func (k *Keys) SealAll(first uint64, drafts []*Draft, section, workers int) ([]Record, *format.Body) {
	b := k.batch(first, drafts, section)
	workers = min(workers, len(drafts)/share)
	var next atomic.Int64
	work := func() {
		var s scratch
		for {
			to := int(next.Add(share))
			for i := to - share; i < min(to, len(drafts)); i++ {
				b.seal(i, &s)
			}
			if to >= len(drafts) {
				return
			}
		}
	}
	var wait sync.WaitGroup
	for range workers - 1 {
		wait.Go(work)
	}
	work()
	wait.Wait()
	return b.records, b.body
}

// share is how many records a goroutine takes at a time. To wake one costs as much
// as to seal one or two.
const share = 16

// batch is the drafts of a block and, in a few pieces of memory, what becomes of
// them.
type batch struct {
	*Keys
	drafts   []*Draft
	records  []Record
	preludes []format.Prelude
	privates []format.Private
	random   []byte // a seed and a nonce for each
	body     *format.Body
}

const (
	seedSize   = 32
	nonceSize  = len(format.Sealed{}.Nonce)
	randomSize = seedSize + nonceSize
	tagSize    = 16
)

// batch makes room for the records; what is hashed and random has a fixed size.
func (k *Keys) batch(first uint64, drafts []*Draft, section int) *batch {
	n := len(drafts)
	b := &batch{Keys: k, drafts: drafts, records: make([]Record, n), preludes: make([]format.Prelude, n),
		privates: make([]format.Private, n), random: make([]byte, n*randomSize)}
	rand.Read(b.random)
	sizes := make([]int, n)
	for i, d := range drafts {
		prelude, private := &b.preludes[i], &b.privates[i]
		*prelude = format.Prelude{Format: k.place.Format, View: k.place.View, Seqno: first + uint64(i), Kind: d.Kind, Effects: d.Effects}
		*private = d.Private
		if prelude.Effects == nil {
			prelude.Effects = []format.Effect{} // an absent list is encoded as an empty one: one meaning, one encoding
		}
		if len(d.Claims) > 0 {
			private.ClaimsSeed = b.random[i*randomSize:][:seedSize:seedSize]
		}
		b.records[i] = Record{Prelude: prelude, Public: d.Public, Private: private}
		sizes[i] = format.SealedSize(prelude, d.Public, k.epoch, private.PaddedSize()+tagSize)
	}
	b.body = format.NewBody(section, sizes)
	return b
}

// scratch is the room in which one goroutine works.
type scratch struct {
	prelude, public, context []byte
	sealed                   [1]format.Sealed
}

// seal makes record i. The plaintext is encrypted where the ciphertext stays.
func (b *batch) seal(i int, s *scratch) {
	r, random := &b.records[i], b.random[i*randomSize:][:randomSize]
	if seed := r.Private.ClaimsSeed; len(b.drafts[i].Claims) > 0 {
		r.Prelude.Claims = proof.ClaimsDigest(proof.DomainClaims{Seed: [seedSize]byte(seed), Claims: b.drafts[i].Claims})
	}
	r.Evidence = b.Evidence(r.Prelude.Seqno)
	r.Prelude.Evidence = sha256.Sum256(r.Evidence[:])

	public := r.Public
	if public == nil {
		public = []format.Write{}
	}
	s.prelude, s.public = r.Prelude.Append(s.prelude[:0]), format.AppendWrites(s.public[:0], public)
	s.sealed[0] = format.Sealed{Domain: format.ServiceDomain, Epoch: b.epoch}
	nonce := s.sealed[0].Nonce[:]
	if !planted.Is(planted.ReuseNonce) {
		copy(nonce, random[seedSize:])
	}
	record := format.Record{Prelude: s.prelude, Public: s.public, Sealed: s.sealed[:]}
	s.context = record.AppendContext(s.context[:0], 0, 1)
	open := record.AppendOpen(b.body.Record(i), r.Private.PaddedSize()+tagSize)
	stored := r.Private.AppendPadded(open)
	plain := stored[len(open):]
	r.Stored = stored[:len(open)+len(b.Keys.record.Seal(plain[:0], nonce, plain, s.context))]
	r.Leaf = proof.Leaf(sha256.Sum256(r.Stored), r.Prelude.Evidence, r.Prelude.Claims)
}
