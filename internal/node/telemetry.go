package node

import (
	"context"
	"errors"
	"time"

	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
	"github.com/coco-consortium/coco/internal/telemetry"
)

// timedLog measures how long the log's syncs take.
type timedLog struct {
	*ledger.Log
	metrics *telemetry.Metrics
}

// Sync is the log's.
func (l timedLog) Sync() error {
	began := time.Now()
	err := l.Log.Sync()
	l.metrics.Synced(time.Since(began))
	return err
}

// watchCall measures and traces a client's call.
func (n *Node) watchCall(ctx context.Context, method string) (context.Context, func(error)) {
	began := time.Now()
	span := n.config.Tracer.Begin(telemetry.From(ctx), telemetry.Request, telemetry.Method(method), telemetry.Node(n.id))
	return telemetry.With(ctx, span.Link()), func(err error) {
		outcome := "ok"
		var refused *jsonrpc.Error
		switch {
		case errors.As(err, &refused) && refused.Code != jsonrpc.CodeInternal, err != nil && problem.CodeOf(err) != "INTERNAL":
			outcome = "refused"
		case err != nil:
			outcome = "failed"
		}
		n.config.Metrics.Answered(method, outcome, time.Since(began))
		span.End(err)
	}
}

// watchBlock measures and traces a block that this node executed.
func (n *Node) watchBlock(j *sequencer.Journey) {
	n.config.Metrics.Block(j.Records, j.Bytes)
	n.config.Metrics.Committed(j.Committed.Sub(j.Opened))
	t := n.config.Tracer
	if t == nil {
		return
	}
	id, view, height := telemetry.Node(n.id), telemetry.View(j.View), telemetry.Height(j.Height)
	for _, leg := range j.Legs {
		link := telemetry.ParseLink(leg.Trace)
		t.Record(link, telemetry.Execute, leg.From, leg.To, id, view, telemetry.Seqno(leg.Seqno))
		t.Record(link, telemetry.Seal, leg.To, j.Sealed, id, view, height, telemetry.Records(j.Records))
		t.Record(link, telemetry.Replicate, j.Sealed, j.Committed, id, view, height)
		t.Record(link, telemetry.Publish, j.Committed, j.Published, id, view, height)
	}
}

// submit hands a request to the primary, wherever it is. Of a traced one the way
// there and back is a span, under which the primary's are.
func (n *Node) submit(r *sequencer.Request) (pool.Ticket, error) {
	link := telemetry.ParseLink(r.Trace)
	if n.config.Tracer == nil || !link.Sampled() || n.consensus.Status().Leader == n.id {
		return n.forwarder.Submit(r)
	}
	span := n.config.Tracer.Begin(link, telemetry.Forward, telemetry.Node(n.id))
	r.Trace = string(span.Link())
	ticket, err := n.forwarder.Submit(r)
	if err != nil {
		span.End(err)
		return ticket, err
	}
	n.group.Go(func() {
		select {
		case <-ticket.Done():
			span.End(ticket.Err())
		case <-n.running.Done():
			span.End(context.Cause(n.running))
		}
	})
	return ticket, nil
}
