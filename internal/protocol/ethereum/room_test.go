package ethereum_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/test/contracts"
)

var accounts = ethereum.DevelopmentAccounts()

func TestDevelopmentAccounts(t *testing.T) {
	if len(accounts) != 10 {
		t.Fatalf("%d accounts", len(accounts))
	}
	want := map[int][2]string{ // as every development tool prints them
		0: {"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"},
		9: {"0xa0Ee7A142d267C1f36714E4a8F75612F20a79720", "2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"},
	}
	for i, w := range want {
		if a := accounts[i]; a.Address.Hex() != w[0] || hex.EncodeToString(crypto.FromECDSA(a.Key)) != w[1] {
			t.Errorf("account %d is %v", i, a.Address)
		}
	}
}

func TestGenesis(t *testing.T) {
	l := ethereumtest.New(t)
	b := decode(t, l, 0)
	if b.Number() != 0 || b.Header.ParentHash != (common.Hash{}) || len(b.Transactions) != 0 {
		t.Errorf("genesis is %+v", b.Header)
	}
	view := l.Store.Pin()
	defer view.Release()
	a, ok := l.Machine.View(view).Account(accounts[3].Address)
	if want := "10000000000000000000000"; !ok || a.Balance.Dec() != want || a.Nonce != 0 {
		t.Errorf("account 3 has %v, want %v", a.Balance.Dec(), want)
	}
}

// The story of a contract: deployed, used, failing, with all types of
// transaction, in blocks that also hold nothing.
func story(t *testing.T, l *ethereumtest.Ledger) []*sequencer.Committed {
	token := crypto.CreateAddress(accounts[0].Address, 0)
	chainID := big.NewInt(ethereum.DevelopmentChainID)
	transfer := contracts.Token.Call("transfer", accounts[1].Address, big.NewInt(5))
	auth, err := types.SignSetCode(accounts[2].Key, types.SetCodeAuthorization{
		ChainID: *uint256.NewInt(ethereum.DevelopmentChainID), Address: token,
	})
	if err != nil {
		t.Fatal(err)
	}
	return []*sequencer.Committed{
		l.Commit(t, ethereumtest.Sign(t, accounts[0].Key, &types.LegacyTx{
			Gas: 3_000_000, GasPrice: big.NewInt(1e9), Data: contracts.Token.Deploy("Token", "TOK", big.NewInt(100)),
		})),
		l.Commit(t),
		l.Commit(t,
			ethereumtest.Sign(t, accounts[0].Key, &types.DynamicFeeTx{
				ChainID: chainID, Nonce: 1, Gas: 100_000, GasFeeCap: big.NewInt(9), GasTipCap: big.NewInt(1), To: &token, Data: transfer,
			}),
			ethereumtest.Sign(t, accounts[3].Key, &types.AccessListTx{ // has no tokens: fails
				ChainID: chainID, Gas: 100_000, GasPrice: new(big.Int), To: &token, Data: transfer,
				AccessList: types.AccessList{{Address: token, StorageKeys: []common.Hash{{1}}}},
			}),
			ethereumtest.Sign(t, accounts[4].Key, &types.SetCodeTx{
				ChainID: uint256.MustFromBig(chainID), Gas: 100_000, GasFeeCap: new(uint256.Int), GasTipCap: new(uint256.Int),
				To: accounts[5].Address, Value: uint256.NewInt(7), AuthList: []types.SetCodeAuthorization{auth},
			}),
			ethereumtest.Sign(t, accounts[5].Key, &types.LegacyTx{Gas: 30_000, GasPrice: new(big.Int), To: &token}), // no such method, no gas
			ethereumtest.Sign(t, accounts[0].Key, &types.LegacyTx{Nonce: 2, Gas: 100_000, To: &token, Data: transfer}),
		),
	}
}

// What the executing node keeps and what every other node decodes are the same.
func TestDecodeEqualsExecuted(t *testing.T) {
	l := ethereumtest.New(t)
	for _, c := range story(t, l) {
		executed, err := ethereum.FromCommitted(c)
		if err != nil {
			t.Fatal(err)
		}
		if executed.Header != c.Artefacts[ethereum.Protocol].(*ethereum.Block).Header {
			t.Error("the block was decoded although it was executed here")
		}
		decoded := decode(t, l, c.Header.Height)
		if a, b := text(t, executed), text(t, decoded); a != b {
			t.Errorf("block %d:\nexecuted %s\n decoded %s", c.Header.Height, a, b)
		}
	}
}

