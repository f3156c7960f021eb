package offchain

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestDeployed: a version and its code are one entry. There is no moment, and no
// crash, that has one without the other.
func TestDeployed(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		in := install(t, o) // as two entries, as older journals have it
		before := in.Sequence()
		e := &ApplicationDeployed{By: in.people[0], Application: ApplicationAdded{Name: "Asset", Configuration: json.RawMessage(asset)},
			Code: CodeAdded{LedgerID: 1, FileName: "Asset.sol", File: []byte("contract Asset { }"), Output: json.RawMessage(`{"x":2}`), Enable: true}}
		if a := do(t, in.Store, e); a.ID != 2 || a.Sequence != before+1 || in.Sequence() != before+1 {
			t.Fatalf("%+v, at %d after %d", a, in.Sequence(), before)
		}
		check := func(s *Store) {
			t.Helper()
			was, err := s.Application(t.Context(), in.app.ID)
			if err != nil || was.Enabled {
				t.Errorf("the version before is %+v, %v", was, err)
			}
			now, err := s.Application(t.Context(), 2)
			if err != nil || !now.Enabled || !now.Coded || now.Version != 2 || now.CreatedBy != in.people[0] || now.CreatedAt.IsZero() {
				t.Errorf("the version is %+v, %v", now, err)
			}
			codes, err := s.Codes(t.Context(), 2, 1)
			if err != nil || len(codes) != 1 || codes[0].ID != e.Code.ID || codes[0].CreatedAt != now.CreatedAt {
				t.Errorf("its code is %+v, %v", codes, err)
			}
			if members, err := s.Assignments(t.Context(), 2, 0, Page{}); err != nil || members.Total != 2 {
				t.Errorf("its members are %+v, %v", members, err)
			}
			if flows, err := s.Workflows(t.Context(), 2); err != nil || len(flows) != 2 {
				t.Errorf("its workflows are %+v, %v", flows, err)
			}
		}
		check(in.Store)
		refusedWith(t, in.Store, ErrUnknown.Code, &ApplicationDeployed{Application: ApplicationAdded{Name: "Asset", Configuration: json.RawMessage(asset)}, Code: CodeAdded{LedgerID: 7}})
		refusedWith(t, in.Store, ErrCodeExists.Code, &CodeAdded{ApplicationID: 2, LedgerID: 1})
		if list, err := in.Applications(t.Context(), ApplicationFilter{}); err != nil || len(list.Rows) != 2 {
			t.Errorf("%+v, %v", list, err)
		}
		want := dump(t, in.Store)
		in.Close()
		s := mustOpen(t, emptied(t, o))
		same(t, "the rebuilt database", dump(t, s), want)
		check(s)
	})
}

// TestSentDoesNotEndAsUnsent: what was signed may be on its way for ever after.
func TestSentDoesNotEndAsUnsent(t *testing.T) {
	in := install(t, fresh(t, "sqlite"))
	e := in.request("description", "a chair")
	do(t, in.Store, e)
	in.sign(e.ActionID, 0)
	refusedWith(t, in.Store, ErrSettled.Code, &Failed{ActionID: e.ActionID, Status: StatusRefused, Code: "X"})
	do(t, in.Store, &Failed{ActionID: e.ActionID, Status: StatusFailed, Code: "X"})
}

// TestFilesArePrivate: whatever the process's mask, nobody else reads the files.
func TestFilesArePrivate(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	o := fresh(t, "sqlite")
	o.Dir = filepath.Join(o.Dir, "new")
	in := install(t, o)
	for _, again := range []bool{false, true} {
		files, err := os.ReadDir(o.Dir)
		if err != nil || len(files) < 4 {
			t.Fatalf("%v, %v", files, err)
		}
		for _, f := range files {
			info, err := f.Info()
			if err != nil {
				t.Fatal(err)
			}
			if mode := info.Mode().Perm(); mode != 0o600 {
				t.Errorf("opened again %v: %s has the mode %o", again, f.Name(), mode)
			}
		}
		if info, err := os.Stat(o.Dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the directory has the mode %o, %v", info.Mode().Perm(), err)
		}
		if !again { // by one that made the file readable for all
			in.Close()
			if err := os.Chmod(filepath.Join(o.Dir, "builder.db"), 0o644); err != nil {
				t.Fatal(err)
			}
			mustOpen(t, o)
		}
	}
}
