package chain

import (
	"github.com/ethereum/go-ethereum/common"

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

// hashTerm is the length of a term that is a hash.
const hashTerm = 1 + common.HashLength

// Terms says where a block is to be found: by its hash (position 0), by the
// hashes of its transactions (position: the transaction's index), by the address
// and the topics of its logs (position: the log's index in the block).
func Terms(b *ethereum.Block) []history.Entry {
	count, bytes := 1+len(b.Receipts), (1+len(b.Receipts))*hashTerm
	for _, r := range b.Receipts {
		for _, l := range r.Logs {
			count += 1 + len(l.Topics)
			bytes += 1 + common.AddressLength + len(l.Topics)*hashTerm
		}
	}
	entries := make([]history.Entry, 0, count)
	room := make([]byte, 0, bytes) // of all terms, which the index keeps and drops together
	add := func(kind byte, value []byte, position uint32) {
		start := len(room)
		room = append(append(room, kind), value...)
		entries = append(entries, history.Entry{Term: room[start:len(room):len(room)], Position: position})
	}
	add(kindBlock, b.Hash[:], 0)
	for i, r := range b.Receipts {
		add(kindTransaction, r.TxHash[:], uint32(i))
		for _, l := range r.Logs {
			add(kindAddress, l.Address[:], uint32(l.Index))
			for place := range l.Topics {
				add(kindTopic+byte(place), l.Topics[place][:], uint32(l.Index))
			}
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

func blockTerm(hash common.Hash) []byte       { return append([]byte{kindBlock}, hash[:]...) }
func transactionTerm(hash common.Hash) []byte { return append([]byte{kindTransaction}, hash[:]...) }
func addressTerm(address common.Address) []byte {
	return append([]byte{kindAddress}, address[:]...)
}
func topicTerm(place int, topic common.Hash) []byte {
	return append([]byte{kindTopic + byte(place)}, topic[:]...)
}
