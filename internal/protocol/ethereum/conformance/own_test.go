package conformance

import (
	"bytes"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus/beacon"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
)

// The chain of the tests' own: a block or two under each fork from Homestead to
// Osaka, with every type of transaction, contracts that fail, an uncle,
// withdrawals and system calls. It is the same each time.

var (
	// counter counts its calls in slot 0, logs and returns the count.
	counter     = common.HexToAddress("0xc0c0000000000000000000000000000000000001")
	counterCode = common.FromHex("600160005401806000556000523361c0c060206000a260206000f3")
	// teller returns NUMBER, TIMESTAMP, COINBASE, DIFFICULTY or PREVRANDAO,
	// GASLIMIT, and the hash of the block before.
	teller     = common.HexToAddress("0xc0c0000000000000000000000000000000000002")
	tellerCode = common.FromHex("4360005242602052416040524460605245608052600143034060a05260c06000f3")
	// refuser reverts with Error("no").
	refuser     = common.HexToAddress("0xc0c0000000000000000000000000000000000003")
	refuserCode = common.FromHex("6064600c60003960646000fd" + "08c379a0" +
		"0000000000000000000000000000000000000000000000000000000000000020" +
		"0000000000000000000000000000000000000000000000000000000000000002" +
		"6e6f000000000000000000000000000000000000000000000000000000000000")

	payer, _     = crypto.ToECDSA(crypto.Keccak256([]byte("coco conformance: payer")))
	delegator, _ = crypto.ToECDSA(crypto.Keccak256([]byte("coco conformance: delegator")))
)

const ownBlocks = 12

func ownGenesis() *core.Genesis {
	number := func(n int64) *big.Int { return big.NewInt(n) }
	at := func(block uint64) *uint64 { time := block * 10; return &time }
	genesis := &core.Genesis{
		Config: &params.ChainConfig{
			ChainID: number(0xc0c0), HomesteadBlock: number(0), EIP150Block: number(2), EIP155Block: number(2), EIP158Block: number(2),
			ByzantiumBlock: number(3), ConstantinopleBlock: number(4), PetersburgBlock: number(4), IstanbulBlock: number(4),
			MuirGlacierBlock: number(4), BerlinBlock: number(5), LondonBlock: number(6), ArrowGlacierBlock: number(6), GrayGlacierBlock: number(6),
			MergeNetsplitBlock: number(7), TerminalTotalDifficulty: number(7 * 131072),
			ShanghaiTime: at(8), CancunTime: at(9), PragueTime: at(10), OsakaTime: at(11), BPO1Time: at(12),
			Ethash: new(params.EthashConfig),
			BlobScheduleConfig: &params.BlobScheduleConfig{
				Cancun: params.DefaultCancunBlobConfig, Prague: params.DefaultPragueBlobConfig, BPO1: params.DefaultBPO1BlobConfig,
			},
		},
		Difficulty: number(131072), GasLimit: 30_000_000,
		Alloc: types.GenesisAlloc{
			crypto.PubkeyToAddress(payer.PublicKey): {Balance: new(big.Int).Mul(number(1000), number(params.Ether))},
			counter:                                 {Code: counterCode, Balance: number(7)},
			teller:                                  {Code: tellerCode, Balance: new(big.Int)},
			refuser:                                 {Code: refuserCode, Balance: new(big.Int)},
		},
	}
	for _, contract := range []struct {
		address common.Address
		code    []byte
	}{
		{params.BeaconRootsAddress, params.BeaconRootsCode}, {params.HistoryStorageAddress, params.HistoryStorageCode},
		{params.WithdrawalQueueAddress, params.WithdrawalQueueCode}, {params.ConsolidationQueueAddress, params.ConsolidationQueueCode},
	} {
		genesis.Alloc[contract.address] = types.Account{Code: contract.code, Nonce: 1, Balance: new(big.Int)}
	}
	return genesis
}

