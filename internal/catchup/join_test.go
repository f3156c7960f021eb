package catchup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// TestJoin fetches everything and holds it to the donor's, byte for byte.
func TestJoin(t *testing.T) {
	d, height := example(t)
	d.transaction(false) // is never committed
	fs := crash.New()
	f := d.fetcher(fs, d.source())
	log, s, err := join(t, f, fs)
	must(t, err)
	if s.Manifest.Meta.Height != height {
		t.Fatalf("the snapshot of block %d", s.Manifest.Meta.Height)
	}
	if last := log.Head().LastIndex; last != d.committed || log.First() != 1 {
		t.Fatalf("entries %d to %d, committed are %d", log.First(), last, d.committed)
	}
	must(t, d.sameAs(t, fs, log, height))
	if st := f.Status(); st.Phase != "" || st.Problem != nil || st.Bytes == 0 || st.Source != "honest" {
		t.Fatalf("%+v", st)
	}
	must(t, log.Close())
}

// TestOldReceiptsOnAJoiner: the tiles below the snapshot follow from the ledger's
// leaves, and with them receipts of transactions long before the node joined.
func TestOldReceiptsOnAJoiner(t *testing.T) {
	d := newDonor(t, crash.New())
	d.transaction(false)
	header, signature, stored, evidence := d.write(format.KindTransaction, false)
	seqno := d.tree.Size()
	d.chunks(3, 200)
	d.snapshot(3)
	d.transaction(false)
	d.commit()
	fs := crash.New()
	log, s, err := join(t, d.fetcher(fs, d.source()), fs)
	must(t, err)
	tiles, err := ledger.ResumeTiles(fs, ledgerDir, s.Manifest.Meta.Edge)
	must(t, err)
	receipt := func() error {
		r, err := proof.NewReceipt(tiles, d.writer, header, signature, seqno, sha256.Sum256(stored), evidence, format.Hash{})
		if err == nil {
			_, err = r.Verify(d.trust())
		}
		return err
	}
	if err := receipt(); !errors.Is(err, ledger.ErrTiles) {
		t.Fatal(err)
	}
	must(t, tiles.Rebuild(Leaves(t.Context(), log)))
	must(t, receipt())
	theirs := files(t, d.fs, ledgerDir+"/tile/0", "")
	for name, data := range files(t, fs, ledgerDir+"/tile/0", "") {
		if !bytes.Equal(theirs[name], data) {
			t.Fatalf("tile %s differs", name)
		}
		delete(theirs, name)
	}
	if len(theirs) > 0 {
		t.Fatalf("%d tiles are missing", len(theirs))
	}
}

// A network that is young has no snapshot, or one in the first chunk.
func TestJoinAYoungNetwork(t *testing.T) {
	d := newDonor(t, crash.New())
	d.transaction(false)
	d.transaction(false)
	d.commit()
	fs := crash.New()
	f := d.fetcher(fs, d.source())
	if _, err := f.Snapshot(t.Context()); !errors.Is(err, ErrNoSnapshot) {
		t.Fatal(err)
	}
	log := openLog(t, fs)
	must(t, f.Entries(t.Context(), log, nil))
	if log.Head().LastIndex != 2 {
		t.Fatal(log.Head())
	}
	height := d.snapshot(3)
	d.transaction(false)
	d.commit()
	fs = crash.New()
	log, _, err := join(t, d.fetcher(fs, d.source()), fs)
	must(t, err)
	must(t, d.sameAs(t, fs, log, height))
}

// TestEntriesAreCheckedAndBound: what the check refuses is not appended, and
// neither is what no block binds.
func TestEntriesAreCheckedAndBound(t *testing.T) {
	d, _ := example(t)
	d.empty()
	d.empty()
	d.commit()
	fs := crash.New()
	log := openLog(t, fs)
	bad := uint64(9)
	check := func(entries []format.Entry) error {
		for i := range entries {
			if entries[i].Index == bad {
				return errors.New("wrong signature")
			}
		}
		return nil
	}
	if err := d.fetcher(fs, d.source()).Entries(t.Context(), log, check); !errors.Is(err, ErrSources) || log.Head().LastIndex >= bad {
		t.Fatal(err, log.Head())
	}
	bad = 0
	must(t, d.fetcher(fs, d.source()).Entries(t.Context(), log, check))
	if last := log.Head().LastIndex; last != d.committed-2 {
		t.Fatalf("%d entries of %d", last, d.committed)
	}
}

// TestEntriesOfANetworkThatNeverRests ends although a block is committed with every
// request; Raft brings the rest.
func TestEntriesOfANetworkThatNeverRests(t *testing.T) {
	d, _ := example(t)
	began, server := d.committed, d.server()
	fs := crash.New()
	log := openLog(t, fs)
	restless := source("restless", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.transaction(false)
		d.commit()
		server.ServeHTTP(w, r)
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, d.fetcher(fs, restless).Entries(ctx, log, nil))
	if last := log.Head().LastIndex; last < began || last > d.committed {
		t.Fatalf("%d entries, %d when it began", last, began)
	}
}

// TestPowerCutsWhileJoining cuts the power at every write of a join: it goes on
// after the restart, to the same files.
func TestPowerCutsWhileJoining(t *testing.T) {
	d, height := example(t)
	cuts, again := 0, 0
	for cut, over := 1, false; !over; cut++ {
		fs := crash.New()
		fs.Cut(cut)
		_, _, err := join(t, d.fetcher(fs, d.source()), fs)
		if over = err == nil; err != nil && !errors.Is(err, crash.ErrCut) {
			t.Fatalf("cut %d: %v", cut, err)
		}
		cuts++
		for seed := range uint64(3) {
			after := fs.Crash(seed)
			f := d.fetcher(after, d.source())
			log, _, err := join(t, f, after)
			if err != nil {
				t.Fatalf("cut %d seed %d: %v", cut, seed, err)
			}
			if err := d.sameAs(t, after, log, height); err != nil {
				t.Fatalf("cut %d seed %d: %v", cut, seed, err)
			}
			if len(f.distant) > 0 {
				t.Fatalf("cut %d seed %d: what the power cut left is blamed on the donor", cut, seed)
			}
			again++
		}
	}
	t.Logf("%d cuts, %d joins after one", cuts, again)
}
