package toolchain

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
)

const mnemonic = "test test test test test test test test test test test junk"

// deployment is what forge script writes of its transactions.
type deployment struct {
	Transactions []struct {
		Hash            string
		TransactionType string
		ContractName    string
		ContractAddress string
	}
	Receipts []struct{ Status, TransactionHash string }
}

// script runs the project's deployment and reads forge's account of it.
func (p *project) script(t *testing.T, salt string, args ...string) (d deployment) {
	t.Helper()
	p.run(t, "forge", append([]string{"script", "forge/Deploy.s.sol", "--sig", "run(bytes32)", common.HexToHash(salt).Hex(),
		"--rpc-url", "coco", "--broadcast"}, args...)...)
	text, err := os.ReadFile(filepath.Join("project", "broadcast", "Deploy.s.sol", fmt.Sprint(p.ChainID), "run-latest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// address is where the last contract of a name came to be.
func (d *deployment) address(name string) (address string) {
	for _, tx := range d.Transactions {
		if tx.ContractName == name {
			address = tx.ContractAddress
		}
	}
	return address
}

func TestFoundry(t *testing.T) {
	p := open(t)
	owner := p.Accounts[0]
	send := func(args ...string) (r struct{ Status, TransactionHash, BlockNumber, ContractAddress string }) {
		t.Helper()
		p.into(t, &r, "cast", append([]string{"send", "--json", "--private-key", owner.PrivateKey}, args...)...)
		return r
	}
	call := func(args ...string) string {
		t.Helper()
		return strings.Fields(p.run(t, "cast", append([]string{"call"}, args...)...))[0]
	}
	var garden, box string

	for i, args := range [][]string{
		{"--private-key", owner.PrivateKey},
		{"--private-key", owner.PrivateKey, "--slow", "--legacy"},
		{"--mnemonics", mnemonic, "--mnemonic-indexes", "3", "--sender", p.Accounts[3].Address},
	} {
		t.Run(fmt.Sprintf("forge script %d", i), func(t *testing.T) {
			d := p.script(t, fmt.Sprint(i), args...)
			if len(d.Transactions) != 10 || len(d.Receipts) != 10 || d.Transactions[0].TransactionType != "CREATE2" {
				t.Fatalf("%+v", d)
			}
			for _, r := range d.Receipts {
				if r.Status != "0x1" {
					t.Errorf("%s has status %s", r.TransactionHash, r.Status)
				}
			}
			garden, box = d.address("Garden"), d.address("ERC1967Proxy")
			if got := call(garden, "balanceOf(address)(uint256)", "0x000000000000000000000000000000000000bEEF"); got != "10" {
				t.Errorf("the token moved %s", got)
			}
			if got := call(box, "version()(string)") + call(box, "value()(uint256)"); got != `"2"9` {
				t.Errorf("the box is %s", got)
			}
		})
	}
	if t.Failed() {
		return
	}

	t.Run("forge create", func(t *testing.T) {
		var made struct{ DeployedTo string }
		p.into(t, &made, "forge", "create", "contracts/Garden.sol:Garden", "--rpc-url", "coco", "--private-key", owner.PrivateKey,
			"--broadcast", "--json", "--constructor-args", owner.Address, "5000")
		if garden = made.DeployedTo; call(garden, "totalSupply()(uint256)") != "5000" {
			t.Errorf("%+v", made)
		}
	})
	transfer := send(garden, "transfer(address,uint256)", "0x000000000000000000000000000000000000bEEF", "1")

	height, err := hexutil.DecodeUint64(transfer.BlockNumber)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("forge test on a fork", func(t *testing.T) {
		fork := &project{p.Node, append(p.env, "GARDEN="+garden, "OWNER="+owner.Address, fmt.Sprintf("HEIGHT=%d", height))}
		contains(t, fork.run(t, "forge", "test"), "2 passed; 0 failed")
	})

	t.Run("cast reads", func(t *testing.T) {
		before := fmt.Sprint(height - 1)
		for _, c := range []struct {
			want string
			args []string
		}{
			{"0x6080", []string{"code", garden}},
			{"1388", []string{"storage", garden, "2"}},
			{"4999", []string{"call", garden, "balanceOf(address)(uint256)", owner.Address}},
			{"5000", []string{"call", garden, "--block", before, "balanceOf(address)(uint256)", owner.Address}},
			{"gas used", []string{"access-list", garden, "transfer(address,uint256)", owner.Address, "1", "--from", owner.Address}},
			{`"status":"0x1"`, []string{"rpc", "eth_getTransactionReceipt", transfer.TransactionHash}},
			{"Transaction successfully executed", []string{"run", transfer.TransactionHash}},
			{"successfully executed", []string{"call", "--trace", garden, "transfer(address,uint256)", owner.Address, "1", "--from", owner.Address}},
			{`"type":"CALL"`, []string{"rpc", "debug_traceTransaction", transfer.TransactionHash, `{"tracer":"callTracer"}`}},
			{"10", []string{"nonce", p.Accounts[3].Address, "--block", "latest"}},
			{"0", []string{"nonce", p.Accounts[3].Address, "--block", "0"}},
			{transfer.TransactionHash, []string{"logs", "--from-block", before, "--address", garden, "Transfer(address,address,uint256)"}},
			{transfer.TransactionHash, []string{"block", "latest"}},
			{"coco/", []string{"client"}},
			{"0", []string{"gas-price"}},
		} {
			contains(t, p.run(t, "cast", c.args...), c.want)
		}
		if gas := p.run(t, "cast", "estimate", garden, "transfer(address,uint256)", owner.Address, "1", "--from", owner.Address); len(gas) != 5 {
			t.Errorf("a transfer takes %s gas", gas)
		}
		_, stderr, err := p.try(t, "", "cast", "proof", garden)
		if err == nil {
			t.Error("a proof of state was given")
		}
		contains(t, stderr, "coco_getReceipt")
	})

	// A contract that shall have one address on every network is created by a
	// transaction that nobody has the key of: its signature was made up.
	t.Run("cast publish", func(t *testing.T) {
		var out struct {
			Bytecode struct{ Object hexutil.Bytes }
		}
		text, err := os.ReadFile(filepath.Join("project", "out", "Deeds.sol", "Deeds.json"))
		if err == nil {
			err = json.Unmarshal(text, &out)
		}
		if err != nil {
			t.Fatal(err)
		}
		made := new(big.Int).SetBytes(common.FromHex("0x1820182018201820182018201820182018201820182018201820182018201820"))
		var r struct{ Status, ContractAddress string }
		p.into(t, &r, "cast", "publish", encode(t, &types.LegacyTx{
			GasPrice: big.NewInt(100e9), Gas: 3_000_000, Data: out.Bytecode.Object, V: big.NewInt(27), R: made, S: made,
		}))
		if r.Status != "0x1" || call(r.ContractAddress, "symbol()(string)") != `"DEED"` {
			t.Errorf("%+v", r)
		}
		// Anything else without a chain id could be repeated by anyone.
		_, stderr, err := p.try(t, "", "cast", "publish", encode(t, &types.LegacyTx{
			Gas: 21000, To: &common.Address{1}, Value: common.Big1, V: big.NewInt(27), R: made, S: made,
		}))
		if err == nil {
			t.Error("a transfer without a chain id was accepted")
		}
		contains(t, stderr, "only replay-protected (EIP-155) transactions allowed over RPC")
	})
}

func encode(t *testing.T, tx types.TxData) string {
	t.Helper()
	raw, err := types.NewTx(tx).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return hexutil.Encode(raw)
}
