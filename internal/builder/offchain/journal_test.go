package offchain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var testKey = [32]byte{1, 2, 3}

// keep makes a journal of three frames and gives its file and what it holds.
func keep(t *testing.T) (dir string, file []byte, frames []int64, held []string) {
	t.Helper()
	dir = t.TempDir()
	j, err := openJournal(dir, testKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	frames = append(frames, j.end.offset)
	for _, batch := range [][]string{{"one"}, {"two", "three, which is longer"}, {"four"}} {
		var records [][]byte
		for _, e := range batch {
			records = append(records, []byte(e))
			held = append(held, e)
		}
		if err := j.append(records); err != nil {
			t.Fatal(err)
		}
		frames = append(frames, j.end.offset)
	}
	file, err = os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, file, frames, held
}

// contents opens the journal that a file is.
func contents(t *testing.T, file []byte, key [32]byte) ([]string, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journal"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	var out []string
	j, err := openJournal(dir, key, func(at mark, e []byte) error { out = append(out, string(e)); return nil })
	if err != nil {
		return nil, err
	}
	defer j.close()
	// Whatever was cut, the journal goes on.
	if err := j.append([][]byte{[]byte("more")}); err != nil {
		t.Fatal(err)
	}
	var again []string
	if err := j.read(mark{tag: j.start, offset: journalHeader}, func(_ mark, batch [][]byte) error {
		for _, e := range batch {
			again = append(again, string(e))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprint(append(out[:len(out):len(out)], "more")); fmt.Sprint(again) != want {
		t.Fatalf("read %v, want %v", again, want)
	}
	return out, nil
}

// A crash may cut the file anywhere: what is whole stays, what is not goes.
func TestJournalCutAtEveryByte(t *testing.T) {
	_, file, frames, held := keep(t)
	entriesIn := []int{0, 1, 3, 4} // after each frame
	for cut := journalHeader; cut <= len(file); cut++ {
		want := 0
		for i, end := range frames {
			// A frame without all of its padding is whole.
			if int64(cut) > end-16 && whole(file, frames, i, cut) {
				want = entriesIn[i]
			}
		}
		got, err := contents(t, file[:cut], testKey)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if fmt.Sprint(got) != fmt.Sprint(held[:want]) {
			t.Fatalf("cut at %d: %q, want %q", cut, got, held[:want])
		}
		// The same with zeros instead of the rest, as a file system may leave it.
		zeros := append(bytes.Clone(file[:cut]), make([]byte, len(file)-cut)...)
		if got, err = contents(t, zeros, testKey); err == nil && len(got) > want+1 || err != nil && !errors.Is(err, errJournalDamaged) {
			t.Fatalf("zeros from %d: %q, %v", cut, got, err)
		}
	}
}

// whole reports that frame i's sealed bytes are within the cut.
func whole(file []byte, frames []int64, i, cut int) bool {
	if i == 0 {
		return true
	}
	begin := frames[i-1]
	return int64(cut) >= begin+frameHead+int64(binary.LittleEndian.Uint32(file[begin:]))
}

// Damage in the middle is never taken for a crash.
func TestJournalDamage(t *testing.T) {
	_, file, frames, held := keep(t)
	for at := range file {
		changed := bytes.Clone(file)
		changed[at] ^= 0x10
		got, err := contents(t, changed, testKey)
		switch last := int64(at) >= frames[2]; {
		case at < journalHeader:
			if !errors.Is(err, errJournalDamaged) && !errors.Is(err, errJournalKey) {
				t.Fatalf("byte %d of the header: %q, %v", at, got, err)
			}
		case !last && !padding(file, frames, int64(at)):
			if !errors.Is(err, errJournalDamaged) {
				t.Fatalf("byte %d: %q, %v", at, got, err)
			}
		case err == nil && len(got) < 3:
			t.Fatalf("byte %d of the last frame: %q of %q", at, got, held)
		}
	}
}

func padding(file []byte, frames []int64, at int64) bool {
	for i := 1; i < len(frames); i++ {
		begin := frames[i-1]
		if at < frames[i] {
			return at >= begin+frameHead+int64(binary.LittleEndian.Uint32(file[begin:]))
		}
	}
	return false
}

func TestJournalIsSealed(t *testing.T) {
	dir, file, _, held := keep(t)
	for _, e := range held {
		if bytes.Contains(file, []byte(e)) {
			t.Errorf("%q can be read in the file", e)
		}
	}
	if _, err := contents(t, file, [32]byte{9}); !errors.Is(err, errJournalKey) {
		t.Errorf("another key: %v", err)
	}
	j, err := openJournal(dir, testKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if _, err := openJournal(dir, testKey, nil); !errors.Is(err, errJournalLocked) {
		t.Errorf("opened twice: %v", err)
	}
	// Frames belong to their journal and their place.
	other, theirs, _, _ := keep(t)
	_ = other
	mixed := append(bytes.Clone(file[:journalHeader]), theirs[journalHeader:]...)
	if got, err := contents(t, mixed, testKey); err == nil && len(got) > 0 {
		t.Errorf("frames of another journal: %q", got)
	}
}

func TestJournalStopsAfterFailedSync(t *testing.T) {
	j, err := openJournal(t.TempDir(), testKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	sync := j.sync
	j.sync = func(*os.File) error { return errors.New("no") }
	if err := j.append([][]byte{[]byte("a")}); err == nil {
		t.Fatal("a failed sync was taken for success")
	}
	j.sync = sync
	if err := j.append([][]byte{[]byte("b")}); err == nil {
		t.Fatal("the journal went on after a failed sync")
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte("x"), 0)
	f.Add(make([]byte, 64), 20)
	f.Fuzz(func(t *testing.T, tail []byte, at int) {
		_, file, _, _ := keep(t)
		if at < 0 || at > len(file) {
			at = len(file)
		}
		got, err := contents(t, append(bytes.Clone(file[:at]), tail...), testKey)
		if err == nil && len(got) > 4 {
			t.Fatalf("more entries than were written: %q", got)
		}
	})
}
