package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus"
	"github.com/ethereum/go-ethereum/consensus/beacon"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
)

// foreign is a chain of another client that is executed on a state of ours.
type foreign struct {
	config  *params.ChainConfig
	store   *kv.Store
	past    *history.Past
	machine *evm.Machine
	engine  consensus.Engine
	blocks  []*types.Block // from genesis on
	touched map[common.Address]map[common.Hash]bool
}

// readChain reads genesis.json and chain.rlp of a directory.
func readChain(dir string) (*core.Genesis, []*types.Block, error) {
	data, err := os.ReadFile(filepath.Join(dir, "genesis.json"))
	if err != nil {
		return nil, nil, err
	}
	var genesis core.Genesis
	if err := json.Unmarshal(data, &genesis); err != nil {
		return nil, nil, err
	}
	f, err := os.Open(filepath.Join(dir, "chain.rlp"))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	var blocks []*types.Block
	for s := rlp.NewStream(f, 0); ; {
		var b types.Block
		switch err := s.Decode(&b); {
		case errors.Is(err, io.EOF):
			return &genesis, blocks, nil
		case err != nil:
			return nil, nil, fmt.Errorf("block %d: %w", len(blocks)+1, err)
		}
		blocks = append(blocks, &b)
	}
}

// newForeign makes a store that holds the genesis state.
func newForeign(genesis *core.Genesis) (*foreign, *ethereum.Block, error) {
	store, err := kv.New(evm.Tables()...)
	if err != nil {
		return nil, nil, err
	}
	past := history.OpenPast("past", store, history.PastOptions{Options: indexed(), Constant: []string{evm.TableCode}})
	store.Observe(past.Observe)
	machine, err := evm.NewRules(store, evm.Rules{Config: genesis.Config, Paid: true})
	if err != nil {
		return nil, nil, err
	}
	f := &foreign{
		config: genesis.Config, store: store, past: past, machine: machine, engine: beacon.New(ethash.NewFaker()),
		touched: make(map[common.Address]map[common.Hash]bool),
	}
	block, err := store.Begin(0)
	if err != nil {
		return nil, nil, err
	}
	first := genesis.ToBlock()
	x := machine.Executor(machine.Block(first.Header(), f.hash), nil)
	defer x.Close()
	tx := block.Tx()
	if err := f.write(tx, func() error {
		return x.System(context.Background(), tx, func(e *vm.EVM) error { return allocate(e.StateDB, genesis.Alloc) })
	}); err != nil {
		return nil, nil, err
	}
	if root := f.root(tx); root != first.Root() {
		return nil, nil, fmt.Errorf("genesis: state root %x, want %x", root, first.Root())
	}
	if err := f.publish(block, tx); err != nil {
		return nil, nil, err
	}
	f.blocks = append(f.blocks, first)
	return f, shown(first, nil, nil), nil
}

// allocate makes the accounts of a genesis.
func allocate(state vm.StateDB, alloc types.GenesisAlloc) error {
	for address, account := range alloc {
		balance, overflow := uint256.FromBig(account.Balance)
		if overflow {
			return fmt.Errorf("%v: balance %v", address, account.Balance)
		}
		state.AddBalance(address, balance, tracing.BalanceIncreaseGenesisBalance)
		state.SetNonce(address, account.Nonce, tracing.NonceChangeGenesis)
		state.SetCode(address, account.Code, tracing.CodeChangeGenesis)
		for slot, value := range account.Storage {
			state.SetState(address, slot, value)
		}
	}
	return nil
}

// execute runs a block on the state and publishes it. What it gave must be what
// the header says.
func (f *foreign) execute(b *types.Block) (*ethereum.Block, error) {
	parent, header := f.blocks[len(f.blocks)-1], b.Header()
	if header.ParentHash != parent.Hash() || b.NumberU64() != parent.NumberU64()+1 {
		return nil, fmt.Errorf("it does not follow block %d", parent.NumberU64())
	}
	block, err := f.store.Begin(b.NumberU64())
	if err != nil {
		return nil, err
	}
	x := f.machine.Executor(f.machine.Block(header, f.hash), nil)
	defer x.Close()
	tx := block.Tx()
	system := func(run func(*vm.EVM) error) error {
		return f.write(tx, func() error { return x.System(context.Background(), tx, run) })
	}
	ctx := context.Background()
	if err := system(func(e *vm.EVM) error {
		core.PreExecution(ctx, header.ParentBeaconRoot, parent.Header(), f.config, e, header.Number, header.Time)
		return nil
	}); err != nil {
		return nil, err
	}
	receipts, senders, err := f.transactions(x, tx, b)
	if err != nil {
		return nil, err
	}
	var requests [][]byte
	if err := system(func(e *vm.EVM) (err error) {
		var logs []*types.Log
		for _, r := range receipts {
			logs = append(logs, r.Logs...)
		}
		requests, _, err = core.PostExecution(ctx, f.config, header.Number, header.Time, logs, b.Withdrawals(), e, 0)
		f.engine.Finalize(configured{f.config}, header, e.StateDB, b.Body())
		return err
	}); err != nil {
		return nil, err
	}
	if err := f.agrees(tx, b, receipts, requests); err != nil {
		return nil, err
	}
	if err := f.publish(block, tx); err != nil {
		return nil, err
	}
	f.blocks = append(f.blocks, b)
	return shown(b, receipts, senders), nil
}

