//go:build unix

package soljson

import "golang.org/x/sys/unix"

// region is address space for the compiler's memory. It never moves, so that
// views of it stay right, and counts as used only as far as it has grown.
type region struct{ all, open []byte }

func newRegion(most uint64) (*region, error) {
	all, err := unix.Mmap(-1, 0, int(most), unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	return &region{all: all}, nil
}

// Reallocate grows the region to size bytes, nil if there is no memory.
func (r *region) Reallocate(size uint64) []byte {
	if size > uint64(len(r.all)) {
		return nil
	}
	if have := uint64(len(r.open)); size > have {
		if unix.Mprotect(r.all[have:size], unix.PROT_READ|unix.PROT_WRITE) != nil {
			return nil
		}
		r.open = r.all[:size]
	}
	return r.open
}

// Free gives the address space back.
func (r *region) Free() {
	if r.all != nil {
		_ = unix.Munmap(r.all) // nothing is left to do if the kernel does not know it
		r.all, r.open = nil, nil
	}
}
