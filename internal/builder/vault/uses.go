package vault

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
)

const (
	usesName   = "uses.log"
	usesBefore = "uses-%d.log"
	maxPurpose = 200      // bytes of what a key was used for
	mostUses   = 16 << 20 // bytes of a file of the log, about 80000 uses
)

// Use is one use of a key: a line of the log. Key is the name of the key file, which
// tells the person only to who has the vault's master key: Uses adds who that is.
type Use struct {
	Time    time.Time `json:"time"`
	Key     string    `json:"key"`
	Purpose string    `json:"purpose"`
	Digest  string    `json:"digest"` // what was signed, in hexadecimal

	Person  string         `json:"person,omitempty"` // not in the log; empty: the key is no longer there
	Address common.Address `json:"address,omitzero"` // likewise
}

// uses appends to the log. Each use is one write to a file opened for appending,
// so that processes do not mix their lines. It is in the file before the key is
// used, and on the disk within about a second while the key is in use. A file that
// is full gets another name and stays.
type uses struct {
	mu     sync.Mutex
	dir    string
	most   int64
	synced time.Time
	due    bool // a sync will follow
}

func (u *uses) add(now time.Time, key, purpose string, digest [32]byte) error {
	if len(purpose) > maxPurpose {
		purpose = purpose[:maxPurpose]
	}
	for !utf8.ValidString(purpose) && purpose != "" {
		purpose = purpose[:len(purpose)-1]
	}
	line, err := json.Marshal(Use{Time: now.UTC(), Key: key, Purpose: purpose, Digest: hex.EncodeToString(digest[:])})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	f, size, err := u.open()
	if err == nil && size >= u.most {
		if err = errors.Join(u.setAside(f), f.Close()); err == nil {
			f, _, err = u.open()
		}
	}
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if torn(f) { // a line that was cut must not swallow this one
		line = append([]byte{'\n'}, line...)
	}
	_, err = f.Write(line)
	switch {
	case err != nil:
	case now.Sub(u.synced).Abs() >= time.Second:
		err = f.Sync()
		u.synced = now
	case !u.due:
		u.due = true
		time.AfterFunc(time.Second, func() { _ = u.sync() })
	}
	return errors.Join(err, f.Close())
}

// sync makes durable what was written.
func (u *uses) sync() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.due {
		return nil
	}
	u.due = false
	return system{}.sync(u.path())
}

func (u *uses) path() string { return filepath.Join(u.dir, usesName) }

func (u *uses) open() (f *os.File, size int64, err error) {
	if f, err = os.OpenFile(u.path(), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600); err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// setAside gives the log's file the next free name, unless another process did. Who
// has it open writes the use it is about to write there.
func (u *uses) setAside(f *os.File) error {
	unlock, err := lock(filepath.Join(u.dir, lockName))
	if err != nil {
		return err
	}
	defer unlock()
	if named, err := same(f, u.path()); err != nil || !named {
		return err
	}
	before, err := u.before()
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(u.path(), filepath.Join(u.dir, fmt.Sprintf(usesBefore, len(before)+1))); err != nil {
		return err
	}
	return system{}.sync(u.dir)
}

// before are the full files of the log, oldest first.
func (u *uses) before() (paths []string, err error) {
	for {
		path := filepath.Join(u.dir, fmt.Sprintf(usesBefore, len(paths)+1))
		switch _, err := os.Stat(path); {
		case errors.Is(err, os.ErrNotExist):
			return paths, nil
		case err != nil:
			return nil, err
		}
		paths = append(paths, path)
	}
}

// same is whether a name is that of an open file.
func same(f *os.File, path string) (bool, error) {
	open, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(open, named), err
}

// torn says whether the file's last line has no end.
func torn(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}
