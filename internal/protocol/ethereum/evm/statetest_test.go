package evm

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/consensus/misc/eip4844"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	ethtests "github.com/ethereum/go-ethereum/tests"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/kv"
)

// COCO_STATETESTS names a directory of state tests: GeneralStateTests of
// ethereum/tests, or state_tests of execution-spec-tests, or both.
const stateTestsVariable = "COCO_STATETESTS"

// skipped are the tests that go-ethereum's own runner leaves out as well, each a
// case that a chain cannot reach: a contract is created at an address that has
// storage but neither code nor nonce. They are counted apart.
var skipped = []string{
	"RevertInCreateInInit", "InitCollisionParis", "dynamicAccountOverwriteEmpty_Paris", "create2collisionStorageParis",
}

// TestStateTests runs the fixtures of testdata/statetests, always, and those of
// the directory named by COCO_STATETESTS.
func TestStateTests(t *testing.T) {
	dirs := []string{filepath.Join("testdata", "statetests")}
	if dir := os.Getenv(stateTestsVariable); dir != "" {
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			tally := runStateTests(t, dir)
			if tally.passed() == 0 {
				t.Fatalf("no state test in %s", dir)
			}
			t.Logf("%s", tally)
		})
	}
}

// tally counts cases by fork.
type tally struct {
	sync.Mutex
	forks map[string]*[3]int // passed, failed, skipped
}

func (c *tally) add(fork string, what int) {
	c.Lock()
	defer c.Unlock()
	if c.forks[fork] == nil {
		c.forks[fork] = new([3]int)
	}
	c.forks[fork][what]++
}

func (c *tally) passed() (n int) {
	for _, f := range c.forks {
		n += f[0]
	}
	return n
}

func (c *tally) String() string {
	var lines []string
	for fork, n := range c.forks {
		lines = append(lines, fmt.Sprintf("%s: %d passed, %d failed, %d skipped", fork, n[0], n[1], n[2]))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func runStateTests(t *testing.T, dir string) *tally {
	var files []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".json") && filepath.Base(filepath.Dir(path)) != ".meta" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	counts := &tally{forks: make(map[string]*[3]int)}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			bench := newStateBench(t)
			for n := next.Add(1); n <= int64(len(files)); n = next.Add(1) {
				bench.file(t, files[n-1], counts)
			}
		})
	}
	workers.Wait()
	return counts
}

// fixture is one test of a file, in either format.
type fixture struct {
	Env  fixtureEnv                   `json:"env"`
	Pre  types.GenesisAlloc           `json:"pre"`
	Tx   fixtureTx                    `json:"transaction"`
	Post map[string][]json.RawMessage `json:"post"`
}

type fixtureEnv struct {
	Coinbase      common.Address        `json:"currentCoinbase"`
	Difficulty    *math.HexOrDecimal256 `json:"currentDifficulty"`
	Random        *math.HexOrDecimal256 `json:"currentRandom"`
	GasLimit      math.HexOrDecimal64   `json:"currentGasLimit"`
	Number        math.HexOrDecimal64   `json:"currentNumber"`
	Timestamp     math.HexOrDecimal64   `json:"currentTimestamp"`
	BaseFee       *math.HexOrDecimal256 `json:"currentBaseFee"`
	ExcessBlobGas *math.HexOrDecimal64  `json:"currentExcessBlobGas"`
}

type fixtureTx struct {
	GasPrice      *math.HexOrDecimal256    `json:"gasPrice"`
	FeeCap        *math.HexOrDecimal256    `json:"maxFeePerGas"`
	TipCap        *math.HexOrDecimal256    `json:"maxPriorityFeePerGas"`
	Nonce         *math.HexOrDecimal256    `json:"nonce"`
	To            string                   `json:"to"`
	Data          []string                 `json:"data"`
	AccessLists   []*types.AccessList      `json:"accessLists"`
	GasLimit      []math.HexOrDecimal64    `json:"gasLimit"`
	Value         []string                 `json:"value"`
	SecretKey     hexutil.Bytes            `json:"secretKey"`
	Sender        *common.Address          `json:"sender"`
	BlobHashes    []common.Hash            `json:"blobVersionedHashes"`
	BlobFeeCap    *math.HexOrDecimal256    `json:"maxFeePerBlobGas"`
	Authorization *[]*fixtureAuthorization `json:"authorizationList"`
}

