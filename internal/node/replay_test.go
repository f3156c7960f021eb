package node

import (
	"bytes"
	"errors"
	"testing"

	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

// written is the log of a network that was stopped and recovered once.
func written(t *testing.T) []format.Entry {
	t.Helper()
	dir := t.TempDir()
	for nonce := range uint64(2) {
		n := startNode(t, dir)
		pay(t, n, nonce)
		stop(t, n)
	}
	log, err := ledger.Open(Default(dir).FS, dirLedger, ledger.Options{Vote: fileVote})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	entries, err := log.Entries(1, log.Head().LastIndex+1, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// follow runs entries through a lineage, giving it the prefix hashes of a replay.
func follow(entries []format.Entry) error {
	line := lineage.New(authorities()...)
	var t trail
	for i := range entries {
		next := line.Pass
		if entries[i].Kind == format.EntryBlock {
			next = line.Extend
		}
		prefix, err := t.before(&entries[i])
		if err == nil {
			err = next(&entries[i], prefix)
		}
		if err != nil {
			return err
		}
	}
	return t.end()
}

// TestTrailWithout: an entry that was taken out is missed, and those behind it renamed
// as an attacker would who can write the disk.
func TestTrailWithout(t *testing.T) {
	entries := written(t)
	for gone := 1; gone < len(entries)-1; gone++ {
		list := append([]format.Entry(nil), entries[:gone]...)
		for _, e := range entries[gone+1:] {
			e.Index--
			list = append(list, e)
		}
		if err := follow(list); !errors.Is(err, lineage.ErrChain) {
			t.Errorf("without entry %d of %d: %v", gone+1, len(entries), err)
		}
	}
	// Between two blocks, whatever else would notice.
	var tr trail
	blocks := 0
	for _, e := range entries {
		if e.Kind != format.EntryBlock {
			continue
		}
		e.Index = uint64(blocks + 1)
		if _, err := tr.before(&e); err != nil {
			t.Fatal(err)
		}
		blocks++
	}
	if err := tr.end(); blocks < 3 || !errors.Is(err, lineage.ErrChain) {
		t.Errorf("%d blocks alone: %v", blocks, err)
	}
}

// TestTrail: the prefix hashes of a replay are the true ones, and behind an entry that
// is no block they tell when it is another.
func TestTrail(t *testing.T) {
	var tr, other trail
	var truth format.Hash
	others := 0
	for _, e := range written(t) {
		got, err := tr.before(&e)
		if err != nil || got != truth {
			t.Fatalf("before entry %d: %x, not %x: %v", e.Index, got, truth, err)
		}
		if behind := other.last; behind != nil && behind.Kind != format.EntryBlock {
			if got, err := other.before(&e); err != nil || got == truth {
				t.Fatalf("before entry %d, behind another one: %v", e.Index, err)
			}
			others++
		}
		truth = format.NextPrefix(truth, &e)
		changed := e
		changed.Body = append(bytes.Clone(e.Body), 1)
		other = trail{prefix: got, last: &changed}
	}
	if others == 0 {
		t.Fatal("the log has blocks only: the test tests nothing")
	}
}

func TestLineageFollowsARecoveredLedger(t *testing.T) {
	if err := follow(written(t)); err != nil {
		t.Fatal(err)
	}
}

// TestLineageRefusesAnyOtherByte changes one byte of a block at a time, and then
// chains everything behind it as an attacker would who can write the disk.
func TestLineageRefusesAnyOtherByte(t *testing.T) {
	entries := written(t)
	stride := 5
	if testing.Short() {
		stride = 41
	}
	for i := range entries {
		if entries[i].Kind != format.EntryBlock {
			continue
		}
		body := entries[i].Body
		for at := i % stride; at < len(body); at += stride {
			changed := append([]format.Entry(nil), entries[:i+1]...)
			changed[i].Body = bytes.Clone(body)
			changed[i].Body[at] ^= 1 << (at % 8)
			if err := follow(changed); !errors.Is(err, lineage.ErrChain) && !errors.Is(err, format.ErrFormat) && !errors.Is(err, format.ErrNewer) {
				t.Fatalf("entry %d with byte %d changed: %v", entries[i].Index, at, err)
			}
		}
	}
}

func TestLineageRefusesOtherOrders(t *testing.T) {
	entries := written(t)
	blocks := []int{}
	for i := range entries {
		if entries[i].Kind == format.EntryBlock {
			blocks = append(blocks, i)
		}
	}
	for _, i := range blocks[1:] {
		without := append(append([]format.Entry(nil), entries[:i]...), entries[i+1:]...)
		if i+1 < len(entries) {
			if err := follow(without); !errors.Is(err, lineage.ErrChain) {
				t.Errorf("without entry %d: %v", i+1, err)
			}
		}
		twice := append(append([]format.Entry(nil), entries[:i+1]...), entries[i:]...)
		if err := follow(twice); !errors.Is(err, lineage.ErrChain) {
			t.Errorf("entry %d twice: %v", i+1, err)
		}
		swapped := append([]format.Entry(nil), entries...)
		swapped[i], swapped[0] = swapped[0], swapped[i]
		if err := follow(swapped); !errors.Is(err, lineage.ErrChain) {
			t.Errorf("entry %d in place of genesis: %v", i+1, err)
		}
	}
}
