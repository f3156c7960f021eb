package chain

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Kinds of terms; the first byte of each. They never change their meaning.
const (
	kindBlock       = 'b'
	kindTransaction = 't'
	kindAddress     = 'a'
	kindTopic       = '0' // to '3', the topic's place
	kindUnread      = 'u'
)

// Terms says where a block is to be found: by its hash (position 0), by the
// hashes of its transactions (position: the transaction's index), by the address
// and the topics of its logs (position: the log's index in the block).
func Terms(b *ethereum.Block) []history.Entry {
	entries := []history.Entry{{Term: blockTerm(b.Hash)}}
	for i, r := range b.Receipts {
		entries = append(entries, history.Entry{Term: transactionTerm(r.TxHash), Position: uint32(i)})
		for _, l := range r.Logs {
			entries = append(entries, logTerms(l)...)
		}
	}
	return entries
}

// TermsOf is Terms of a block that is being published, or read back.
func TermsOf(c *sequencer.Committed) ([]history.Entry, error) {
	b, err := ethereum.FromCommitted(c)
	if err != nil {
		return nil, err
	}
	return Terms(b), nil
}

// Unread stands for the entries of a block that the ledger cannot give: it may
// hold anything. Questions that it could answer read it again, and end with the
// ledger's error when it is still not to be had.
func Unread() []history.Entry { return []history.Entry{{Term: unreadTerm()}} }

func unreadTerm() []byte { return []byte{kindUnread} }

func logTerms(l *types.Log) []history.Entry {
	position := uint32(l.Index)
	entries := append(make([]history.Entry, 0, 5), history.Entry{Term: addressTerm(l.Address), Position: position})
	for i, topic := range l.Topics {
		entries = append(entries, history.Entry{Term: topicTerm(i, topic), Position: position})
	}
	return entries
}

func blockTerm(hash common.Hash) []byte       { return append([]byte{kindBlock}, hash[:]...) }
func transactionTerm(hash common.Hash) []byte { return append([]byte{kindTransaction}, hash[:]...) }
func addressTerm(address common.Address) []byte {
	return append([]byte{kindAddress}, address[:]...)
}
func topicTerm(place int, topic common.Hash) []byte {
	return append([]byte{kindTopic + byte(place)}, topic[:]...)
}