type fixtureAuthorization struct {
	ChainID *math.HexOrDecimal256 `json:"chainId"`
	Address common.Address        `json:"address"`
	Nonce   math.HexOrDecimal64   `json:"nonce"`
	V       math.HexOrDecimal64   `json:"v"`
	R       *math.HexOrDecimal256 `json:"r"`
	S       *math.HexOrDecimal256 `json:"s"`
}

type fixturePost struct {
	Hash      common.Hash   `json:"hash"`
	Logs      common.Hash   `json:"logs"`
	TxBytes   hexutil.Bytes `json:"txbytes"`
	Exception string        `json:"expectException"`
	Indexes   struct {
		Data  int `json:"data"`
		Gas   int `json:"gas"`
		Value int `json:"value"`
	} `json:"indexes"`
}

// stateBench runs cases on one store, each in a block that is dropped again.
type stateBench struct {
	store *kv.Store
	codes *codeCache
	ids   tableIDs
}

func newStateBench(t *testing.T) *stateBench {
	store, err := kv.New(Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Apply(0, nil); err != nil {
		t.Fatal(err)
	}
	ids, err := idsOf(store)
	if err != nil {
		t.Fatal(err)
	}
	return &stateBench{store, newCodeCache(), ids}
}

func (b *stateBench) file(t *testing.T, path string, counts *tally) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	var fixtures map[string]json.RawMessage
	if err := json.Unmarshal(data, &fixtures); err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	skip := slices.ContainsFunc(skipped, func(name string) bool { return strings.Contains(path, name) })
	for name, raw := range fixtures {
		var f fixture
		if err := json.Unmarshal(raw, &f); err != nil {
			t.Errorf("%s: %s: %v", path, name, err)
			continue
		}
		for fork, posts := range f.Post {
			for i := range posts {
				if skip {
					counts.add(fork, 2)
				} else if err := b.run(&f, fork, posts[i]); err != nil {
					counts.add(fork, 1)
					t.Errorf("%s: %s: %s/%d: %v", path, name, fork, i, err)
				} else {
					counts.add(fork, 0)
				}
			}
		}
	}
}

// begin opens a block and puts accounts into its first transaction, which is left
// open. End takes all of it back.
func (b *stateBench) begin(alloc types.GenesisAlloc) (block *kv.Block, pre *kv.Tx, end func(), err error) {
	if block, err = b.store.Begin(1); err != nil {
		return nil, nil, nil, err
	}
	end = func() {
		block.Discard()
		b.store.Rollback(0)
	}
	pre = block.Tx()
	for address, account := range alloc {
		if err := b.put(pre, address, account); err != nil {
			end()
			return nil, nil, nil, err
		}
	}
	return block, pre, end, nil
}

