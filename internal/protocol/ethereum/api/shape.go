package api

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
)

// The shapes of geth 1.17, member for member.

// blockShape is a block with its transactions, in full or by hash.
type blockShape struct {
	*ethereum.Block
	full bool
}

// AppendJSON implements jsonrpc.Appender.
func (b blockShape) AppendJSON(dst []byte) []byte {
	o := begin(dst)
	o.header(b.Header, &b.Hash)
	o.quantity("size", b.Size)
	o.name("transactions")
	o.dst = appendList(o.dst, len(b.Transactions), func(dst []byte, i int) []byte {
		if b.full {
			return minedShape{b.Block, i}.AppendJSON(dst)
		}
		return appendData(dst, b.Receipts[i].TxHash[:])
	})
	o.name("uncles")
	o.dst = appendList(o.dst, len(b.Uncles), func(dst []byte, i int) []byte {
		hash := b.Uncles[i].Hash()
		return appendData(dst, hash[:])
	})
	if b.Header.WithdrawalsHash != nil {
		o.name("withdrawals")
		o.dst = appendList(o.dst, len(b.Withdrawals), func(dst []byte, i int) []byte { return appendWithdrawal(dst, b.Withdrawals[i]) })
	}
	return o.end()
}

func appendWithdrawal(dst []byte, w *types.Withdrawal) []byte {
	o := begin(dst)
	o.quantity("index", w.Index)
	o.quantity("validatorIndex", w.Validator)
	o.data("address", w.Address[:])
	o.quantity("amount", w.Amount)
	return o.end()
}

// headShape is a block's header alone, as newHeads shows it.
type headShape struct{ *ethereum.Block }

// AppendJSON implements jsonrpc.Appender.
func (b headShape) AppendJSON(dst []byte) []byte {
	o := begin(dst)
	o.header(b.Header, &b.Hash)
	return o.end()
}

func (o *object) header(h *types.Header, hash *common.Hash) {
	o.big("number", h.Number)
	o.hash("hash", hash)
	o.hash("parentHash", &h.ParentHash)
	o.data("nonce", h.Nonce[:])
	o.hash("mixHash", &h.MixDigest)
	o.hash("sha3Uncles", &h.UncleHash)
	o.data("logsBloom", h.Bloom[:])
	o.hash("stateRoot", &h.Root)
	o.address("miner", &h.Coinbase)
	o.big("difficulty", h.Difficulty)
	o.data("extraData", h.Extra)
	o.quantity("gasLimit", h.GasLimit)
	o.quantity("gasUsed", h.GasUsed)
	o.quantity("timestamp", h.Time)
	o.hash("transactionsRoot", &h.TxHash)
	o.hash("receiptsRoot", &h.ReceiptHash)
	if h.BaseFee != nil {
		o.big("baseFeePerGas", h.BaseFee)
	}
	o.hash("withdrawalsRoot", h.WithdrawalsHash)
	if h.BlobGasUsed != nil {
		o.quantity("blobGasUsed", *h.BlobGasUsed)
	}
	if h.ExcessBlobGas != nil {
		o.quantity("excessBlobGas", *h.ExcessBlobGas)
	}
	o.hash("parentBeaconBlockRoot", h.ParentBeaconRoot)
	o.hash("requestsHash", h.RequestsHash)
	o.hash("blockAccessListHash", h.BlockAccessListHash)
	if h.SlotNumber != nil {
		o.quantity("slotNumber", *h.SlotNumber)
	}
}

// minedShape is the transaction at an index of a block.
type minedShape struct {
	*ethereum.Block
	index int
}

// AppendJSON implements jsonrpc.Appender.
func (m minedShape) AppendJSON(dst []byte) []byte {
	o := begin(dst)
	o.data("blockHash", m.Hash[:])
	o.big("blockNumber", m.Header.Number)
	o.quantity("blockTimestamp", m.Header.Time)
	o.quantity("transactionIndex", uint64(m.index))
	t := m.Transactions[m.index]
	// Of a transaction with fee caps the effective price is shown; nothing was paid.
	price := t.GasPrice()
	if t.Type() >= types.DynamicFeeTxType {
		price = m.Receipts[m.index].EffectiveGasPrice
	}
	o.transaction(t, price)
	return o.end()
}

// pendingShape is an admitted transaction that is in no block yet.
type pendingShape struct{ *ethereum.Transaction }

// AppendJSON implements jsonrpc.Appender.
func (p pendingShape) AppendJSON(dst []byte) []byte {
	o := begin(dst)
	o.null("blockHash")
	o.null("blockNumber")
	o.null("blockTimestamp")
	o.null("transactionIndex")
	o.transaction(p.Transaction, p.GasFeeCap())
	return o.end()
}

