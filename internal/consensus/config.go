package consensus

import (
	"encoding/binary"
	"errors"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// A configuration change travels through Raft in its own encoding, with the TxID
// of the record that asked for it as context, and is stored in the ledger's.

// encodeConfig is the ledger's body of a Raft configuration change.
func encodeConfig(data []byte) ([]byte, error) {
	var change raftpb.ConfChangeV2
	if err := proto.Unmarshal(data, &change); err != nil {
		return nil, err
	}
	body := format.RaftConfig{Transition: uint64(change.GetTransition()), Changes: []format.ConfigChange{}}
	if len(change.Context) != 16 {
		return nil, errors.New("a configuration change without the TxID that asks for it")
	}
	body.View = binary.BigEndian.Uint64(change.Context)
	body.Seqno = binary.BigEndian.Uint64(change.Context[8:])
	for _, c := range change.Changes {
		body.Changes = append(body.Changes, format.ConfigChange{Type: uint64(c.GetType()), RaftID: c.GetNodeId()})
	}
	return format.Encode(&body), nil
}

// decodeConfig is the inverse of encodeConfig.
func decodeConfig(body []byte) ([]byte, error) {
	var config format.RaftConfig
	if err := format.Decode(body, &config); err != nil {
		return nil, err
	}
	return proto.Marshal(confChange(&config))
}

func confChange(config *format.RaftConfig) *raftpb.ConfChangeV2 {
	context := binary.BigEndian.AppendUint64(nil, config.View)
	change := &raftpb.ConfChangeV2{
		Transition: raftpb.ConfChangeTransition(config.Transition).Enum(),
		Context:    binary.BigEndian.AppendUint64(context, config.Seqno),
	}
	for _, c := range config.Changes {
		change.Changes = append(change.Changes, &raftpb.ConfChangeSingle{
			Type: raftpb.ConfChangeType(c.Type).Enum(), NodeId: new(c.RaftID),
		})
	}
	return change
}
