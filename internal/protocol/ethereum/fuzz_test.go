package ethereum

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// What decodes encodes to the same bytes; nothing panics.
func FuzzOutcome(f *testing.F) {
	f.Add(format.Encode(&Outcome{Status: 1, GasUsed: 21000, From: common.Address{1}}))
	f.Add(format.Encode(&Outcome{Created: make([]byte, 20), Failure: "execution reverted", Output: []byte{1, 2, 3}}))
	f.Add(format.Encode(&Outcome{Status: 2}))
	f.Add(format.Encode(&Outcome{Created: make([]byte, 19)}))
	f.Add(format.Encode(&Outcome{Output: make([]byte, maxOutput+1)}))
	f.Add([]byte{0x86})
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, err := decodeOutcome(data); err == nil {
			if !bytes.Equal(format.Encode(o), data) || o.Status > 1 || len(o.Output) > maxOutput || o.Created != nil && len(o.Created) != 20 {
				t.Errorf("%x decodes to %+v", data, o)
			}
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add(encodeEvents(nil))
	f.Add([]byte{0xf6})
	f.Add([]byte{0x81, 0xf6})
	f.Add(encodeEvents(normal([]*types.Log{{Address: common.Address{1}, Topics: []common.Hash{{2}}, Data: []byte{3}}, {}})))
	f.Add(encodeEvents([]*types.Log{{Topics: make([]common.Hash, 5), Data: []byte{}}}))
	f.Add(encodeEvents([]*types.Log{{Topics: []common.Hash{}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if logs, err := decodeEvents(data); err == nil {
			if !bytes.Equal(encodeEvents(logs), data) {
				t.Errorf("%x is not encoded again as it was", data)
			}
			for _, l := range logs {
				if len(l.Topics) > 4 {
					t.Errorf("a log with %d topics", len(l.Topics))
				}
			}
		}
	})
}

func FuzzHeader(f *testing.F) {
	h := newHeader(&sequencer.Slot{Height: 7, View: 2, FirstSeqno: 9}, common.Hash{1})
	complete(h, nil)
	section, err := rlp.EncodeToBytes(h)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(section)
	f.Add(section[:len(section)-1])
	f.Add([]byte{0xc0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if h, err := decodeHeader(data, 7); err == nil {
			if again, err := rlp.EncodeToBytes(h); err != nil || !bytes.Equal(again, data) {
				t.Errorf("%x is not encoded again as it was: %x", data, again)
			}
		}
	})
}

func FuzzTransaction(f *testing.F) {
	key := DevelopmentAccounts()[0].Key
	id := big.NewInt(DevelopmentChainID)
	for _, inner := range []types.TxData{
		&types.LegacyTx{Gas: 21000, To: &common.Address{1}, GasPrice: big.NewInt(1)},
		&types.AccessListTx{ChainID: id, Gas: 21000, AccessList: types.AccessList{{StorageKeys: []common.Hash{{1}}}}},
		&types.DynamicFeeTx{ChainID: id, Data: []byte{1}},
		&types.SetCodeTx{ChainID: uint256.MustFromBig(id), AuthList: []types.SetCodeAuthorization{{Nonce: 1}}},
	} {
		raw, err := types.MustSignNewTx(key, types.NewPragueSigner(big.NewInt(DevelopmentChainID)), inner).MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(raw[:len(raw)-1])
	}
	f.Add([]byte{types.BlobTxType, 0xc0})
	f.Fuzz(func(t *testing.T, data []byte) {
		tx, err := DecodeTransaction(data, DevelopmentChainID)
		if err != nil {
			return
		}
		again, err := tx.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) || tx.Type() == types.BlobTxType {
			t.Errorf("%x is encoded as %x", data, again)
		}
	})
}
