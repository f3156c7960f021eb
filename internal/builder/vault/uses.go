package vault

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	usesName   = "uses.log"
	maxPurpose = 200 // bytes of what a key was used for
)

// Use is one use of a key: a line of uses.log. Key is the name of the key file,
// which tells the person only to who has the vault's master key (File.Name).
type Use struct {
	Time    time.Time `json:"time"`
	Key     string    `json:"key"`
	Purpose string    `json:"purpose"`
	Digest  string    `json:"digest"` // what was signed, in hexadecimal
}

// uses appends to the log. Each use is one write to a file opened for appending,
// so that processes do not mix their lines. It is in the file before the key is
// used, and on the disk within about a second while the key is in use.
type uses struct {
	mu     sync.Mutex
	path   string
	synced time.Time
}

func (u *uses) add(now time.Time, key, purpose string, digest [32]byte) error {
	if len(purpose) > maxPurpose {
		purpose = purpose[:maxPurpose]
	}
	for !utf8.ValidString(purpose) && purpose != "" {
		purpose = purpose[:len(purpose)-1]
	}
	line, err := json.Marshal(Use{now.UTC(), key, purpose, hex.EncodeToString(digest[:])})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	f, err := os.OpenFile(u.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if torn(f) { // a line that was cut must not swallow this one
		line = append([]byte{'\n'}, line...)
	}
	_, err = f.Write(line)
	if err == nil && now.Sub(u.synced).Abs() >= time.Second {
		err = f.Sync()
		u.synced = now
	}
	return errors.Join(err, f.Close())
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

// Uses calls each with every use that was written down, oldest first; lines that
// were cut are passed over.
func (f *File) Uses(each func(Use) error) error {
	file, err := os.Open(f.uses.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return down(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var u Use
		if json.Unmarshal(bytes.TrimSpace(lines.Bytes()), &u) != nil || u.Key == "" {
			continue
		}
		if err := each(u); err != nil {
			return err
		}
	}
	return down(lines.Err())
}

// Name is what the log of uses calls a person's key.
func (f *File) Name(person string) (string, error) {
	_, name, err := f.file(person)
	return name, err
}