func TestBlocks(t *testing.T) {
	l := ethereumtest.New(t)
	committed := story(t, l)
	parent := decode(t, l, 0)
	for _, c := range committed {
		b := decode(t, l, c.Header.Height)
		h := b.Header
		if h.ParentHash != parent.Hash || h.Hash() != b.Hash || h.Number.Uint64() != c.Header.Height {
			t.Errorf("block %d does not follow", b.Number())
		}
		if h.Time != c.Header.Time/1e9 || h.GasLimit != ethereum.BlockGas || h.BaseFee.Sign() != 0 || h.Bloom != (types.Bloom{}) {
			t.Errorf("header %+v", h)
		}
		if want := fmt.Sprintf("%016x%016x", c.Header.View, c.Header.FirstSeqno); hex.EncodeToString(h.Extra) != want {
			t.Errorf("extra data %x, want %s", h.Extra, want)
		}
		// Clients recompute the hash from the JSON fields.
		var again types.Header
		if data, err := json.Marshal(h); err != nil || json.Unmarshal(data, &again) != nil || again.Hash() != b.Hash {
			t.Errorf("the hash of block %d does not follow from its JSON", b.Number())
		}
		parent = b
	}
	deploy, use := decode(t, l, 1), decode(t, l, 3)
	token := crypto.CreateAddress(accounts[0].Address, 0)
	if r := deploy.Receipts[0]; r.Status != 1 || r.ContractAddress != token || len(r.Logs) != 1 {
		t.Errorf("deployment %+v", r)
	}
	if o := use.Outcomes[1]; o.Failure != "execution reverted" || evm.RevertReason(o.Output) != "transfer amount exceeds balance" {
		t.Errorf("failure %q %x", o.Failure, o.Output)
	}
	if log := use.Receipts[0].Logs[0]; log.BlockHash != use.Hash || log.TxHash != use.Transactions[0].Hash() || log.Address != token {
		t.Errorf("log %+v", log)
	}
	var gas uint64
	var logs uint
	var statuses []uint64
	for i, r := range use.Receipts {
		gas += r.GasUsed
		statuses = append(statuses, r.Status)
		for _, l := range r.Logs {
			if l.Index != logs || l.TxIndex != uint(i) {
				t.Errorf("log %d is %+v", logs, l)
			}
			logs++
		}
		if r.CumulativeGasUsed != gas || r.TransactionIndex != uint(i) || use.Transactions[i].From == (common.Address{}) {
			t.Errorf("receipt %d: %+v", i, r)
		}
	}
	if fmt.Sprint(statuses) != "[1 0 1 0 1]" || logs != 2 {
		t.Errorf("statuses %v, %d logs", statuses, logs)
	}
	if use.Header.GasUsed != gas {
		t.Errorf("block used %d gas, its transactions %d", use.Header.GasUsed, gas)
	}
	if id := use.TxIDs[2]; id.View != 2 || id.Seqno != 6 {
		t.Errorf("TxID %+v", id)
	}
	// Gas is free: accounts only lost what they sent.
	a, _ := l.Machine.View(l.Store.Speculative()).Account(accounts[0].Address)
	if a.Balance.Dec() != "10000000000000000000000" || a.Nonce != 3 {
		t.Errorf("account 0 has %v and nonce %d", a.Balance.Dec(), a.Nonce)
	}
	if code := l.Machine.View(l.Store.Speculative()).Code(accounts[2].Address); !bytes.Equal(code, types.AddressToDelegation(token)) {
		t.Errorf("account 2 delegates to %x", code)
	}
}

