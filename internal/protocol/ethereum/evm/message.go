package evm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
)

// Message is a transaction or call to run.
type Message struct {
	From           common.Address
	To             *common.Address // nil creates a contract
	Nonce          uint64          // calls let any pass; AccessList tells the address it creates from it
	Gas            uint64
	Value          uint256.Int
	Data           []byte
	AccessList     types.AccessList
	Authorizations []types.SetCodeAuthorization
	BlobHashes     []common.Hash
	Fees           Fees // where gas is free only checked, and not those of transactions
}

// Fees are the prices that a message offers, in wei (EIP-1559, EIP-4844).
type Fees struct {
	FeeCap  uint256.Int // the most it pays for gas, the base fee included
	TipCap  uint256.Int // the most it pays beyond the base fee
	BlobCap uint256.Int // the most it pays for blob gas
}

// Price is what gas costs where the base fee is the given one (nil is zero).
func (f *Fees) Price(baseFee *big.Int) *uint256.Int {
	price := new(uint256.Int)
	f.price(price, baseFee)
	return price
}

func (f *Fees) price(price *uint256.Int, baseFee *big.Int) {
	price.Clear()
	if baseFee != nil {
		price.SetFromBig(baseFee)
	}
	if _, overflow := price.AddOverflow(price, &f.TipCap); overflow || price.Gt(&f.FeeCap) {
		price.Set(&f.FeeCap)
	}
}

// MessageOf is the message of a transaction whose sender was recovered before.
// The transaction's value and prices must fit 256 bits, which admission has made
// sure of.
func MessageOf(tx *types.Transaction, from common.Address) *Message {
	m := &Message{
		From: from, To: tx.To(), Nonce: tx.Nonce(), Gas: tx.Gas(), Data: tx.Data(),
		AccessList: tx.AccessList(), Authorizations: tx.SetCodeAuthorizations(), BlobHashes: tx.BlobHashes(),
	}
	m.Value.SetFromBig(tx.Value())
	if tx.GasFeeCapIntCmp(common.Big0) != 0 { // else there is nothing to copy
		m.Fees.FeeCap.SetFromBig(tx.GasFeeCap())
	}
	if tx.GasTipCapIntCmp(common.Big0) != 0 {
		m.Fees.TipCap.SetFromBig(tx.GasTipCap())
	}
	if tx.Type() == types.BlobTxType {
		m.Fees.BlobCap.SetFromBig(tx.BlobGasFeeCap())
	}
	return m
}

// library is what the library wants for a message. Its parts are used again for
// every message of an executor.
type library struct {
	message core.Message
	fees    Fees
	price   uint256.Int
	pool    core.GasPool
}

// set gives the message as the library wants it, where the prices are fees.
func (l *library) set(m *Message, fees Fees, baseFee *big.Int) *core.Message {
	l.fees = fees
	l.fees.price(&l.price, baseFee)
	l.message = core.Message{
		From: m.From, To: m.To, Nonce: m.Nonce, GasLimit: m.Gas, Value: &m.Value, Data: m.Data,
		AccessList: m.AccessList, SetCodeAuthorizations: m.Authorizations, BlobHashes: m.BlobHashes,
		GasPrice: &l.price, GasFeeCap: &l.fees.FeeCap, GasTipCap: &l.fees.TipCap,
	}
	if m.BlobHashes != nil {
		l.message.BlobGasFeeCap = &l.fees.BlobCap
	}
	return &l.message
}

// enough is a gas pool that holds what one message asks for.
func (l *library) enough(gas uint64) *core.GasPool {
	l.pool = *core.NewGasPool(gas)
	return &l.pool
}
