package identity

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// ended is the list of sessions that ended before their time, one line each:
// id and the second in which it would have ended. A line that is cut or damaged
// is passed over.
type ended struct {
	mu   sync.Mutex
	path string
	by   map[string]time.Time
}

// openEnded reads the list and drops from the file what is over anyway.
func openEnded(path string, now time.Time) (*ended, error) {
	e := &ended{path: path, by: map[string]time.Time{}}
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return e, nil
	}
	if err != nil {
		return nil, errDir(err)
	}
	var kept bytes.Buffer
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var id string
		var second int64
		if n, _ := fmt.Sscanf(lines.Text(), "%s %d", &id, &second); n == 2 && time.Unix(second, 0).After(now) {
			e.by[id] = time.Unix(second, 0)
			fmt.Fprintf(&kept, "%s %d\n", id, second)
		}
	}
	draft, err := write(path, kept.Bytes())
	if err == nil {
		err = os.Rename(draft, path)
	}
	return e, errDir(err)
}

func (e *ended) has(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.by[id]
	return ok
}

// add ends a session. It counts at once, and after a restart when nil came back.
func (e *ended) add(id string, until, now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for other, end := range e.by {
		if end.Before(now) {
			delete(e.by, other)
		}
	}
	e.by[id] = until
	if err := os.MkdirAll(filepath.Dir(e.path), 0o700); err != nil {
		return errDir(err)
	}
	f, err := os.OpenFile(e.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return errDir(err)
	}
	defer f.Close()
	// A line break first: what a crash left behind must not swallow this one.
	if _, err := fmt.Fprintf(f, "\n%s %d\n", id, until.Unix()+1); err != nil {
		return errDir(err)
	}
	return errDir(f.Sync())
}
