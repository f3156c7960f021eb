package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/cli/contract"
	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/verify"
)

func txCommand() *cobra.Command {
	c := &cobra.Command{Use: "tx", Short: "Look at transactions"}
	c.AddCommand(txShow())
	return c
}

// showOptions are the flags of tx show.
type showOptions struct {
	node          *remote
	abi           []string
	data, service string
	json          bool
}

func txShow() *cobra.Command {
	var o showOptions
	c := &cobra.Command{
		Use:   "show HASH|TXID",
		Short: "Show what became of a transaction, with its proof",
		Long: `Show prints a page on one transaction: whether it is committed, what it called and
what came of it, and whether the ledger's receipt proves that. With --abi, calls,
events and errors are decoded.

The transaction is checked against its hash and its signature, the receipt against
the service's certificate. Give that with --service or --data: one that is taken
from the node proves nothing against the node.

Exit codes: 0 shown, 1 nothing is known of it, 3 its proof does not hold.`,
		Example: `  coco tx show 0x5c50… --abi Token.json --data coco-data
  coco tx show 2.17 --json`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if o.data != "" && o.service != "" {
				return usage(c, errors.New("--data and --service exclude each other"))
			}
			if o.data != "" {
				o.service = filepath.Join(o.data, "service.pem")
			}
			return showTransaction(c, args[0], o)
		},
	}
	o.node = rpcFlag(c)
	f := c.Flags()
	f.StringArrayVar(&o.abi, "abi", nil, "file with a contract's ABI, plain or an artefact of Hardhat or Foundry; may be repeated")
	f.StringVar(&o.data, "data", "", "data directory of the network, for its service.pem")
	f.StringVar(&o.service, "service", "", "the service's certificate")
	f.BoolVar(&o.json, "json", false, "print one line of JSON")
	return c
}

func showTransaction(c *cobra.Command, name string, o showOptions) error {
	if err := transactionName(name); err != nil {
		return err
	}
	known, err := interfaces(o.abi)
	if err != nil {
		return err
	}
	p := &page{Name: name}
	if err := p.fetch(c.Context(), o); err != nil {
		return err
	}
	p.decode(known)
	if o.json {
		err = json.NewEncoder(c.OutOrStdout()).Encode(p)
	} else {
		err = p.print(c.OutOrStdout())
	}
	switch {
	case err != nil:
		return err
	case p.Status == "unknown":
		return terminal.Exit(terminal.Failed)
	case p.Proof != nil && !p.Proof.Valid:
		return terminal.Exit(terminal.Invalid)
	}
	return nil
}

// page is what is known of a transaction.
type page struct {
	Name        string       `json:"name"`             // as it was asked for
	Status      string       `json:"status"`           // committed, pending, refused, invalid or unknown
	Reason      string       `json:"reason,omitempty"` // why it was refused
	TxID        string       `json:"txId,omitempty"`
	Transaction *transaction `json:"transaction,omitempty"`
	Outcome     *outcome     `json:"outcome,omitempty"` // once it is committed
	Proof       *pageProof   `json:"proof,omitempty"`   // likewise
}

// transaction is what its sender signed.
type transaction struct {
	Hash  common.Hash       `json:"hash"`
	From  common.Address    `json:"from"` // whom the signature belongs to
	To    *common.Address   `json:"to"`   // nil when it creates a contract
	Nonce uint64            `json:"nonce"`
	Value string            `json:"value"` // wei, decimal
	Gas   uint64            `json:"gas"`   // that it may use
	Input hexutil.Bytes     `json:"input"`
	Call  *contract.Decoded `json:"call,omitempty"`
}

// keptRevert is how much of what a contract reverted with is recorded, in bytes.
const keptRevert = 1 << 10

// outcome is what became of it.
type outcome struct {
	Succeeded  bool            `json:"succeeded"`
	Failure    string          `json:"failure,omitempty"` // the interpreter's word
	Revert     string          `json:"revert,omitempty"`  // the contract's reason, in words
	RevertData hexutil.Bytes   `json:"revertData,omitempty"`
	Block      uint64          `json:"block"`
	BlockHash  common.Hash     `json:"blockHash"`
	Index      uint64          `json:"index"` // in the block
	Time       time.Time       `json:"time"`
	GasUsed    uint64          `json:"gasUsed"`
	Created    *common.Address `json:"created,omitempty"`
	Events     []event         `json:"events"`
}

type event struct {
	Address common.Address    `json:"address"`
	Topics  []common.Hash     `json:"topics"`
	Data    hexutil.Bytes     `json:"data"`
	Decoded *contract.Decoded `json:"decoded,omitempty"`
}