// transactions runs a block's transactions and gives their receipts.
func (f *foreign) transactions(x *evm.Executor, tx *kv.Tx, b *types.Block) (types.Receipts, []common.Address, error) {
	signer := types.MakeSigner(f.config, b.Number(), b.Time())
	var receipts types.Receipts
	var senders []common.Address
	var gas uint64
	for i, t := range b.Transactions() {
		from, err := types.Sender(signer, t)
		if err != nil {
			return nil, nil, fmt.Errorf("transaction %d: %w", i, err)
		}
		var result *evm.Result
		if err := f.write(tx, func() (err error) {
			result, err = x.Apply(tx, evm.MessageOf(t, from))
			return err
		}); err != nil {
			return nil, nil, fmt.Errorf("transaction %d: %w", i, err)
		}
		gas += result.GasUsed
		r := &types.Receipt{Type: t.Type(), Status: types.ReceiptStatusSuccessful, CumulativeGasUsed: gas, Logs: result.Logs}
		if result.Err != nil {
			r.Status = types.ReceiptStatusFailed
		}
		if !f.config.IsByzantium(b.Number()) {
			root := f.root(tx)
			r.PostState = root[:]
		}
		r.Bloom = types.CreateBloom(r)
		receipts, senders = append(receipts, r), append(senders, from)
	}
	blobFee := f.machine.Block(b.Header(), nil).BlobBaseFee
	return receipts, senders, receipts.DeriveFields(f.config, b.Hash(), b.NumberU64(), b.Time(), b.BaseFee(), blobFee, b.Transactions())
}

// agrees compares what a block gave with its header.
func (f *foreign) agrees(tx *kv.Tx, b *types.Block, receipts types.Receipts, requests [][]byte) error {
	h := b.Header()
	var gas uint64
	if len(receipts) > 0 {
		gas = receipts[len(receipts)-1].CumulativeGasUsed
	}
	if gas != h.GasUsed {
		return fmt.Errorf("gas used %d, want %d", gas, h.GasUsed)
	}
	if root := types.DeriveSha(receipts, trie.NewListHasher()); root != h.ReceiptHash {
		return fmt.Errorf("receipts root %x, want %x", root, h.ReceiptHash)
	}
	if types.MergeBloom(receipts) != h.Bloom {
		return errors.New("another bloom of the logs")
	}
	if h.RequestsHash != nil {
		if hash := types.CalcRequestsHash(requests); hash != *h.RequestsHash {
			return fmt.Errorf("requests hash %x, want %x", hash, *h.RequestsHash)
		}
	}
	if root := f.root(tx); root != h.Root {
		return fmt.Errorf("state root %x, want %x", root, h.Root)
	}
	return nil
}

// hash answers BLOCKHASH.
func (f *foreign) hash(number uint64) common.Hash {
	if number >= uint64(len(f.blocks)) {
		return common.Hash{}
	}
	return f.blocks[number].Hash()
}

// write notes which accounts and slots were written.
func (f *foreign) write(tx *kv.Tx, run func() error) error {
	if err := run(); err != nil {
		return err
	}
	for _, w := range tx.Writes() {
		if len(w.Key) == 32 { // code
			continue
		}
		address := common.Address(w.Key[:20])
		if f.touched[address] == nil {
			f.touched[address] = make(map[common.Hash]bool)
		}
		if len(w.Key) > 20 {
			f.touched[address][common.Hash(w.Key[20:])] = true
		}
	}
	return nil
}

// root is the state root of the flat state, computed with a trie that is thrown
// away: the product has none.
func (f *foreign) root(reader kv.Reader) common.Hash {
	view := f.machine.View(reader)
	alloc := make(types.GenesisAlloc)
	for address, slots := range f.touched {
		a, ok := view.Account(address)
		if !ok {
			continue
		}
		account := types.Account{Nonce: a.Nonce, Balance: a.Balance.ToBig(), Code: view.Code(address), Storage: make(map[common.Hash]common.Hash)}
		for slot := range slots {
			if value := view.Storage(address, slot); value != (common.Hash{}) {
				account.Storage[slot] = value
			}
		}
		alloc[address] = account
	}
	return (&core.Genesis{Config: f.config, Alloc: alloc, Difficulty: new(big.Int)}).ToBlock().Root()
}

func (f *foreign) publish(block *kv.Block, tx *kv.Tx) error {
	if err := tx.Commit(); err != nil {
		return err
	}
	if _, err := block.Seal(); err != nil {
		return err
	}
	return f.store.Publish(block.Height())
}

// shown is a foreign block as the methods see it, with its header as it is.
func shown(b *types.Block, receipts []*types.Receipt, senders []common.Address) *ethereum.Block {
	s := &ethereum.Block{
		Header: b.Header(), Hash: b.Hash(), Size: b.Size(), Uncles: b.Uncles(), Withdrawals: b.Withdrawals(),
		Transactions: make([]*ethereum.Transaction, len(senders)), Receipts: receipts, Outcomes: make([]*ethereum.Outcome, len(senders)),
	}
	for i, t := range b.Transactions() {
		s.Transactions[i] = &ethereum.Transaction{Transaction: t, From: senders[i]}
		s.Outcomes[i] = &ethereum.Outcome{Status: receipts[i].Status, GasUsed: receipts[i].GasUsed, From: senders[i]}
	}
	return s
}

// configured is as much of a chain as an engine wants to see.
type configured struct{ config *params.ChainConfig }

func (c configured) Config() *params.ChainConfig               { return c.config }
func (configured) CurrentHeader() *types.Header                { return nil }
func (configured) GetHeader(common.Hash, uint64) *types.Header { return nil }
func (configured) GetHeaderByNumber(uint64) *types.Header      { return nil }
func (configured) GetHeaderByHash(common.Hash) *types.Header   { return nil }
