package ethereum

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/coco-consortium/coco/internal/sequencer"
)

// BlockGas is the gas limit of every block, that of Ethereum's main network.
// The slowest code found (keccak, modexp, BLS sums) ran at 25 to 40 Mgas/s on a
// busy core, so that a block of nothing else takes two seconds or so. A block is
// full as soon as it cannot hold a transaction of evm.MaxTransactionGas any more:
// it then holds well over a thousand token transfers.
const BlockGas = 60_000_000

// nanoseconds of a second.
const second = 1_000_000_000

// newHeader is the header of a block when it opens.
func newHeader(slot *sequencer.Slot, parent common.Hash) *types.Header {
	extra := binary.BigEndian.AppendUint64(nil, slot.View)
	extra = binary.BigEndian.AppendUint64(extra, slot.FirstSeqno)
	return &types.Header{
		ParentHash:       parent,
		UncleHash:        types.EmptyUncleHash,
		Root:             common.Hash(slot.Root),
		Difficulty:       new(big.Int),
		Number:           new(big.Int).SetUint64(slot.Height),
		GasLimit:         BlockGas,
		Time:             slot.Time / second,
		Extra:            extra,
		MixDigest:        common.Hash(slot.Random),
		BaseFee:          new(big.Int),
		WithdrawalsHash:  new(types.EmptyWithdrawalsHash),
		BlobGasUsed:      new(uint64),
		ExcessBlobGas:    new(uint64),
		ParentBeaconRoot: new(common.Hash),
		RequestsHash:     new(types.EmptyRequestsHash),
	}
}

// complete fills in what the transactions give.
func complete(h *types.Header, entries []entry) {
	h.GasUsed = 0
	for i := range entries {
		h.GasUsed += entries[i].outcome.GasUsed
	}
	h.TxHash = transactionsRoot(entries)
	h.ReceiptHash = receiptsCommitment(h.MixDigest, entries)
}

// decodeHeader reads a block section and checks what can be checked of it alone.
func decodeHeader(section []byte, height uint64) (*types.Header, error) {
	var h types.Header
	if err := rlp.DecodeBytes(section, &h); err != nil {
		return nil, errDecode(height, "the Ethereum header does not decode")
	}
	if h.Number == nil || !h.Number.IsUint64() || h.Number.Uint64() != height {
		return nil, errDecode(height, "the Ethereum header has another number")
	}
	return &h, nil
}

// transactionsRoot is the root of the trie of the transactions' encodings.
func transactionsRoot(entries []entry) common.Hash {
	if len(entries) == 0 {
		return types.EmptyTxsHash
	}
	return types.DeriveSha(encodings(entries), trie.NewListHasher())
}

// encodings lets types.DeriveSha take transactions as they were sent.
type encodings []entry

func (e encodings) Len() int { return len(e) }

func (e encodings) EncodeIndex(i int, w *bytes.Buffer) { w.Write(e[i].raw) }

// receiptsCommitment is what stands in the header for the receipts; see the
// package comment.
func receiptsCommitment(salt common.Hash, entries []entry) common.Hash {
	mac := hmac.New(sha256.New, salt[:])
	for i := range entries {
		writeSized(mac, entries[i].raw)
		writeSized(mac, entries[i].encodedOutcome)
		writeSized(mac, entries[i].encodedEvents)
	}
	var sum common.Hash
	mac.Sum(sum[:0])
	return sum
}

func writeSized(h hash.Hash, data []byte) {
	var size [4]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(data)))
	h.Write(size[:])
	h.Write(data)
}
