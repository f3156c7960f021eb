package bench

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/bench/fleet"
)

// tokenCode is the creation code of token/Token.sol.
//
//go:embed token/Token.hex
var tokenCode string

// developmentKey is that of the first account of the mnemonic "test test test
// test test test test test test test test junk", which development networks of
// coco, Hardhat and Foundry fund.
const developmentKey = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

// target is a node that is set up to be measured.
type target struct {
	node     Node
	name     string
	version  string // web3_clientVersion
	signer   types.Signer
	chainID  *big.Int
	feeCap   *big.Int
	tip      *big.Int
	control  *control
	process  *process // nil when it is not on this machine
	backups  []*process
	view     uint64 // of the network, when it was placed
	accounts []account
	token    common.Address
	gas      uint64 // limit of a token transfer
	work     *workplace
	dirs     []string // data directories of the node, or of its network's with the primary's first, as far as they are known
	profiled bool
}

type account struct {
	key     *ecdsa.PrivateKey
	address common.Address
	nonce   uint64
}

func newAccount() (account, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return account{}, err
	}
	return account{key: key, address: crypto.PubkeyToAddress(key.PublicKey)}, nil
}

// dial connects to a node and gives new accounts ether and tokens.
func dial(ctx context.Context, n Node, accounts int) (_ *target, err error) {
	t := &target{node: n, control: &control{ctx: ctx}}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	if err := t.place(ctx); err != nil {
		return nil, ErrNode.From(err)
	}
	if err := t.introduce(ctx); err != nil {
		return nil, ErrNode.From(err)
	}
	bank, err := t.bank(ctx, accounts)
	if err != nil {
		return nil, err
	}
	if err := t.setUp(ctx, bank, accounts); err != nil {
		return nil, ErrSetup.From(err)
	}
	return t, nil
}

// place finds out where the node answers now, and which processes are its
// network's.
func (t *target) place(ctx context.Context) error {
	n := &t.node
	t.backups, t.dirs = nil, nil
	if n.Place != nil {
		p, err := n.Place(ctx)
		if err != nil {
			return err
		}
		entry := p.Primary
		if n.Backup && len(p.Backups) > 0 {
			entry = p.Backups[0]
		}
		n.URL, n.PID, n.Data, n.WebSocket, t.view = entry.URL, p.Primary.PID, p.Primary.Data, "", p.View
		for _, b := range p.Backups {
			t.backups = append(t.backups, &process{b.PID})
		}
		for _, b := range p.Backups {
			if b.Data != "" {
				t.dirs = append(t.dirs, b.Data)
			}
		}
	}
	if n.Data != "" {
		t.dirs = slices.Insert(t.dirs, 0, n.Data)
	}
	if n.WebSocket == "" {
		u, err := url.Parse(n.URL)
		if err != nil {
			return err
		}
		u.Scheme = map[string]string{"https": "wss"}[u.Scheme]
		if u.Scheme == "" {
			u.Scheme = "ws"
		}
		n.WebSocket = u.String()
	}
	t.control.move(n.URL)
	t.process = findProcess(*n)
	return nil
}

func (t *target) close() { t.control.close() }

// introduce asks what kind of node it is, and whether it speaks WebSocket.
func (t *target) introduce(ctx context.Context) error {
	ws, err := dialWebSocket(ctx, t.node.WebSocket)
	if err != nil {
		return err
	}
	ws.close()
	var id, price hexutil.Big
	if err := errors.Join(
		call(t.control, &t.version, "web3_clientVersion"),
		call(t.control, &id, "eth_chainId"),
		call(t.control, &price, "eth_gasPrice"),
	); err != nil {
		return err
	}
	t.chainID = id.ToInt()
	t.signer = types.LatestSignerForChainID(t.chainID)
	// Room for the base fee to rise; where gas is free everything stays zero.
	t.feeCap = new(big.Int).Mul(price.ToInt(), big.NewInt(10))
	t.tip = big.NewInt(int64(min(1, t.feeCap.Sign())))
	if t.name = t.node.Name; t.name == "" {
		t.name, _, _ = strings.Cut(strings.ToLower(t.version), "/")
	}
	return nil
}

func (t *target) info() NodeInfo {
	info := NodeInfo{Name: t.name, URL: t.node.URL, Version: t.version}
	if t.process != nil {
		info.PID = t.process.pid
	}
	return info
}