// ownChain makes the chain in memory, with the library's own execution.
func ownChain() (*core.Genesis, []*types.Block) {
	genesis := ownGenesis()
	_, blocks, _ := core.GenerateChainWithGenesis(genesis, beacon.New(ethash.NewFaker()), ownBlocks, func(i int, b *core.BlockGen) {
		b.SetCoinbase(common.Address{0xcb, byte(i + 1)})
		m := maker{b}
		switch m.fill(); {
		case i+1 == 3:
			b.AddUncle(&types.Header{ParentHash: b.PrevBlock(0).Hash(), Number: big.NewInt(2), Coinbase: common.Address{0xcb, 0xff}})
		case i+1 >= 7:
			b.SetPoS()
		}
	})
	return genesis, blocks
}

// maker puts transactions into a block.
type maker struct{ *core.BlockGen }

func (m maker) add(signer types.Signer, data types.TxData) {
	m.AddTx(types.MustSignNewTx(payer, signer, data))
}

func (m maker) fill() {
	var (
		signer = m.Signer()
		nonce  = m.TxNonce(crypto.PubkeyToAddress(payer.PublicKey))
		price  = big.NewInt(2 * params.GWei)
		tip    = big.NewInt(params.GWei / 2)
		chain  = big.NewInt(0xc0c0)
		list   = types.AccessList{{Address: counter, StorageKeys: []common.Hash{{}}}}
		number = m.Number().Uint64()
	)
	legacy := func(to *common.Address, gas uint64, data []byte) *types.LegacyTx {
		nonce++
		return &types.LegacyTx{Nonce: nonce - 1, GasPrice: price, Gas: gas, To: to, Value: big.NewInt(1), Data: data}
	}
	switch number {
	case 1:
		m.add(types.HomesteadSigner{}, legacy(&common.Address{0xaa}, 21000, nil))
		m.add(types.HomesteadSigner{}, legacy(nil, 100_000, common.FromHex("600a600c600039600a6000f3600160005260206000f3")))
	case 2:
		m.add(signer, legacy(&counter, 22_000, nil)) // out of gas
	case 3:
		m.add(signer, legacy(&refuser, 100_000, nil))
	case 5:
		m.add(signer, &types.AccessListTx{ChainID: chain, Nonce: nonce, GasPrice: price, Gas: 100_000, To: &counter, AccessList: list})
		nonce++
	case 6, 7:
		m.add(signer, &types.DynamicFeeTx{ChainID: chain, Nonce: nonce, GasFeeCap: price, GasTipCap: tip, Gas: 100_000, To: &teller, AccessList: list})
		nonce++
	case 8:
		m.AddWithdrawal(&types.Withdrawal{Validator: 5, Address: common.Address{0xbb}, Amount: 100})
	case 9:
		m.SetParentBeaconRoot(common.Hash{0xbe})
		m.add(signer, &types.BlobTx{
			ChainID: uint256.NewInt(0xc0c0), Nonce: nonce, GasFeeCap: uint256.MustFromBig(price), GasTipCap: uint256.MustFromBig(tip), Gas: 100_000,
			To: counter, BlobFeeCap: uint256.NewInt(10), BlobHashes: []common.Hash{{1, 2, 3}},
		})
		nonce++
	case 10:
		authorization, err := types.SignSetCode(delegator, types.SetCodeAuthorization{ChainID: *uint256.NewInt(0xc0c0), Address: counter})
		if err != nil {
			panic(err) // the key is a constant
		}
		m.add(signer, &types.SetCodeTx{
			ChainID: uint256.NewInt(0xc0c0), Nonce: nonce, GasFeeCap: uint256.MustFromBig(price), GasTipCap: uint256.MustFromBig(tip), Gas: 200_000,
			To: crypto.PubkeyToAddress(delegator.PublicKey), AuthList: []types.SetCodeAuthorization{authorization},
		})
		nonce++
	}
	m.add(signer, legacy(&counter, 100_000, nil))
}

// writeChain lays a chain out as others publish theirs.
func writeChain(t *testing.T, dir string, genesis *core.Genesis, blocks []*types.Block) {
	t.Helper()
	text, err := json.Marshal(genesis)
	if err != nil {
		t.Fatal(err)
	}
	var chain bytes.Buffer
	for _, b := range blocks {
		if err := b.EncodeRLP(&chain); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string][]byte{"genesis.json": text, "chain.rlp": chain.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
