package consensus

import (
	"errors"
	"math"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// TestTermsFarAhead: no message brings a node to a term after which there are none.
func TestTermsFarAhead(t *testing.T) {
	s := newService(t)
	p := s.start(2, s.voters(3).log(), nil)
	own := p.Status().Term
	for _, kind := range []raftpb.MessageType{raftpb.MsgApp, raftpb.MsgAppResp, raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp, raftpb.MsgVote,
		raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp, raftpb.MsgTimeoutNow} {
		for _, term := range []uint64{own + MaxTermsAhead + 1, math.MaxUint64 - 1, math.MaxUint64} {
			err := p.Step(&raftpb.Message{Type: kind.Enum(), From: new(uint64(3)), To: new(uint64(2)), Term: new(term), Commit: new(uint64(0))})
			if !errors.Is(err, ErrMessage) || p.Status().Term != own {
				t.Fatalf("%v of term %d: %v, term %d", kind, term, err, p.Status().Term)
			}
		}
	}
	p.collect()
	beat := &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), From: new(uint64(3)), To: new(uint64(2)), Term: new(own + MaxTermsAhead), Commit: new(uint64(0))}
	if err := p.Step(beat); err != nil || p.Status().Term != own+MaxTermsAhead {
		t.Fatalf("a term that may be: %v, term %d", err, p.Status().Term)
	}
	p.collect()
}