// run runs one case and compares state and logs.
func (b *stateBench) run(f *fixture, fork string, raw json.RawMessage) error {
	var post fixturePost
	if err := json.Unmarshal(raw, &post); err != nil {
		return err
	}
	config, eips, err := ethtests.GetChainConfig(fork)
	if err != nil {
		return err
	}
	block, pre, end, err := b.begin(f.Pre)
	if err != nil {
		return err
	}
	defer end()
	if err := pre.Commit(); err != nil {
		return err
	}

	tx := block.Tx()
	logs, refused := b.apply(tx, f, config, eips, &post)
	if (refused != nil) != (post.Exception != "") {
		return fmt.Errorf("refused with %v, expected exception %q", refused, post.Exception)
	}
	if refused == nil {
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	delta, err := block.Seal()
	if err != nil {
		return err
	}
	if root := b.root(delta.Writes()); root != post.Hash && (refused == nil || post.Hash != common.Hash{}) {
		return fmt.Errorf("state root %x, want %x", root, post.Hash)
	}
	if refused != nil {
		return nil
	}
	encoded, err := rlp.EncodeToBytes(logs)
	if err != nil {
		return err
	}
	if hash := crypto.Keccak256Hash(encoded); hash != post.Logs {
		return fmt.Errorf("hash of logs %x, want %x", hash, post.Logs)
	}
	return nil
}

func (b *stateBench) put(tx *kv.Tx, address common.Address, account types.Account) error {
	a := Account{Nonce: account.Nonce, CodeHash: hashCode(account.Code)}
	if account.Balance != nil {
		a.Balance.SetFromBig(account.Balance)
	}
	if len(account.Code) > 0 {
		if err := tx.Put(b.ids.code, a.CodeHash[:], account.Code); err != nil {
			return err
		}
	}
	for slot, value := range account.Storage {
		if value == (common.Hash{}) {
			continue
		}
		if err := tx.Put(b.ids.storage, StorageKey(address, slot), storageValue(&value)); err != nil {
			return err
		}
	}
	return tx.Put(b.ids.accounts, address[:], AppendAccount(nil, &a))
}

// apply runs the transaction with fees on. An error says that it was refused.
func (b *stateBench) apply(tx *kv.Tx, f *fixture, config *params.ChainConfig, eips []int, post *fixturePost) ([]*types.Log, error) {
	number, time := new(big.Int).SetUint64(uint64(f.Env.Number)), uint64(f.Env.Timestamp)
	context := vm.BlockContext{
		CanTransfer: core.CanTransfer, Transfer: core.Transfer, Coinbase: f.Env.Coinbase,
		GetHash: func(n uint64) common.Hash {
			return crypto.Keccak256Hash([]byte(new(big.Int).SetUint64(n).String()))
		},
		BlockNumber: number, Time: time, GasLimit: uint64(f.Env.GasLimit), Difficulty: (*big.Int)(f.Env.Difficulty),
	}
	if config.IsLondon(new(big.Int)) {
		context.BaseFee = big.NewInt(0x0a)
		if f.Env.BaseFee != nil {
			context.BaseFee = (*big.Int)(f.Env.BaseFee)
		}
		if f.Env.Random != nil {
			random := common.BigToHash((*big.Int)(f.Env.Random))
			context.Random, context.Difficulty = &random, new(big.Int)
		}
	}
	if config.IsCancun(new(big.Int), time) {
		excess := uint64(0)
		if f.Env.ExcessBlobGas != nil {
			excess = uint64(*f.Env.ExcessBlobGas)
		}
		context.BlobBaseFee = eip4844.CalcBlobFee(config, &types.Header{Time: time, ExcessBlobGas: &excess})
	}
	msg, err := f.Tx.message(post, context.BaseFee != nil)
	if err != nil {
		return nil, err
	}
	if config.IsCancun(new(big.Int), time) && len(msg.BlobHashes) > eip4844.MaxBlobsPerBlock(config, time) {
		return nil, fmt.Errorf("%d blobs", len(msg.BlobHashes))
	}
	if len(post.TxBytes) > 0 {
		var t types.Transaction
		if err := t.UnmarshalBinary(post.TxBytes); err != nil {
			return nil, err
		}
		if _, err := types.Sender(types.LatestSigner(config), &t); err != nil {
			return nil, err
		}
	}

	x := &Executor{machine: &Machine{Rules{Config: config, Paid: true}, b.ids, b.codes}, block: context, state: newState(b.ids, b.codes, nil)}
	defer x.Close()
	x.evm = vm.NewEVM(context, x.state, config, vm.Config{ExtraEips: eips})
	x.evm.SetJumpDestCache(b.codes.jumps)
	l, err := x.message(msg)
	if err != nil {
		return nil, err
	}
	r, err := x.run(tx, l, core.NewGasPool(context.GasLimit))
	if err != nil {
		return nil, err
	}
	x.state.AddBalance(context.Coinbase, new(uint256.Int), tracing.BalanceChangeUnspecified) // the reward of nothing
	x.state.Finalise(x.rules())
	return r.Logs, x.state.flush(tx)
}

// message is the transaction that the indexes of post choose. Since London a price
// that is not offered is zero; before there must be one.
func (tx *fixtureTx) message(post *fixturePost, london bool) (*Message, error) {
	m := &Message{Gas: uint64(tx.GasLimit[post.Indexes.Gas]), BlobHashes: tx.BlobHashes}
	if tx.Nonce != nil {
		nonce := (*big.Int)(tx.Nonce)
		if !nonce.IsUint64() {
			return nil, fmt.Errorf("nonce %v", nonce)
		}
		m.Nonce = nonce.Uint64()
	}
	if tx.Sender != nil {
		m.From = *tx.Sender
	} else {
		key, err := crypto.ToECDSA(tx.SecretKey)
		if err != nil {
			return nil, err
		}
		m.From = crypto.PubkeyToAddress(key.PublicKey)
	}
	if tx.To != "" {
		to := common.HexToAddress(tx.To)
		m.To = &to
	}
	if text := tx.Value[post.Indexes.Value]; text != "0x" {
		value, ok := math.ParseBig256(text)
		if !ok {
			return nil, fmt.Errorf("value %q", text)
		}
		m.Value.SetFromBig(value)
	}
	m.Data = common.FromHex(tx.Data[post.Indexes.Data])
	if tx.AccessLists != nil && tx.AccessLists[post.Indexes.Data] != nil {
		m.AccessList = *tx.AccessLists[post.Indexes.Data]
	}
	amount := func(to *uint256.Int, choices ...*math.HexOrDecimal256) (found bool) {
		for _, v := range choices {
			if v != nil {
				to.SetFromBig((*big.Int)(v))
				return true
			}
		}
		return false
	}
	if !amount(&m.Fees.FeeCap, tx.FeeCap, tx.GasPrice) && !london {
		return nil, fmt.Errorf("no gas price")
	}
	amount(&m.Fees.TipCap, tx.TipCap, tx.FeeCap, tx.GasPrice)
	amount(&m.Fees.BlobCap, tx.BlobFeeCap)
	if tx.Authorization != nil {
		m.Authorizations = []types.SetCodeAuthorization{}
		for _, a := range *tx.Authorization {
			to := types.SetCodeAuthorization{Address: a.Address, Nonce: uint64(a.Nonce), V: uint8(a.V)}
			amount(&to.ChainID, a.ChainID)
			amount(&to.R, a.R)
			amount(&to.S, a.S)
			m.Authorizations = append(m.Authorizations, to)
		}
	}
	return m, nil
}

// root is the state root of all that was written, computed with a trie that is
// thrown away: the product has none.
func (b *stateBench) root(writes []kv.Write) common.Hash {
	accounts := make(map[common.Address]Account)
	storage := make(map[common.Address]map[common.Hash][]byte)
	for _, w := range writes {
		switch {
		case w.Delete:
		case w.Table == b.ids.accounts:
			a, err := DecodeAccount(w.Value)
			if err != nil {
				panic(err)
			}
			accounts[common.Address(w.Key)] = a
		case w.Table == b.ids.storage:
			address := common.Address(w.Key[:20])
			if storage[address] == nil {
				storage[address] = make(map[common.Hash][]byte)
			}
			storage[address][crypto.Keccak256Hash(w.Key[20:])] = mustRLP(w.Value)
		}
	}
	leaves := make(map[common.Hash][]byte)
	for address, a := range accounts {
		leaves[crypto.Keccak256Hash(address[:])] = mustRLP(&types.StateAccount{
			Nonce: a.Nonce, Balance: &a.Balance, Root: trieRoot(storage[address]), CodeHash: a.CodeHash[:],
		})
	}
	return trieRoot(leaves)
}

func trieRoot(leaves map[common.Hash][]byte) common.Hash {
	keys := make([]common.Hash, 0, len(leaves))
	for key := range leaves {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b common.Hash) int { return a.Cmp(b) })
	tree := trie.NewStackTrie(nil)
	for _, key := range keys {
		if err := tree.Update(key[:], leaves[key]); err != nil {
			panic(err)
		}
	}
	return tree.Hash()
}

func mustRLP(v any) []byte {
	data, err := rlp.EncodeToBytes(v)
	if err != nil {
		panic(err)
	}
	return data
}
