package verify

import (
	"context"
	"encoding/hex"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/coco-consortium/coco/internal/proof"
)

// Options say what to compare with and what to allow.
type Options struct {
	// Checkpoint and Receipt, of the service itself, show truncation and
	// rewriting up to where they were made. For Ledger only.
	Checkpoint []byte
	Receipt    []byte
	// ServicePEM pins the service: its certificate or public key. For Ledger only.
	ServicePEM []byte
	// AllowSimulated accepts a service on a simulated platform, which protects
	// nothing.
	AllowSimulated bool
	// Progress, if set, is called now and then by the goroutine that called Ledger.
	Progress func(Progress)
}

// Progress is how far the check of a ledger is.
type Progress struct {
	Bytes, Total int64
	Blocks       uint64
}

// Batches are bounded so that memory is: entries are read until one of the
// bounds is reached, and one entry is never above 64 MiB.
const (
	batchBytes   = 16 << 20
	batchEntries = 512
)

// Ledger checks a ledger: fsys is its directory, which holds the files chunk-*,
// whose files must be io.ReaderAt as those of os.DirFS are. An error means that
// the check could not be done: files that cannot be read, options that cannot be
// understood, ctx. What is wrong with the ledger stands in the report.
func Ledger(ctx context.Context, fsys fs.FS, o Options) (*Report, error) {
	c, err := newCheck(o)
	if err != nil {
		return nil, err
	}
	r, err := openLog(fsys)
	if err != nil {
		return nil, err
	}
	defer r.close()
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var batch []*entry
		if batch, more, err = r.read(); err != nil {
			return nil, err
		}
		c.prepare(batch)
		for _, e := range batch {
			if c.step(e); len(c.findings) > 0 {
				return c.report(r), nil
			}
		}
		if o.Progress != nil {
			o.Progress(Progress{Bytes: r.done, Total: r.total, Blocks: c.blocks})
		}
	}
	if err := c.end(ctx, r); err != nil {
		return nil, err
	}
	return c.report(r), nil
}

// prepare does the work of a batch that needs no order, on all processors:
// decoding and hashing, then the signatures, each against the key that its
// header names.
func (c *check) prepare(batch []*entry) {
	parallel(len(batch), func(i int) { batch[i].decode() })
	known := c.signers()
	for _, e := range batch {
		for _, node := range e.introduces() {
			if key, err := proof.ParseKey(node.Key); err == nil {
				known[key.ID] = key
			}
		}
	}
	if c.index == 0 && len(batch) > 0 && batch[0].genesis != nil {
		c.service = batch[0].genesis.Service
	}
	parallel(len(batch), func(i int) { batch[i].checkSignature(c.service, known) })
}

// parallel calls f for 0 to n-1 on all processors and waits.
func parallel(n int, f func(int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	workers.Wait()
}

// report is the outcome after the last step.
func (c *check) report(r *reader) *Report {
	out := &Report{
		Result: Valid, Findings: c.findings, Tail: c.tail, Service: hex.EncodeToString(c.service[:]),
		Entries: c.index, Blocks: c.blocks, Chunks: len(r.chunks), Bytes: r.total,
		Unbound: c.unbound, Voters: []uint64{}, Learners: []uint64{}, Nodes: []Node{},
	}
	if n := c.network; n != nil {
		out.Mode, out.Recoveries, out.Format = n.genesis.Mode, n.recoveries, c.level
		out.ServiceKey = n.services[len(n.services)-1].SPKI
		out.Voters, out.Learners = n.config.list()
		out.Nodes = n.members.list()
	} else {
		out.Service = ""
	}
	if c.last != nil {
		out.Head = c.last.head()
		out.Records = out.Head.Seqno
	}
	c.compare(out)
	switch {
	case len(out.Findings) == 1 && out.newer() && out.Head != nil: // a block that verified says so
		out.Result = Newer
	case len(out.Findings) > 0:
		out.Result = Invalid
	case out.Tail != nil:
		out.Result = DamagedTail
	}
	c.unproven(out)
	return out
}