// share is the ether of one account, in wei: enough for the fees of some ten
// thousand transactions, next to nothing where gas is free.
func (t *target) share() *big.Int {
	if t.feeCap.Sign() == 0 {
		return big.NewInt(1e15)
	}
	return new(big.Int).Mul(big.NewInt(10), big.NewInt(1e18))
}

// bank is the account that funds the others.
func (t *target) bank(ctx context.Context, accounts int) (account, error) {
	need := new(big.Int).Mul(t.share(), big.NewInt(int64(accounts)+10))
	hexKey := strings.TrimPrefix(t.node.Key, "0x")
	if hexKey == "" {
		var own []common.Address
		if err := call(t.control, &own, "eth_accounts"); err == nil && len(own) > 0 {
			if bank, err := t.borrow(ctx, own[0], need); err == nil {
				return bank, nil
			}
		}
		hexKey = developmentKey
	}
	key, err := crypto.HexToECDSA(hexKey)
	if err != nil {
		return account{}, ErrFunds.From(errors.New("the private key is not 64 hex digits"))
	}
	bank := account{key: key, address: crypto.PubkeyToAddress(key.PublicKey)}
	var balance hexutil.Big
	if err := call(t.control, &balance, "eth_getBalance", bank.address, "latest"); err != nil {
		return account{}, ErrNode.From(err)
	}
	if balance.ToInt().Cmp(need) < 0 {
		return account{}, ErrFunds.From(fmt.Errorf("%s has %v wei of the %v needed", bank.address, balance.ToInt(), need))
	}
	return bank, nil
}

// borrow has the node itself send ether to a new account from one it holds the
// key of.
func (t *target) borrow(ctx context.Context, from common.Address, need *big.Int) (account, error) {
	bank, err := newAccount()
	if err != nil {
		return bank, err
	}
	err = call(t.control, nil, "eth_sendTransaction", map[string]any{"from": from, "to": bank.address, "value": (*hexutil.Big)(need)})
	if err != nil {
		return bank, err
	}
	return bank, poll(ctx, func() (bool, error) {
		var balance hexutil.Big
		err := call(t.control, &balance, "eth_getBalance", bank.address, "latest")
		return balance.ToInt().Sign() > 0, err
	})
}

// setUp deploys the token and hands out ether and tokens.
func (t *target) setUp(ctx context.Context, bank account, accounts int) error {
	var nonce hexutil.Uint64
	if err := call(t.control, &nonce, "eth_getTransactionCount", bank.address, "pending"); err != nil {
		return err
	}
	bank.nonce = uint64(nonce)
	for range accounts {
		a, err := newAccount()
		if err != nil {
			return err
		}
		t.accounts = append(t.accounts, a)
	}

	code, err := hex.DecodeString(strings.TrimSpace(tokenCode))
	if err != nil {
		return err
	}
	supply := new(big.Int).Lsh(big.NewInt(1), 200)
	code = append(code, common.BigToHash(supply).Bytes()...)
	gas, err := t.estimate(map[string]any{"from": bank.address, "data": hexutil.Bytes(code)})
	if err != nil {
		return err
	}
	t.token = crypto.CreateAddress(bank.address, bank.nonce)
	if err := t.pay(ctx, &bank, []types.TxData{t.transaction(bank.nonce, nil, nil, code, gas)}); err != nil {
		return err
	}

	share := new(big.Int).Div(supply, big.NewInt(int64(accounts)+1))
	first := transferData(t.accounts[0].address, share)
	if t.gas, err = t.estimate(map[string]any{"from": bank.address, "to": t.token, "data": hexutil.Bytes(first)}); err != nil {
		return err
	}
	var payments []types.TxData
	for _, a := range t.accounts {
		next := bank.nonce + uint64(len(payments))
		payments = append(payments,
			t.transaction(next, &a.address, t.share(), nil, 100_000),
			t.transaction(next+1, &t.token, nil, transferData(a.address, share), t.gas))
	}
	if err := t.pay(ctx, &bank, payments); err != nil {
		return err
	}
	last := t.accounts[accounts-1].address
	var balance hexutil.Bytes
	query := map[string]any{"to": t.token, "data": hexutil.Bytes(append(crypto.Keccak256([]byte("balanceOf(address)"))[:4], common.LeftPadBytes(last.Bytes(), 32)...))}
	if err := call(t.control, &balance, "eth_call", query, "latest"); err != nil {
		return err
	}
	if new(big.Int).SetBytes(balance).Cmp(share) != 0 {
		return errors.New("the token did not arrive at the last account")
	}
	return nil
}