func (o *object) transaction(t *ethereum.Transaction, price *big.Int) {
	hash := t.Hash()
	o.data("from", t.From[:])
	o.quantity("gas", t.Gas())
	o.big("gasPrice", price)
	if t.Type() >= types.DynamicFeeTxType {
		o.big("maxFeePerGas", t.GasFeeCap())
		o.big("maxPriorityFeePerGas", t.GasTipCap())
	}
	if t.Type() == types.BlobTxType {
		o.big("maxFeePerBlobGas", t.BlobGasFeeCap())
	}
	o.hash("hash", &hash)
	o.data("input", t.Data())
	o.quantity("nonce", t.Nonce())
	o.address("to", t.To())
	o.big("value", t.Value())
	o.quantity("type", uint64(t.Type()))
	v, r, s := t.RawSignatureValues()
	if t.Type() >= types.AccessListTxType {
		o.name("accessList")
		o.dst = appendAccessList(o.dst, t.AccessList())
	}
	if id := t.ChainId(); t.Type() >= types.AccessListTxType || id.Sign() != 0 { // else without EIP-155
		o.big("chainId", id)
	}
	if t.Type() == types.BlobTxType {
		o.name("blobVersionedHashes")
		o.dst = appendHashes(o.dst, t.BlobHashes())
	}
	if t.Type() == types.SetCodeTxType {
		o.name("authorizationList")
		o.dst = appendAuthorizations(o.dst, t.SetCodeAuthorizations())
	}
	o.big("v", v)
	o.big("r", r)
	o.big("s", s)
	if t.Type() >= types.AccessListTxType {
		o.big("yParity", v)
	}
}

func appendAccessList(dst []byte, list types.AccessList) []byte {
	return appendList(dst, len(list), func(dst []byte, i int) []byte {
		o := begin(dst)
		o.data("address", list[i].Address[:])
		o.name("storageKeys")
		o.dst = appendHashes(o.dst, list[i].StorageKeys)
		return o.end()
	})
}

func appendAuthorizations(dst []byte, list []types.SetCodeAuthorization) []byte {
	return appendList(dst, len(list), func(dst []byte, i int) []byte {
		a, o := &list[i], begin(dst)
		o.big("chainId", a.ChainID.ToBig())
		o.data("address", a.Address[:])
		o.quantity("nonce", a.Nonce)
		o.quantity("yParity", uint64(a.V))
		o.big("r", a.R.ToBig())
		o.big("s", a.S.ToBig())
		return o.end()
	})
}

func appendHashes(dst []byte, list []common.Hash) []byte {
	return appendList(dst, len(list), func(dst []byte, i int) []byte { return appendData(dst, list[i][:]) })
}

// hashesShape is a list of hashes.
type hashesShape []common.Hash

// AppendJSON implements jsonrpc.Appender.
func (s hashesShape) AppendJSON(dst []byte) []byte { return appendHashes(dst, s) }

// receiptShape is the receipt of the transaction at an index of a block.
type receiptShape struct {
	*ethereum.Block
	index int
}

// AppendJSON implements jsonrpc.Appender.
func (s receiptShape) AppendJSON(dst []byte) []byte {
	r, t := s.Receipts[s.index], s.Transactions[s.index]
	bloom := types.CreateBloom(r)
	o := begin(dst)
	o.data("blockHash", s.Hash[:])
	o.big("blockNumber", s.Header.Number)
	o.data("transactionHash", r.TxHash[:])
	o.quantity("transactionIndex", uint64(s.index))
	o.data("from", t.From[:])
	o.address("to", t.To())
	o.quantity("gasUsed", r.GasUsed)
	o.quantity("cumulativeGasUsed", r.CumulativeGasUsed)
	if r.ContractAddress != (common.Address{}) {
		o.data("contractAddress", r.ContractAddress[:])
	} else {
		o.null("contractAddress")
	}
	o.name("logs")
	o.dst = logsShape(r.Logs).AppendJSON(o.dst)
	o.data("logsBloom", bloom[:])
	o.quantity("type", uint64(r.Type))
	o.big("effectiveGasPrice", r.EffectiveGasPrice)
	if len(r.PostState) > 0 { // before Byzantium
		o.data("root", r.PostState)
	} else {
		o.quantity("status", r.Status)
	}
	if r.Type == types.BlobTxType {
		o.quantity("blobGasUsed", r.BlobGasUsed)
		o.big("blobGasPrice", r.BlobGasPrice)
	}
	return o.end()
}

// receiptsShape is the receipts of a block.
type receiptsShape struct{ *ethereum.Block }

// AppendJSON implements jsonrpc.Appender.
func (s receiptsShape) AppendJSON(dst []byte) []byte {
	return appendList(dst, len(s.Receipts), func(dst []byte, i int) []byte {
		return receiptShape{s.Block, i}.AppendJSON(dst)
	})
}

// logsShape is a list of logs.
type logsShape []*types.Log

// AppendJSON implements jsonrpc.Appender.
func (s logsShape) AppendJSON(dst []byte) []byte {
	return appendList(dst, len(s), func(dst []byte, i int) []byte { return appendLog(dst, s[i]) })
}

func appendLog(dst []byte, l *types.Log) []byte {
	o := begin(dst)
	o.data("address", l.Address[:])
	o.name("topics")
	o.dst = appendHashes(o.dst, l.Topics)
	o.data("data", l.Data)
	o.quantity("blockNumber", l.BlockNumber)
	o.data("transactionHash", l.TxHash[:])
	o.quantity("transactionIndex", uint64(l.TxIndex))
	o.data("blockHash", l.BlockHash[:])
	o.quantity("blockTimestamp", l.BlockTimestamp)
	o.quantity("logIndex", uint64(l.Index))
	o.name("removed")
	o.dst = append(o.dst, "false"...)
	return o.end()
}
