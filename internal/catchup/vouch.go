package catchup

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
	"github.com/coco-consortium/coco/internal/planted"
	"github.com/coco-consortium/coco/internal/proof"
)

// Vouched checks that a log's ledger names a snapshot's digest: the log holds the
// very entries that the snapshot was taken of, and behind them the record that
// the receipt is of (Vouches). It fails with ErrUnsound when the snapshot is not
// one of that ledger, and otherwise when the log cannot tell.
func Vouched(s *snapshot.Snapshot, log *ledger.Log, trust proof.Trust) error {
	m := &s.Manifest.Meta
	if m.Index+1 < log.First() {
		return fmt.Errorf("the log begins behind block %d", m.Height)
	}
	prefix, err := log.Prefix(m.Index)
	switch {
	case errors.Is(err, ledger.ErrAbsent):
		return fmt.Errorf("%w, which ends before it", ErrUnsound)
	case err != nil:
		return err
	case prefix != m.Prefix:
		return fmt.Errorf("%w: it was taken of other entries", ErrUnsound)
	case planted.Is(planted.UnverifiedSnapshot):
		return nil
	}
	stored, _, receipt, err := recordOf(s.Receipt, log)
	if err != nil {
		return err
	}
	return vouches(receipt, stored, m.Height, s.Digest, trust)
}

// Vouches checks, without a ledger, that a record of the trusted service names
// the manifest with that digest as the snapshot of a block: the receipt proves
// that the record, as stored, was committed. It fails with ErrUnsound.
func Vouches(receipt, record []byte, height uint64, manifest format.Hash, trust proof.Trust) error {
	if planted.Is(planted.UnverifiedSnapshot) {
		return nil
	}
	r, err := proof.DecodeReceipt(receipt)
	if err != nil {
		return errors.Join(ErrUnsound, err)
	}
	return vouches(r, record, height, manifest, trust)
}

func vouches(receipt *proof.Receipt, stored []byte, height uint64, manifest format.Hash, trust proof.Trust) error {
	h, err := receipt.Verify(trust)
	if err != nil {
		return errors.Join(ErrUnsound, err)
	}
	if sha256.Sum256(stored) != receipt.Record {
		return fmt.Errorf("%w: its receipt is of another record", ErrUnsound)
	}
	record, prelude, err := format.DecodeRecord(stored)
	if err != nil {
		return errors.Join(ErrUnsound, err)
	}
	if prelude.Kind != format.KindSnapshot {
		return fmt.Errorf("%w: its receipt is of a record of another kind", ErrUnsound)
	}
	evidence, err := evidenceOf(record)
	if err != nil {
		return errors.Join(ErrUnsound, err)
	}
	if evidence.Height != height || evidence.Manifest != manifest || h.Height <= height {
		return fmt.Errorf("%w, which names another digest", ErrUnsound)
	}
	return nil
}

func evidenceOf(record *format.Record) (*format.SnapshotEvidence, error) {
	writes, err := record.PublicWrites()
	if err != nil {
		return nil, err
	}
	for i := range writes {
		if writes[i].Table == format.TableService && string(writes[i].Key) == format.KeySnapshot {
			var e format.SnapshotEvidence
			return &e, format.Decode(writes[i].Value, &e)
		}
	}
	return nil, errors.New("the record names no snapshot")
}

// recordOf finds the record in a log that a receipt says it is of, and its entry.
func recordOf(encoded []byte, log *ledger.Log) (stored []byte, index uint64, receipt *proof.Receipt, err error) {
	if receipt, err = proof.DecodeReceipt(encoded); err != nil {
		return nil, 0, nil, errors.Join(ErrUnsound, err)
	}
	h, err := format.DecodeHeader(receipt.Header)
	if err != nil {
		return nil, 0, nil, errors.Join(ErrUnsound, err)
	}
	if head := log.Head(); !head.HasBlock || h.Height > head.Height {
		return nil, 0, nil, fmt.Errorf("%w, which ends before block %d that vouches for it", ErrUnsound, h.Height)
	}
	index, ok := log.IndexOf(h.Height)
	if !ok {
		return nil, 0, nil, fmt.Errorf("the log does not give block %d that vouches for it", h.Height)
	}
	e, err := log.Entry(index)
	if err != nil {
		return nil, 0, nil, err
	}
	b, header, err := format.DecodeBlock(e.Body)
	if err != nil {
		return nil, 0, nil, err
	}
	at := receipt.Seqno - header.FirstSeqno
	if at >= uint64(len(b.Records)) {
		return nil, 0, nil, fmt.Errorf("%w: its receipt is of a record that block %d does not have", ErrUnsound, h.Height)
	}
	return b.Records[at], index, receipt, nil
}