// estimate is a gas limit with some room.
func (t *target) estimate(message map[string]any) (uint64, error) {
	var gas hexutil.Uint64
	err := call(t.control, &gas, "eth_estimateGas", message)
	return uint64(gas) + uint64(gas)/4, err
}

func (t *target) transaction(nonce uint64, to *common.Address, value *big.Int, data []byte, gas uint64) types.TxData {
	return &types.DynamicFeeTx{
		ChainID: t.chainID, Nonce: nonce, GasTipCap: t.tip, GasFeeCap: t.feeCap,
		Gas: gas, To: to, Value: value, Data: data,
	}
}

// pay sends an account's transactions, a few at a time, and waits until they
// are committed.
func (t *target) pay(ctx context.Context, from *account, payments []types.TxData) (err error) {
	for len(payments) > 0 {
		n := min(maxWaiting, len(payments))
		params := make([][]any, n)
		for i := range params {
			if params[i], err = t.signed(from, payments[i]); err != nil {
				return err
			}
		}
		if _, err := callMany(t.control, "eth_sendRawTransaction", params); err != nil {
			return err
		}
		payments = payments[n:]
		if err := t.settle(ctx, from); err != nil {
			return err
		}
	}
	return nil
}

// signed makes the parameters of eth_sendRawTransaction. The account's next
// transaction is the one after it.
func (t *target) signed(from *account, data types.TxData) ([]any, error) {
	tx, err := types.SignNewTx(from.key, t.signer, data)
	if err != nil {
		return nil, err
	}
	from.nonce++
	raw, err := tx.MarshalBinary()
	return []any{hexutil.Bytes(raw)}, err
}

// settle waits until what an account sent is committed.
func (t *target) settle(ctx context.Context, from *account) error {
	return poll(ctx, func() (bool, error) {
		var nonce hexutil.Uint64
		err := call(t.control, &nonce, "eth_getTransactionCount", from.address, "latest")
		return uint64(nonce) >= from.nonce, err
	})
}

// refresh reads the accounts' next nonces.
func (t *target) refresh() error {
	const many = 100
	for lo := 0; lo < len(t.accounts); lo += many {
		accounts := t.accounts[lo:min(lo+many, len(t.accounts))]
		params := make([][]any, len(accounts))
		for i, a := range accounts {
			params[i] = []any{a.address, "pending"}
		}
		answers, err := callMany(t.control, "eth_getTransactionCount", params)
		if err != nil {
			return err
		}
		for i, a := range answers {
			var nonce hexutil.Uint64
			if err := nonce.UnmarshalJSON(a); err != nil {
				return err
			}
			accounts[i].nonce = uint64(nonce)
		}
	}
	return nil
}

// transferData is the call of ERC-20's transfer.
func transferData(to common.Address, value *big.Int) []byte {
	data := make([]byte, 0, 68)
	data = append(data, 0xa9, 0x05, 0x9c, 0xbb) // transfer(address,uint256)
	data = append(data, common.LeftPadBytes(to.Bytes(), 32)...)
	return append(data, common.BigToHash(value).Bytes()...)
}

// patience is how long a node may make no progress before it is given up.
const patience = 15 * time.Second

// poll asks until the answer is yes.
func poll(ctx context.Context, ask func() (bool, error)) error {
	yes, err := fleet.Until(ctx, patience, ask)
	if err == nil && !yes {
		err = errors.New("the node did not commit a transaction in time")
	}
	return err
}

// dialAll sets up every node, with so many accounts, under names that differ. Leave
// ends the connections.
func dialAll(ctx context.Context, nodes []Node, accounts int, progress io.Writer) (all []*target, leave func(), err error) {
	if len(nodes) == 0 {
		return nil, nil, ErrNode.From(errors.New("no node was named"))
	}
	leave = func() {
		for _, t := range all {
			t.close()
		}
	}
	for _, n := range nodes {
		fmt.Fprintf(progress, "setting up %d accounts and a token at %s\n", accounts, cmp.Or(n.URL, n.Name))
		t, err := dial(ctx, n, accounts)
		if err != nil {
			leave()
			return nil, nil, err
		}
		for slices.ContainsFunc(all, func(other *target) bool { return other.name == t.name }) {
			t.name += "'"
		}
		all = append(all, t)
	}
	return all, leave, nil
}
