package kv

import (
	"encoding/binary"
	"slices"
)

// arena holds the entries of a point table in large chunks of bytes, so that the
// garbage collector sees a few hundred objects instead of millions.
//
// A ref names an entry: its address in units of 16 bytes, counted through all
// chunks. Zero is no entry. An entry is
//
//	u32 value length ‖ u16 key length ‖ u8 size in units ‖ u8 outside ‖ key ‖ value
//
// and keeps its size for life; a freed one waits in the list of its size, with
// the next one's ref in its first eight bytes. A value that makes an entry larger
// than maxUnits lives outside, as a Go slice whose u32 number stands for it.
type arena struct {
	chunkBits uint8
	chunks    [][]byte
	end       uint64 // ref behind the last entry of the last chunk
	free      [maxUnits + 1]uint64

	outside     [][]byte
	outsideFree []uint32
	outsideSize int
}

const (
	unit       = 16
	unitBits   = 4
	maxUnits   = 255 // of an entry: 4080 bytes
	header     = 8
	minChunk   = 12 // bits; the smallest chunk that holds the largest entry
	outsideRef = 4  // bytes
)

func newArena(chunkBits uint8) arena { return arena{chunkBits: max(chunkBits, minChunk)} }

// add stores an entry. The caller has checked the limits.
func (a *arena) add(key, value []byte) uint64 {
	size := header + len(key) + len(value)
	outside := size > maxUnits*unit
	if outside {
		size = header + len(key) + outsideRef
	}
	ref := a.alloc(uint8((size + unit - 1) / unit))
	b := a.at(ref)
	binary.LittleEndian.PutUint32(b, uint32(len(value)))
	binary.LittleEndian.PutUint16(b[4:], uint16(len(key)))
	copy(b[header:], key)
	if b[7] = 0; outside {
		b[7] = 1
		binary.LittleEndian.PutUint32(b[header+len(key):], a.addOutside(value))
	} else {
		copy(b[header+len(key):], value)
	}
	return ref
}

// set replaces the entry's value and returns the entry's ref, which changes if
// the new value does not fit in place.
func (a *arena) set(ref uint64, value []byte) uint64 {
	b := a.at(ref)
	keyEnd := header + int(binary.LittleEndian.Uint16(b[4:]))
	if b[7] == 0 && keyEnd+len(value) <= int(b[6])*unit {
		binary.LittleEndian.PutUint32(b, uint32(len(value)))
		copy(b[keyEnd:], value)
		return ref
	}
	moved := a.add(b[header:keyEnd], value)
	a.remove(ref)
	return moved
}

// remove frees an entry.
func (a *arena) remove(ref uint64) {
	b := a.at(ref)
	if b[7] != 0 {
		a.removeOutside(binary.LittleEndian.Uint32(b[header+int(binary.LittleEndian.Uint16(b[4:])):]))
	}
	a.release(ref, b[6])
}

func (a *arena) key(ref uint64) []byte {
	b := a.at(ref)
	return b[header : header+int(binary.LittleEndian.Uint16(b[4:]))]
}

// value is the entry's value in place: valid until the arena is next changed.
func (a *arena) value(ref uint64) []byte {
	b := a.at(ref)
	keyEnd := header + int(binary.LittleEndian.Uint16(b[4:]))
	if b[7] != 0 {
		return a.outside[binary.LittleEndian.Uint32(b[keyEnd:])]
	}
	return b[keyEnd : keyEnd+int(binary.LittleEndian.Uint32(b))]
}

// size is the memory that the arena holds, in bytes.
func (a *arena) size() int { return len(a.chunks)<<a.chunkBits + a.outsideSize }

func (a *arena) at(ref uint64) []byte {
	inChunk := a.chunkBits - unitBits
	return a.chunks[ref>>inChunk][ref&(1<<inChunk-1)<<unitBits:]
}

// alloc finds room for an entry of the given units and notes its size there.
func (a *arena) alloc(units uint8) uint64 {
	ref := a.free[units]
	if ref != 0 {
		a.free[units] = binary.LittleEndian.Uint64(a.at(ref))
	} else {
		ref = a.extend(units)
	}
	a.at(ref)[6] = units
	return ref
}

// extend takes room from the last chunk, or from a new one.
func (a *arena) extend(units uint8) uint64 {
	perChunk := uint64(1) << (a.chunkBits - unitBits)
	limit := uint64(len(a.chunks)) * perChunk
	if a.end+uint64(units) > limit {
		for a.end < limit { // what is left of the chunk is not wasted
			rest := uint8(min(limit-a.end, maxUnits))
			a.release(a.end, rest)
			a.end += uint64(rest)
		}
		a.chunks = append(a.chunks, make([]byte, 1<<a.chunkBits))
		a.end = max(limit, 1) // ref 0 is no entry
	}
	ref := a.end
	a.end += uint64(units)
	return ref
}

func (a *arena) release(ref uint64, units uint8) {
	binary.LittleEndian.PutUint64(a.at(ref), a.free[units])
	a.free[units] = ref
}

func (a *arena) addOutside(value []byte) uint32 {
	a.outsideSize += len(value)
	value = slices.Clone(value)
	if n := len(a.outsideFree); n > 0 {
		i := a.outsideFree[n-1]
		a.outsideFree = a.outsideFree[:n-1]
		a.outside[i] = value
		return i
	}
	a.outside = append(a.outside, value)
	return uint32(len(a.outside) - 1)
}

func (a *arena) removeOutside(i uint32) {
	a.outsideSize -= len(a.outside[i])
	a.outside[i] = nil
	a.outsideFree = append(a.outsideFree, i)
}
