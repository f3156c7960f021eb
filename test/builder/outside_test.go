package builder

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/coco-consortium/coco/internal/builder/sample"
	"github.com/coco-consortium/coco/internal/builder/vault"
	"github.com/coco-consortium/coco/test/contracts"
)

// purchase is the compiled contract of the sample.
func purchase(t testing.TB) contracts.Contract {
	t.Helper()
	for _, c := range sample.Output(sample.All[0].Code).Contracts {
		if c.Name == "Purchase" {
			parsed, err := abi.JSON(strings.NewReader(string(c.ABI)))
			if err != nil {
				t.Fatal(err)
			}
			return contracts.Contract{ABI: parsed, Bytecode: c.Bytecode}
		}
	}
	t.Fatal("the sample has no contract Purchase")
	return contracts.Contract{}
}

// outside is a client of the ledger that does not know of App Builder. sign makes
// the signature (r, s, v) of a digest.
type outside struct {
	t    testing.TB
	node *ethclient.Client
	from common.Address
	sign func(digest [32]byte) ([]byte, error)
}

// send sends a transaction and waits for its receipt.
func (o *outside) send(to *common.Address, data []byte) *types.Receipt {
	o.t.Helper()
	chain, err := o.node.ChainID(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	nonce, err := o.node.PendingNonceAt(o.t.Context(), o.from)
	if err != nil {
		o.t.Fatal(err)
	}
	signer := types.LatestSignerForChainID(chain)
	tx := types.NewTx(&types.LegacyTx{Nonce: nonce, To: to, Data: data, Gas: 5_000_000, GasPrice: new(big.Int)})
	signature, err := o.sign(signer.Hash(tx))
	if err != nil {
		o.t.Fatal(err)
	}
	if tx, err = tx.WithSignature(signer, signature); err != nil {
		o.t.Fatal(err)
	}
	if err := o.node.SendTransaction(o.t.Context(), tx); err != nil {
		o.t.Fatal(err)
	}
	receipt, err := bind.WaitMined(o.t.Context(), o.node, tx.Hash())
	if err != nil || receipt.Status != 1 {
		o.t.Fatalf("%+v %v", receipt, err)
	}
	return receipt
}

// shown is what the gateway shows of a contract and who did what.
type shown struct {
	ID               int
	LedgerIdentifier string
	DeployedByUserID int
	ContractActions  []struct {
		UserID       int
		FunctionName string
		From         string
	}
}

// TestPastTheGateway deploys and calls contracts with a client of the ledger.
// App Builder shows what happened: of nobody, or of the person whose key it was.
func TestPastTheGateway(t *testing.T) {
	n, _ := newCoco(t)
	b := newAlone(t, connectionOf(n))
	flow, constructor, functions, properties := b.names(bob, "Purchase", "Purchase")
	node := ethclient.NewClient(n.Dial(t))
	code := purchase(t)
	key, err := crypto.HexToECDSA(n.Accounts[0].PrivateKey[2:])
	if err != nil {
		t.Fatal(err)
	}
	stranger := &outside{t, node, common.HexToAddress(n.Accounts[0].Address), func(d [32]byte) ([]byte, error) { return crypto.Sign(d[:], key) }}

	// found waits until the contract at an address is shown with so many actions.
	found := func(at common.Address, actions int) *shown {
		t.Helper()
		began := time.Now()
		for ; time.Since(began) < guard; time.Sleep(5 * time.Millisecond) {
			var list struct{ Contracts []shown }
			status, data, err := b.ask(alice, http.MethodGet, fmt.Sprintf("/api/v2/contracts?workflowId=%d&ledgerIdentifier=%s", flow, at.Hex()), nil)
			if status == http.StatusNoContent { // not yet
				continue
			}
			if json.Unmarshal(data, &list) != nil || len(list.Contracts) != 1 {
				t.Fatalf("the contract at %s: %d %v %s", at, status, err, data)
			}
			var c shown
			if b.read(alice, fmt.Sprintf("/api/v2/contracts/%d", list.Contracts[0].ID), &c); len(c.ContractActions) >= actions {
				t.Logf("shown after %v", time.Since(began).Round(time.Millisecond))
				return &c
			}
		}
		t.Fatalf("%s is not shown with %d actions", at, actions)
		return nil
	}

	// Who may create nothing here makes nothing appear; whoever calls what is here does.
	strange := stranger.send(nil, code.Deploy("Press", uint8(1), big.NewInt(5))).ContractAddress
	mine := b.post(bob, fmt.Sprintf("/api/v2/contracts?workflowId=%d", flow), input(constructor, "machine", "Lathe", "condition", "0", "askingPrice", "1"))
	b.until(bob, mine, "the contract", func(c *contract) bool { return c.ProvisioningStatus == 2 })
	if status, data, err := b.ask(alice, http.MethodGet, "/api/v2/contracts?ledgerIdentifier="+strange.Hex(), nil); status != http.StatusNoContent {
		t.Errorf("a stranger's contract: %d %v %s", status, err, data)
	}
	var before shown
	b.read(bob, fmt.Sprintf("/api/v2/contracts/%d", mine), &before)
	at, address := common.HexToAddress(before.LedgerIdentifier), common.HexToAddress(b.address(bob))
	stranger.send(&at, code.Call("MakeOffer", common.HexToAddress(b.address(dave)), big.NewInt(4)))
	c := found(at, 2)
	if a := c.ContractActions[1]; a.UserID != 0 || !strings.EqualFold(a.From, stranger.from.Hex()) {
		t.Errorf("a stranger's action is %+v", a)
	}
	b.until(alice, mine, "the offer", func(c *contract) bool { return c.value(properties["State"]) == "1" })
	b.post(bob, fmt.Sprintf("/api/v2/contracts/%d/actions", mine), input(functions["RejectOffer"]))
	b.until(bob, mine, "the refusal", func(c *contract) bool { return c.value(properties["State"]) == "0" })

	// Bob's own key, used past the gateway while the builder is down and again
	// through it: his nonces go on.
	var external string
	for _, u := range b.place.Users {
		if u.Name == bob {
			external = u.ExternalID
		}
	}
	b.node.Stop(t)
	v, err := vault.Open(t.Context(), vault.Options{Dir: filepath.Join(b.data, "vault"), KeyFile: filepath.Join(b.data, "vault.key")})
	if err != nil {
		t.Fatal(err)
	}
	himself := &outside{t, node, address, func(d [32]byte) ([]byte, error) {
		signature, err := v.Sign(t.Context(), external, "a test", d)
		if err != nil {
			return nil, err
		}
		return vault.Recoverable(d, signature, address)
	}}
	himself.send(&at, code.Call("ChangePrice", big.NewInt(8)))
	press := himself.send(nil, code.Deploy("Press", uint8(1), big.NewInt(5))).ContractAddress
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	b.begin()
	if c = found(press, 1); c.DeployedByUserID == 0 || c.DeployedByUserID != before.DeployedByUserID {
		t.Errorf("Bob's own contract is %+v", c)
	}
	c = found(at, 4)
	if a := c.ContractActions[3]; a.UserID == 0 || a.UserID != before.DeployedByUserID {
		t.Errorf("Bob's own action is %+v", a)
	}
	b.post(bob, fmt.Sprintf("/api/v2/contracts/%d/actions", mine), input(functions["ChangePrice"], "askingPrice", "9"))
	b.until(bob, mine, "the price", func(c *contract) bool { return c.value(properties["AskingPrice"]) == "9" })
}
