package lineage

import (
	"errors"
	"iter"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// IdentityOf reads the identity from the public tables of a state that is
// verified. rows gives the rows of a table, valid for one step. What no table holds is given: the
// last record that changed the nodes, and Raft's configuration.
func IdentityOf(rows func(table string) iter.Seq2[[]byte, []byte], changed TxID, config Config) (Identity, error) {
	id := Identity{Changed: changed, Config: config}
	var recovery *format.Recovery
	for key, value := range rows(format.TableService) {
		var err error
		switch string(key) {
		case format.KeyGenesis:
			id.Genesis = new(format.Genesis)
			err = format.Decode(value, id.Genesis)
		case format.KeyRecovery:
			recovery = new(format.Recovery)
			err = format.Decode(value, recovery)
		}
		if err != nil {
			return id, err
		}
	}
	if id.Genesis == nil {
		return id, errors.New("the state has no genesis document")
	}
	err := errNoLevel
	for key, value := range rows(format.TableFormat) {
		if string(key) == format.KeyLevel {
			id.Level, err = readLevel(value)
		}
	}
	if err != nil {
		return id, err
	}
	if id.Service, err = proof.ParseKey(id.Genesis.ServiceKey); err != nil {
		return id, err
	}
	id.Secrets = id.Genesis.Secrets
	if recovery != nil {
		id.Recoveries, id.Secrets = recovery.Count, recovery.Secrets
	}
	var all []*format.NodeInfo
	for key, value := range rows(format.TableNodes) {
		nodes, err := ReadNodes([]format.Write{{Table: format.TableNodes, Key: key, Value: value}})
		if err != nil {
			return id, err
		}
		all = append(all, nodes...)
	}
	id.Nodes = NewMembers(all...)
	return id, nil
}

// Changes reports whether records of a kind change the table of nodes, so that
// their TxID becomes Identity.Changed.
func Changes(kind format.RecordKind) bool {
	return kind == format.KindGenesis || kind == format.KindRecovery || kind == format.KindMembership
}
