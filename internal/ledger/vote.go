package ledger

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// The vote file is two slots of 512 bytes, written in turn, so that one of them
// is whole whatever happens. A slot is
//
//	0  magic "coV0"     4  CRC-32C u32 of the slot with this field zero
//	8  sequence u64     16 term u64      24 vote u64
//	32 synced index u64 40 prefix hash after that entry
//	72 index u64 at which the log begins, 0 for the ledger's first; then zeros
//
// with integers big-endian. Slot sequence mod 2 holds it; the higher sequence counts.
const (
	slotSize     = 512
	voteSlots    = 2
	refreshEvery = time.Second
)

var (
	slotMagic  = [4]byte{'c', 'o', 'V', '0'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// position is an entry and the prefix hash after it.
type position struct {
	index  uint64
	prefix format.Hash
}

// ballot is the content of a slot: Raft's term and vote, and an entry up to
// which the log is known to be durable.
type ballot struct {
	sequence uint64
	term     uint64
	vote     uint64
	synced   position
	first    uint64 // where the log begins, 0 for 1
}

func (b *ballot) encode() []byte {
	slot := make([]byte, slotSize)
	copy(slot, slotMagic[:])
	binary.BigEndian.PutUint64(slot[8:], b.sequence)
	binary.BigEndian.PutUint64(slot[16:], b.term)
	binary.BigEndian.PutUint64(slot[24:], b.vote)
	binary.BigEndian.PutUint64(slot[32:], b.synced.index)
	copy(slot[40:], b.synced.prefix[:])
	binary.BigEndian.PutUint64(slot[72:], b.first)
	binary.BigEndian.PutUint32(slot[4:], crc32.Checksum(slot, castagnoli))
	return slot
}

// decodeSlot gives the content of slot number at, if it is whole.
func decodeSlot(slot []byte, at uint64) (ballot, bool) {
	var b ballot
	if len(slot) != slotSize || [4]byte(slot) != slotMagic {
		return b, false
	}
	b.sequence = binary.BigEndian.Uint64(slot[8:])
	b.term = binary.BigEndian.Uint64(slot[16:])
	b.vote = binary.BigEndian.Uint64(slot[24:])
	b.synced.index = binary.BigEndian.Uint64(slot[32:])
	copy(b.synced.prefix[:], slot[40:])
	b.first = binary.BigEndian.Uint64(slot[72:])
	whole := string(b.encode()) == string(slot)
	return b, whole && b.sequence > 0 && b.sequence%voteSlots == at
}

// decodeVote gives the newest ballot, or ok false when no slot is whole.
func decodeVote(data []byte) (newest ballot, ok bool) {
	for at := range uint64(voteSlots) {
		start := at * slotSize
		if uint64(len(data)) < start+slotSize {
			break
		}
		if b, whole := decodeSlot(data[start:start+slotSize], at); whole && b.sequence > newest.sequence {
			newest, ok = b, true
		}
	}
	return newest, ok
}

// voteFile is the open vote file.
type voteFile struct {
	file disk.File
	now  func() time.Time

	mu        sync.Mutex
	ballot    ballot
	refreshed time.Time
}

// readVote reads a vote file without changing anything; ok is false when there
// is none or it holds no whole slot.
func readVote(f disk.FS, name string) (b ballot, ok bool, err error) {
	file, err := f.OpenRead(name)
	if errors.Is(err, fs.ErrNotExist) {
		return b, false, nil
	}
	if err != nil {
		return b, false, err
	}
	defer file.Close()
	data := make([]byte, voteSlots*slotSize)
	n, err := file.ReadAt(data, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return b, false, err
	}
	b, ok = decodeVote(data[:n])
	return b, ok, nil
}

// openVote opens the vote file for writing, and makes it when there is none.
func openVote(f disk.FS, name string, b ballot, now func() time.Time) (*voteFile, error) {
	v := &voteFile{now: now, ballot: b}
	err := disk.MakeDir(f, path.Dir(name))
	if err != nil {
		return nil, err
	}
	v.file, err = f.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		if v.file, err = f.Create(name); err == nil {
			err = v.file.Truncate(voteSlots * slotSize)
		}
	}
	if err == nil {
		err = v.write(b)
	}
	if err == nil {
		err = disk.SyncDir(f, path.Dir(name))
	}
	if err != nil {
		v.close()
		return nil, err
	}
	return v, nil
}

// current is the ballot on disk.
func (v *voteFile) current() ballot {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ballot
}

// set makes term, vote and the synced position durable.
func (v *voteFile) set(term, vote uint64, synced position) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	b := v.ballot
	if term < b.term || term == b.term && b.vote != 0 && vote != b.vote {
		return orderProblem("a vote for %d in term %d after one for %d in term %d", vote, term, b.vote, b.term)
	}
	if term == b.term && vote == b.vote {
		return nil
	}
	b.term, b.vote = term, vote
	if synced.index > b.synced.index {
		b.synced = synced
	}
	return v.write(b)
}

// refresh makes the synced position durable; when not forced, only if the last
// time is long enough ago.
func (v *voteFile) refresh(synced position, force bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if synced == v.ballot.synced || !force && v.now().Sub(v.refreshed) < refreshEvery {
		return nil
	}
	b := v.ballot
	b.synced = synced
	return v.write(b)
}

// lower takes the synced position back before the log is overwritten there. Both
// slots get it, so that the loss of one does not bring the old position back.
func (v *voteFile) lower(synced position) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	b := v.ballot
	b.synced = synced
	return v.twice(b)
}

// begin makes durable that the log begins at an entry, in both slots. synced, if
// not nil, is the entry before it.
func (v *voteFile) begin(first uint64, synced *position) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	b := v.ballot
	b.first = first
	if synced != nil {
		b.synced = *synced
	}
	return v.twice(b)
}

// reset makes durable that nobody was voted for in term, in both slots.
func (v *voteFile) reset(term uint64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	b := v.ballot
	if term < b.term {
		return orderProblem("a vote file of term %d goes back to term %d", b.term, term)
	}
	b.term, b.vote = term, 0
	return v.twice(b)
}

// twice writes both slots, so that the loss of one does not bring back what the
// other said. It wants the lock.
func (v *voteFile) twice(b ballot) error {
	if err := v.write(b); err != nil {
		return err
	}
	return v.write(v.ballot)
}

// write wants the lock, once the file is shared.
func (v *voteFile) write(b ballot) error {
	b.sequence++
	if _, err := v.file.WriteAt(b.encode(), int64(b.sequence%voteSlots)*slotSize); err != nil {
		return err
	}
	if err := v.file.Sync(); err != nil {
		return err
	}
	v.ballot, v.refreshed = b, v.now()
	return nil
}

func (v *voteFile) close() error {
	if v.file == nil {
		return nil
	}
	return v.file.Close()
}
