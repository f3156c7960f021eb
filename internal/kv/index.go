package kv

// index finds changes by table and key: open addressing by their hash. The zero
// value is empty.
type index struct {
	slots []*change // a power of two of them
	used  int
}

const (
	firstSlots = 16
	keptSlots  = 1 << 12 // that an index keeps when it is emptied
)

func (x *index) find(table TableID, hash uint64, key []byte) *change {
	if x.used == 0 {
		return nil
	}
	mask := uint64(len(x.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		c := x.slots[i]
		if c == nil || c.hash == hash && c.table == table && c.key == string(key) {
			return c
		}
	}
}

// set puts c in the place of the change of its key, which it returns.
func (x *index) set(c *change) (old *change) {
	if (x.used+1)*2 > len(x.slots) {
		x.grow()
	}
	i := x.place(c)
	if old = x.slots[i]; old == nil {
		x.used++
	}
	x.slots[i] = c
	return old
}

// drop removes c, unless another change took its place, and reports whether it did.
func (x *index) drop(c *change) bool {
	if x.used == 0 {
		return false
	}
	i := x.place(c)
	if x.slots[i] != c {
		return false
	}
	if x.used--; x.used == 0 && len(x.slots) > keptSlots {
		x.slots = nil
		return true
	}
	mask := uint64(len(x.slots) - 1)
	for j := (i + 1) & mask; x.slots[j] != nil; j = (j + 1) & mask { // see shard.close
		if home := x.slots[j].hash & mask; (j-home)&mask >= (j-i)&mask {
			x.slots[i] = x.slots[j]
			i = j
		}
	}
	x.slots[i] = nil
	return true
}

// clear empties the index.
func (x *index) clear() {
	if len(x.slots) > keptSlots {
		x.slots = nil
	} else if x.used > 0 {
		clear(x.slots)
	}
	x.used = 0
}

// place is where the change of c's key is, or the free slot where it belongs.
func (x *index) place(c *change) uint64 {
	mask := uint64(len(x.slots) - 1)
	for i := c.hash & mask; ; i = (i + 1) & mask {
		if o := x.slots[i]; o == nil || o.hash == c.hash && o.table == c.table && o.key == c.key {
			return i
		}
	}
}

func (x *index) grow() {
	old := x.slots
	x.slots = make([]*change, max(firstSlots, 2*len(old)))
	mask := uint64(len(x.slots) - 1)
	for _, c := range old {
		if c == nil {
			continue
		}
		i := c.hash & mask
		for x.slots[i] != nil {
			i = (i + 1) & mask
		}
		x.slots[i] = c
	}
}