// fetch asks the node for everything that it knows of the transaction.
func (p *page) fetch(ctx context.Context, o showOptions) error {
	var said struct {
		Status, TxID, Failure string
		RevertData            hexutil.Bytes
	}
	if err := o.node.ask(ctx, &said, "coco_getTransactionStatus", p.Name); err != nil {
		return err
	}
	status, reason, _ := strings.Cut(contract.Printable(said.Status), ": ")
	p.Status, p.Reason, p.TxID = strings.ToLower(status), reason, contract.Printable(said.TxID)
	hash := common.HexToHash(p.Name)
	if p.Status == "committed" {
		if err := p.prove(ctx, o); err != nil {
			return err
		}
		if claimed, ok := p.Proof.claim("ethereum.hash", 0); ok && !strings.HasPrefix(p.Name, "0x") {
			hash = common.BytesToHash(claimed)
		} else if !ok || !bytes.Equal(claimed, hash[:]) {
			p.Proof.fail("the receipt is not of this transaction")
		}
	}
	if hash == (common.Hash{}) {
		return nil // a TxID that is not committed, or of no Ethereum transaction
	}
	if p.Status == "committed" && !strings.HasPrefix(p.Name, "0x") { // why it failed is told to whoever has the hash
		if err := o.node.ask(ctx, &said, "coco_getTransactionStatus", hash); err != nil {
			return err
		}
	}
	if err := p.fetchTransaction(ctx, o.node, hash); err != nil || p.Status != "committed" {
		return err
	}
	return p.fetchOutcome(ctx, o.node, hash, &outcome{Failure: contract.Printable(said.Failure), RevertData: said.RevertData})
}

// prove fetches the ledger's receipt and checks it.
func (p *page) prove(ctx context.Context, o showOptions) (err error) {
	p.Proof = &pageProof{Trusted: o.service}
	var pem []byte
	if o.service != "" {
		pem, err = readInput(o.service)
	} else {
		var i identity
		i, err = o.node.identity(ctx)
		p.Proof.Trusted, pem = "node", []byte(i.PEM)
	}
	if err != nil {
		return err
	}
	receipt, err := o.node.fullReceipt(ctx, p.Name)
	if err != nil {
		return err
	}
	report, err := verify.Receipt(receipt, pem, verify.Options{AllowSimulated: true})
	if problem.CodeOf(err) == codeServiceKey {
		return err
	}
	p.Proof.proofReport = *proofOf(report, err)
	return nil
}

// fullReceipt asks for a receipt that discloses what a page shows; without the
// logs when they are too many for one.
func (r *remote) fullReceipt(ctx context.Context, name string) (receipt json.RawMessage, err error) {
	fields := []string{"ethereum.gas", "ethereum.created", "ethereum.logCount", "ethereum.log"}
	err = r.ask(ctx, &receipt, "coco_getReceipt", name, "json", fields)
	if problem.CodeOf(err) == "DISCLOSE_TOO_MANY" {
		err = r.ask(ctx, &receipt, "coco_getReceipt", name, "json", fields[:3])
	}
	return receipt, err
}

// fetchTransaction asks for the transaction and checks that it is the one of
// that hash, signed by whom the page names.
func (p *page) fetchTransaction(ctx context.Context, node *remote, hash common.Hash) error {
	var text json.RawMessage
	if err := node.ask(ctx, &text, "eth_getTransactionByHash", hash); err != nil || string(text) == "null" {
		return err
	}
	var tx types.Transaction
	if err := json.Unmarshal(text, &tx); err != nil {
		return errAnswer.From(err)
	}
	if tx.Hash() != hash {
		return errAnswer.From(fmt.Errorf("it is the transaction %s", tx.Hash()))
	}
	from, err := types.Sender(types.LatestSignerForChainID(tx.ChainId()), &tx)
	if err != nil {
		return errAnswer.From(err)
	}
	p.Transaction = &transaction{Hash: hash, From: from, To: tx.To(), Nonce: tx.Nonce(), Value: tx.Value().String(), Gas: tx.Gas(), Input: tx.Data()}
	return nil
}

func (p *page) fetchOutcome(ctx context.Context, node *remote, hash common.Hash, out *outcome) error {
	var r struct {
		Status, BlockNumber, TransactionIndex, GasUsed hexutil.Uint64
		BlockHash                                      common.Hash
		ContractAddress                                *common.Address
		Logs                                           []event
	}
	if err := node.ask(ctx, &r, "eth_getTransactionReceipt", hash); err != nil {
		return err
	}
	out.Succeeded, out.Block, out.BlockHash, out.Index = r.Status == 1, uint64(r.BlockNumber), r.BlockHash, uint64(r.TransactionIndex)
	out.GasUsed, out.Created, out.Events = uint64(r.GasUsed), r.ContractAddress, append([]event{}, r.Logs...)
	p.Outcome = out
	if !p.Proof.Valid {
		return nil
	}
	out.Time = p.Proof.Time
	p.Proof.compare(out)
	return nil
}

// decode says in words what an interface explains.
func (p *page) decode(known contract.Interfaces) {
	if t := p.Transaction; t != nil && t.To != nil {
		t.Call = known.Call(t.Input)
	} else if t != nil {
		t.Call = known.Creation(t.Input)
	}
	if p.Outcome == nil {
		return
	}
	for i := range p.Outcome.Events {
		e := &p.Outcome.Events[i]
		e.Decoded = known.Event(e.Topics, e.Data)
	}
	if !p.Outcome.Succeeded {
		p.Outcome.Revert = known.Revert(p.Outcome.RevertData)
		if len(p.Outcome.RevertData) == keptRevert {
			p.Outcome.Revert += fmt.Sprintf(" (the ledger keeps the first %d bytes of a reason)", keptRevert)
		}
	}
}
