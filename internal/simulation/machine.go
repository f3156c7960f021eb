package simulation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Sizes small enough that a run sees many chunks.
const (
	chunkBytes = 24 << 10
	aheadBytes = 16 << 10
	ledgerDir  = "node/ledger"
)

// link is an entry of a log: what log matching is about.
type link struct {
	term   uint64
	config bool
	prefix format.Hash // after it
}

// machine is a computer: a disk, a clock and at most one process. The disk
// outlives processes.
type machine struct {
	world   *world
	number  int
	storage *storage
	clock   *clock
	process *process // nil while none runs
	past    []uint64 // raft ids of its processes so far
	keys    []format.Hash
	stored  []link // the log as it is written
	synced  uint64 // index up to which it said that it is durable
	idle    bool   // nobody starts a process here
}

func newMachine(w *world, number int) *machine {
	m := &machine{world: w, number: number, storage: newStorage(),
		clock: &clock{schedule: &w.schedule, rate: 1}}
	m.calm()
	return m
}

// calm makes disk and clock good ones.
func (m *machine) calm() {
	m.storage.sync = 200 * time.Microsecond
	m.clock.offset = time.Duration(m.world.random.Int64N(int64(20 * time.Millisecond)))
	m.clock.rate = 0.98 + 0.04*m.world.random.Float64()
}

func (m *machine) String() string {
	if m.process == nil {
		return fmt.Sprintf("m%d", m.number)
	}
	return fmt.Sprintf("m%d/%d", m.number, m.process.id)
}

// open opens the ledger on the machine's disk. It fails only when the disk
// loses power on the way; a ledger that a lying disk spoiled is thrown away.
func (m *machine) open() (*ledger.Log, error) {
	log, err := ledger.Open(m.storage, ledgerDir, ledger.Options{Inline: true, Ahead: aheadBytes, ChunkBytes: chunkBytes, Now: m.clock.Now})
	if errors.Is(err, crash.ErrCut) {
		return nil, err
	}
	if err != nil {
		m.world.check.honest(m, "its ledger cannot be opened: %v", err)
		return m.wipe()
	}
	links, err := linksOf(log)
	if err != nil {
		return nil, err
	}
	m.world.check.reopened(m, links)
	m.stored, m.synced = links, uint64(len(links))
	if m.storage.stable {
		m.storage.lied, m.storage.stable = false, false
	}
	return log, nil
}

// wipe gives the machine an empty disk and opens an empty ledger on it.
func (m *machine) wipe() (*ledger.Log, error) {
	m.world.note("%v gets an empty disk", m)
	m.world.stats.Wiped++
	old := m.storage
	m.storage = newStorage()
	m.storage.sync = old.sync
	m.stored, m.synced = nil, 0
	return m.open()
}

// linksOf reads a whole log.
func linksOf(log *ledger.Log) ([]link, error) {
	var links []link
	err := eachEntry(log, 1, func(e *format.Entry, before format.Hash) error {
		links = append(links, link{e.Term, e.Kind == format.EntryRaftConfig, format.NextPrefix(before, e)})
		return nil
	})
	return links, err
}

// eachEntry reads the entries of a log that begins at 1.
func eachEntry(log *ledger.Log, from uint64, do func(e *format.Entry, before format.Hash) error) error {
	prefix, err := log.Prefix(from - 1)
	if err != nil {
		return err
	}
	for last := log.Head().LastIndex; from <= last; {
		entries, err := log.Entries(from, last+1, 1<<20)
		if err != nil {
			return err
		}
		for i := range entries {
			if err := do(&entries[i], prefix); err != nil {
				return err
			}
			prefix = format.NextPrefix(prefix, &entries[i])
		}
		from += uint64(len(entries))
	}
	return nil
}

// overwrites notes that entries from an index on may be gone from now on.
func (m *machine) overwrites(from uint64) { m.synced = min(m.synced, from-1) }

// wrote notes entries that were written to the log.
func (m *machine) wrote(entries []format.Entry) {
	at := entries[0].Index - 1
	m.stored = extend(m.stored[:at], entries)
}

// extend continues a list of links; the first entry stands right behind it.
func extend(links []link, entries []format.Entry) []link {
	var prefix format.Hash
	if n := len(links); n > 0 {
		prefix = links[n-1].prefix
	}
	links = slices.Clip(links)
	for i := range entries {
		prefix = format.NextPrefix(prefix, &entries[i])
		links = append(links, link{entries[i].Term, entries[i].Kind == format.EntryRaftConfig, prefix})
	}
	return links
}

// powerCut ends the process and takes from the disk what was not synced.
func (m *machine) powerCut(why string) {
	m.world.note("%v loses power: %s", m, why)
	m.world.stats.Crashes++
	m.kill()
	m.storage.Disk = m.storage.Crash(m.world.random.Uint64())
	m.storage.lies, m.storage.stable = false, true
}

// exit ends the process; the machine goes on.
func (m *machine) exit(why string) {
	if m.process == nil {
		return
	}
	m.world.note("%v ends: %s", m, why)
	m.world.stats.Exits++
	m.kill()
	m.storage.Disk = m.storage.Restart()
}

func (m *machine) kill() {
	if p := m.process; p != nil {
		p.die()
	}
	m.process = nil
}

// start starts a process, which then asks to join.
func (m *machine) start() {
	if m.process != nil || m.idle {
		return
	}
	p, err := newProcess(m)
	if err != nil {
		m.world.failf("a process cannot be made: %v", err)
	}
	m.process = p
	m.world.note("%v starts", m)
	if p.log, err = m.open(); err != nil {
		p.faulty(err)
		return
	}
	p.seek()
}
