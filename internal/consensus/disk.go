package consensus

// disk knows for how long the log writer has made no progress. Raft commits
// without the leader's disk, but this node publishes nothing until it is durable
// here, so that a primary whose disk stands still answers nobody.
type disk struct {
	waiting int // writes given out that are not durable
	ticks   int // since one of them was, or since the first was given out
}

func (k *disk) given() { k.waiting++ }

func (k *disk) wrote() { k.waiting, k.ticks = k.waiting-1, 0 }

func (k *disk) tick() {
	if k.waiting > 0 {
		k.ticks++
	}
}

// stuck reports that the disk stands still for so long that another node ought
// to lead. There must be another.
func (d *Driver) stuck() bool {
	return d.disk.waiting > 0 && d.disk.ticks > d.o.DiskTicks && !d.alone()
}

// alone reports whether no other node votes.
func (d *Driver) alone() bool {
	for _, voters := range [][]uint64{d.config.Voters, d.config.Outgoing} {
		for _, id := range voters {
			if id != d.id {
				return false
			}
		}
	}
	return true
}

// yield gives leadership away while the disk stands still: to the voter that has
// the most of the log or, when none takes it, to whoever is elected.
func (d *Driver) yield() {
	if d.leading == 0 || d.over == d.leading || !d.stuck() {
		return
	}
	if d.handing != d.leading {
		d.o.Logger.Warn("the disk stands still, another node is to lead", "term", d.leading, "ticks", d.disk.ticks)
		if d.Transfer(0) == nil {
			return
		}
	} else if d.raft.BasicStatus().LeadTransferee != 0 {
		return
	}
	d.rest()
	d.endView()
}