func TestRefusals(t *testing.T) {
	l := ethereumtest.New(t)
	part, block := l.Open(t)
	defer block.Discard()
	key, poor := accounts[0].Key, accounts[1].Address
	blob := hex.EncodeToString([]byte{types.BlobTxType, 0xc0})
	cases := map[string]struct {
		raw  []byte
		code problem.Code
	}{
		"nonce ahead":   {ethereumtest.Sign(t, key, &types.LegacyTx{Nonce: 1, Gas: 21000, To: &poor}), "NONCE_TOO_HIGH"},
		"value":         {ethereumtest.Sign(t, key, &types.LegacyTx{Gas: 21000, To: &poor, Value: new(big.Int).Lsh(common.Big1, 100)}), "INSUFFICIENT_FUNDS"},
		"little gas":    {ethereumtest.Sign(t, key, &types.LegacyTx{Gas: 20999, To: &poor}), "INTRINSIC_GAS"},
		"much gas":      {ethereumtest.Sign(t, key, &types.LegacyTx{Gas: evm.MaxTransactionGas + 1, To: &poor}), "GAS_LIMIT_TOO_HIGH"},
		"not a tx":      {[]byte("hello"), "ETHEREUM_TRANSACTION"},
		"blob":          {common.FromHex(blob), "ETHEREUM_TRANSACTION"},
		"empty":         {nil, "ETHEREUM_TRANSACTION"},
		"another chain": {otherChain(t), "ETHEREUM_TRANSACTION"},
	}
	for name, c := range cases {
		tx := block.Tx()
		_, err := part.Execute(tx, &sequencer.Request{Bytes: c.raw})
		if problem.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
		if writes := tx.Writes(); len(writes) > 0 {
			t.Errorf("%s: wrote %d keys", name, len(writes))
		}
		tx.Discard()
	}
	good := ethereumtest.Sign(t, key, &types.LegacyTx{Gas: 21000, To: &poor})
	tx := block.Tx()
	if _, err := part.Execute(tx, &sequencer.Request{Bytes: good}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, err := part.Execute(block.Tx(), &sequencer.Request{Bytes: good}); problem.CodeOf(err) != "NONCE_TOO_LOW" {
		t.Errorf("the same again: %v", err)
	}
	_, artefact := part.Close()
	if b := artefact.(*ethereum.Block); len(b.Transactions) != 1 {
		t.Errorf("%d transactions in the block", len(b.Transactions))
	}
}

func otherChain(t *testing.T) []byte {
	tx, err := types.SignNewTx(accounts[0].Key, types.NewPragueSigner(big.NewInt(1)), &types.LegacyTx{Gas: 21000, To: &common.Address{}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Contracts written to do harm are transactions like others: they end, and what
// comes after them runs.
func TestHostileContracts(t *testing.T) {
	ops := func(code ...any) (b []byte) {
		for _, c := range code {
			switch c := c.(type) {
			case vm.OpCode:
				b = append(b, byte(c))
			case int:
				b = append(b, byte(c))
			case []byte:
				b = append(b, c...)
			}
		}
		return b
	}
	self := ops(vm.PUSH1, 0, vm.DUP1, vm.DUP1, vm.DUP1, vm.DUP1, vm.ADDRESS, vm.GAS, vm.CALL)
	programs := map[string][]byte{
		"loops":         ops(vm.JUMPDEST, vm.PUSH1, 0, vm.JUMP),
		"recurses":      ops(vm.JUMPDEST, self, vm.POP, vm.PUSH1, 0, vm.JUMP),
		"allocates":     ops(vm.JUMPDEST, vm.MSIZE, vm.PUSH1, 1, vm.SHL, vm.PUSH1, 0x40, vm.ADD, vm.MLOAD, vm.POP, vm.PUSH1, 0, vm.JUMP),
		"allocates all": ops(vm.PUSH32, bytes.Repeat([]byte{0xff}, 32), vm.MLOAD),
		"self-destructs": ops(vm.JUMPDEST, vm.PUSH1, 0, vm.DUP1, vm.DUP1, vm.CREATE, vm.POP, // and makes contracts that do
			vm.PUSH2, 0x30, 0xff, vm.PUSH1, 0, vm.MSTORE, vm.PUSH1, 2, vm.PUSH1, 30, vm.PUSH1, 0, vm.CREATE, vm.POP, vm.PUSH1, 0, vm.JUMP),
		"clones itself": ops(vm.JUMPDEST, vm.CODESIZE, vm.PUSH1, 0, vm.PUSH1, 0, vm.CODECOPY, vm.CODESIZE, vm.PUSH1, 0, vm.PUSH1, 0, vm.CREATE, vm.POP, vm.PUSH1, 0, vm.JUMP),
		"logs":          ops(vm.JUMPDEST, vm.PUSH2, 4, 0, vm.PUSH1, 0, vm.LOG0, vm.PUSH1, 0, vm.JUMP),
		"writes":        ops(vm.JUMPDEST, vm.GAS, vm.GAS, vm.SSTORE, vm.PUSH1, 0, vm.JUMP),
		"reverts a lot": ops(vm.PUSH3, 1, 0, 0, vm.PUSH1, 0, vm.REVERT),
		"underflows":    ops(vm.ADD),
		"unknown":       ops(0xfe),
	}
	l := ethereumtest.New(t)
	var raw [][]byte
	nonces := make(map[int]uint64)
	sign := func(from int, data []byte, gas uint64) {
		raw = append(raw, ethereumtest.Sign(t, accounts[from].Key, &types.LegacyTx{Nonce: nonces[from], Gas: gas, Data: data}))
		nonces[from]++
	}
	for name, program := range programs {
		raw = nil
		sign(0, program, evm.MaxTransactionGas/4)
		sign(1, nil, 60_000)
		b := commit(t, l, raw...)
		if name != "self-destructs" && b.Receipts[0].Status != 0 {
			t.Errorf("%s: succeeded", name)
		}
		if b.Receipts[0].GasUsed > evm.MaxTransactionGas/4 || b.Receipts[1].Status != 1 {
			t.Errorf("%s: took %d gas, the next has status %d", name, b.Receipts[0].GasUsed, b.Receipts[1].Status)
		}
		if o := b.Outcomes[0]; len(o.Output) > 1<<10 {
			t.Errorf("%s: %d bytes of output are kept", name, len(o.Output))
		}
	}
}

// A block takes no more as soon as it could not take every transaction.
func TestFull(t *testing.T) {
	l := ethereumtest.New(t)
	part, block := l.Open(t)
	defer block.Discard()
	var used uint64
	for nonce := uint64(0); !part.Full(); nonce++ {
		if used > ethereum.BlockGas-evm.MaxTransactionGas {
			t.Fatalf("not full with %d gas used", used)
		}
		tx := block.Tx()
		r, err := part.Execute(tx, &sequencer.Request{Bytes: ethereumtest.Sign(t, accounts[0].Key, &types.LegacyTx{
			Nonce: nonce, Gas: evm.MaxTransactionGas, Data: []byte{0xfe},
		})})
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		used += r.Gas
	}
	if used+evm.MaxTransactionGas <= ethereum.BlockGas {
		t.Errorf("full with %d gas used", used)
	}
}

// Blocks are built on blocks that are not committed; what is rolled back is
// forgotten, and a new view builds on what is committed.
func TestSpeculativeParents(t *testing.T) {
	l := ethereumtest.New(t)
	genesis := decode(t, l, 0)
	open := func(height, view uint64) *ethereum.Block {
		slot := l.Slot()
		slot.Height, slot.View = height, view
		_, artefact := l.Room.Open(slot).Close()
		return artefact.(*ethereum.Block)
	}
	one := open(1, 2)
	two := open(2, 2)
	if one.Header.ParentHash != genesis.Hash || two.Header.ParentHash != one.Hash {
		t.Error("parents are wrong")
	}
	l.Room.Rollback(1)
	if again := open(2, 2); again.Header.ParentHash != one.Hash {
		t.Error("block 1 was forgotten")
	}
	l.Room.Rollback(0)
	own := l.Room
	l.Room = ethereum.NewRoom(l.Machine, ethereum.DevelopmentChainID, func(uint64) (common.Hash, error) { return genesis.Hash, nil })
	l.Clock += 5e9
	committed := commit(t, l) // a block 1 of another node
	l.Room = own
	if two := open(2, 2); two.Header.ParentHash != committed.Hash {
		t.Error("a block that was rolled back is still a parent")
	}
	if open(1, 3).Hash == committed.Hash {
		t.Fatal("the blocks are the same")
	}
	if two := open(2, 4); two.Header.ParentHash != committed.Hash {
		t.Error("a block of an older view is still a parent")
	}
}

// BLOCKHASH knows the last 256 blocks, committed or not.
func TestBlockHash(t *testing.T) {
	l := ethereumtest.New(t)
	for l.Height() < 300 {
		commit(t, l)
	}
	// The code logs BLOCKHASH of the number in its call data, which is its value.
	for back, known := range map[uint64]bool{1: true, 2: true, 256: true, 257: false, 0: false} {
		number := l.Height() + 1 - back
		code := []byte{byte(vm.PUSH2), byte(number >> 8), byte(number), byte(vm.BLOCKHASH), byte(vm.PUSH1), 0, byte(vm.DUP1), byte(vm.LOG1)}
		nonce := uint64(0)
		if a, ok := l.Machine.View(l.Store.Speculative()).Account(accounts[6].Address); ok {
			nonce = a.Nonce
		}
		b := commit(t, l, ethereumtest.Sign(t, accounts[6].Key, &types.LegacyTx{Nonce: nonce, Gas: 100_000, Data: code}))
		var want common.Hash
		if known {
			want = decode(t, l, number).Hash
		}
		if got := b.Receipts[0].Logs[0].Topics[0]; got != want {
			t.Errorf("hash of %d blocks back is %v, want %v", back, got, want)
		}
	}
}

// Every claim that the registry lists for Ethereum is made, with its value.
func TestClaims(t *testing.T) {
	l := ethereumtest.New(t)
	story(t, l)
	part, block := l.Open(t)
	defer block.Discard()
	token := crypto.CreateAddress(accounts[0].Address, 0)
	raw := ethereumtest.Sign(t, accounts[0].Key, &types.LegacyTx{
		Nonce: 3, Gas: 100_000, To: &token, Data: contracts.Token.Call("transfer", accounts[9].Address, big.NewInt(1)),
	})
	r, err := part.Execute(block.Tx(), &sequencer.Request{Bytes: raw})
	if err != nil {
		t.Fatal(err)
	}
	_, artefact := part.Close()
	b := artefact.(*ethereum.Block)
	log := b.Receipts[0].Logs[0]
	encoded, err := rlp.EncodeToBytes([]any{log.Address, log.Topics, log.Data})
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64][]byte{
		proof.FieldEthereumHash:      b.Receipts[0].TxHash[:],
		proof.FieldEthereumStatus:    {1},
		proof.FieldEthereumFrom:      accounts[0].Address[:],
		proof.FieldEthereumTo:        token[:],
		proof.FieldEthereumValue:     nil,
		proof.FieldEthereumNonce:     {3},
		proof.FieldEthereumGas:       new(big.Int).SetUint64(b.Receipts[0].GasUsed).Bytes(),
		proof.FieldEthereumCreated:   nil,
		proof.FieldEthereumLogCount:  {1},
		proof.FieldEthereumLog:       encoded,
		proof.FieldEthereumEffective: {byte(b.Number())},
	}
	if len(r.Claims) != len(want) {
		t.Errorf("%d claims, want %d", len(r.Claims), len(want))
	}
	for _, c := range r.Claims {
		if value, ok := want[c.Field]; !ok || !bytes.Equal(value, c.Value) || c.Index != 0 {
			t.Errorf("%s is %x, want %x", proof.FieldName(c.Field), c.Value, value)
		}
	}
}

// A record that does not fit its block is noticed.
func TestDecodeNoticesDamage(t *testing.T) {
	l := ethereumtest.New(t)
	story(t, l)
	damages := map[string]func(p *format.Private){
		"another request": func(p *format.Private) {
			p.Request = ethereumtest.Sign(t, accounts[7].Key, &types.LegacyTx{Gas: 21000, To: &common.Address{}})
		},
		"another outcome": func(p *format.Private) { p.Outcome[2] ^= 1 },
		"no outcome":      func(p *format.Private) { p.Outcome = nil },
		"no events":       func(p *format.Private) { p.Events = []byte{0x80} },
		"another id":      func(p *format.Private) { p.NativeID = make([]byte, 32) },
	}
	for name, damage := range damages {
		b, err := l.Block(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		damage(b.Records[0].Private)
		if _, err := ethereum.Decode(b); err == nil {
			t.Errorf("%s is not noticed", name)
		}
	}
	b, err := l.Block(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	b.Section = nil
	if _, err := ethereum.Decode(b); problem.CodeOf(err) != "ETHEREUM_BLOCK" {
		t.Errorf("without a section: %v", err)
	}
}

func commit(t *testing.T, l *ethereumtest.Ledger, raw ...[]byte) *ethereum.Block {
	t.Helper()
	b, err := ethereum.FromCommitted(l.Commit(t, raw...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t *testing.T, l *ethereumtest.Ledger, height uint64) *ethereum.Block {
	t.Helper()
	opened, err := l.Block(t.Context(), height)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ethereum.Decode(opened)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// text is everything about a block.
func text(t *testing.T, b *ethereum.Block) string {
	t.Helper()
	var senders []common.Address
	var transactions []*types.Transaction
	for _, tx := range b.Transactions {
		senders, transactions = append(senders, tx.From), append(transactions, tx.Transaction)
	}
	data, err := json.Marshal([]any{b.Header, b.Hash, transactions, senders, b.Receipts, b.TxIDs, b.Size})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range b.Outcomes {
		data = fmt.Appendf(data, " %#v", *o)
	}
	return string(data)
}
