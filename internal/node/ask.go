package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/consensus/transport"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/membership"
	"github.com/coco-consortium/coco/internal/operations"
)

// admission asks the network's nodes, one after the other and again, to let this
// process in, until one of them has or says that it never will, or none of them
// shows a certificate of the network.
func (n *Node) admission(ctx context.Context, service format.ServiceID) (*membership.Answer, error) {
	c := n.config
	var last error
	said := map[string]string{}
	for wait := 2 * c.Timing.Tick; ; wait = min(2*wait, time.Second) {
		strangers := 0
		for _, address := range c.Join.Peers {
			answer, err := n.ask(ctx, service, address)
			if stranger(err) {
				strangers++
			}
			if elsewhere := (*membership.Elsewhere)(nil); errors.As(err, &elsewhere) && elsewhere.Leader != "" {
				answer, err = n.ask(ctx, service, elsewhere.Leader)
			}
			switch {
			case err == nil && answer.Status == format.NodeRetired:
				n.retired() // it was let in, and silent for too long
				return nil, errors.New("it was let in and was not heard of since")
			case err == nil && answer.Status != format.NodePending:
				return answer, nil
			case err == nil:
				last = errors.New("the members have not admitted this node yet")
				n.arrival.asks(operations.StagePending, last)
			case errors.Is(err, membership.ErrRefused) || errors.Is(err, membership.ErrMessage):
				return nil, err
			default:
				last = err
				n.arrival.asks(operations.StageAdmission, last)
				level := slog.LevelDebug
				if text := err.Error(); said[address] != text { // once: whoever waits wants to know for what
					said[address], level = text, slog.LevelWarn
				}
				c.Logger.Log(ctx, level, "a node does not let this one in yet", "address", address, "err", err)
			}
		}
		if strangers == len(c.Join.Peers) {
			return nil, ErrStrangers.From(last)
		}
		select {
		case <-ctx.Done():
			return nil, ErrNoPeers.From(errors.Join(last, ctx.Err()))
		case <-time.After(wait):
		}
	}
}

// stranger says that whoever answered did not show a certificate of the network:
// asking again changes nothing. One that refuses this node's certificate may think
// otherwise later.
func stranger(err error) bool {
	var alert *net.OpError
	return errors.Is(err, transport.ErrUntrusted) && !errors.As(err, &alert)
}

// ask asks one node. The evidence is made for the session in which it is sent.
func (n *Node) ask(ctx context.Context, service format.ServiceID, address string) (*membership.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	certificate, err := transport.SelfSigned(n.own.Signer, n.config.Clock())
	if err != nil {
		return nil, err
	}
	session, err := transport.DialJoin(ctx, address, n.config.Join.Service, certificate)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	binding := attest.JoinBinding{Service: service, Mode: format.ModeSimulated, NodeKey: n.own.SPKI(), NodeHPKEKey: n.own.HPKE.PublicKey().Bytes(), Session: session.Session()}
	proven, err := evidence(ctx, n.machine, binding.ReportData())
	if err != nil {
		return nil, err
	}
	n.evidence = proven
	q := &membership.Request{Reads: format.Highest, Key: n.own.SPKI(), HPKEKey: n.own.HPKE.PublicKey().Bytes(), Evidence: proven,
		Address: n.peers.advertise, Client: n.config.Client}
	var answer membership.Answer
	return &answer, membership.Ask(ctx, session, address, membership.PathJoin, q, &answer)
}
