package node

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/protocol/keyvalue"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// rooms are the protocol rooms of this node and the state under them.
type rooms struct {
	state   *kv.Store
	machine *evm.Machine
	room    *ethereum.Room
	chain   *chain.Chain

	keyvalue *keyvalue.Room
	recent   *keyvalue.Recent
}

func newRooms() (*rooms, error) {
	state, err := kv.New(slices.Concat(serviceTables(), evm.Tables(), keyvalue.Tables())...)
	if err != nil {
		return nil, err
	}
	machine, err := evm.New(state, ethereum.DevelopmentChainID)
	if err != nil {
		return nil, err
	}
	r := &rooms{state: state, machine: machine}
	if r.keyvalue, err = keyvalue.NewRoom(state, func() *keyvalue.Recent { return r.recent }); err != nil {
		return nil, err
	}
	r.room = ethereum.NewRoom(machine, ethereum.DevelopmentChainID, func(height uint64) (common.Hash, error) { return r.chain.Hash(height) })
	return r, nil
}

// attach opens what reads committed blocks, at a height whose block is in the
// ledger.
func (r *rooms) attach(ctx context.Context, blocks chain.Blocks, index chain.Index, height uint64) (err error) {
	r.recent = keyvalue.NewRecent(height)
	r.chain, err = chain.Open(ctx, blocks, index, height)
	return err
}

func (r *rooms) chainID() uint64 { return ethereum.DevelopmentChainID }

func (r *rooms) protocols() []sequencer.Protocol { return []sequencer.Protocol{r.room, r.keyvalue} }

// genesis is what the protocols put into the genesis record and block.
func (r *rooms) genesis(slot sequencer.Slot) ([]format.Write, envelope.Section) {
	writes, header := ethereum.Genesis(slot, ethereum.DevelopmentAllocation())
	return writes, envelope.Section{{Protocol: ethereum.Protocol, Data: header}}
}

// Account is a funded account of a development network.
type Account struct {
	Address    string `json:"address"`
	PrivateKey string `json:"privateKey"`
}

// DevelopmentAccounts are the accounts that a development network's genesis
// funds. Their keys are public knowledge.
func DevelopmentAccounts() []Account {
	var list []Account
	for _, a := range ethereum.DevelopmentAccounts() {
		list = append(list, Account{a.Address.Hex(), "0x" + hex.EncodeToString(crypto.FromECDSA(a.Key))})
	}
	return list
}

// Accounts are the accounts that this network's genesis funds.
func (n *Node) Accounts() []Account { return DevelopmentAccounts() }

// ChainID is the Ethereum chain id of this network.
func (n *Node) ChainID() uint64 { return ethereum.DevelopmentChainID }

// genesisSlot is the slot of the genesis block.
func genesisSlot(now time.Time, random format.Hash) sequencer.Slot {
	return sequencer.Slot{View: 1, FirstSeqno: 1, Time: uint64(now.UnixNano()), Random: random}
}
