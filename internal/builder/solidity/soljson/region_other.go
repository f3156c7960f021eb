//go:build !unix

package soljson

// region is the compiler's memory. It never moves, so that views of it stay
// right.
type region struct{ all, open []byte }

func newRegion(most uint64) (*region, error) {
	return &region{all: make([]byte, most)}, nil
}

// Reallocate grows the region to size bytes, nil if there is no memory.
func (r *region) Reallocate(size uint64) []byte {
	if size > uint64(len(r.all)) {
		return nil
	}
	r.open = r.all[:max(size, uint64(len(r.open)))]
	return r.open
}

// Free forgets the memory.
func (r *region) Free() { r.all, r.open = nil, nil }
