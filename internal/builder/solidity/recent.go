package solidity

import (
	"crypto/sha256"
	"sync"
)

// maxRecent is how many outputs are kept.
const maxRecent = 8

// recent keeps the last outputs by compiler and input.
type recent struct {
	mutex sync.Mutex
	keys  [][sha256.Size]byte // oldest first
	known map[[sha256.Size]byte]*Output
}

func (r *recent) key(i Installed, input []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(i.SHA256), input...))
}

func (r *recent) get(i Installed, input []byte) (*Output, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	out, ok := r.known[r.key(i, input)]
	return out, ok
}

func (r *recent) put(i Installed, input []byte, out *Output) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	key := r.key(i, input)
	if r.known == nil {
		r.known = map[[sha256.Size]byte]*Output{}
	}
	if r.known[key] == nil {
		r.keys = append(r.keys, key)
	}
	r.known[key] = out
	if len(r.keys) > maxRecent {
		delete(r.known, r.keys[0])
		r.keys = r.keys[1:]
	}
}
