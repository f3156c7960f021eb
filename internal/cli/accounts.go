package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"text/tabwriter"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/cli/contract"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/node"
	"github.com/coco-consortium/coco/internal/problem"
)

var errNoAccounts = problem.New("ACCOUNTS_UNKNOWN", "that node's network is no development network: it has no accounts that everybody knows",
	"name the addresses that you want to see: coco accounts 0x…")

// account is a line of coco accounts.
type account struct {
	Address    common.Address  `json:"address"`
	Balance    string          `json:"balance"` // wei, decimal
	Nonce      uint64          `json:"nonce"`
	Contract   bool            `json:"contract"`
	Delegate   *common.Address `json:"delegate,omitempty"` // whose code the account runs (EIP-7702)
	PrivateKey string          `json:"privateKey,omitempty"`
}

func accountsCommand() *cobra.Command {
	var node *remote
	var withKeys, asJSON bool
	c := &cobra.Command{
		Use:   "accounts [ADDRESS...]",
		Short: "Show accounts with their ether, nonces and code",
		Long: `Accounts asks a node about addresses; without any, about the ten accounts that
every development network funds.

The private keys of those ten are public knowledge: they come from a phrase that
stands in the documents of every Ethereum tool. Whoever sends something of value
to one of them gives it away.`,
		Example: `  coco accounts
  coco accounts --keys
  coco accounts 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --json`,
		RunE: func(c *cobra.Command, args []string) error {
			if withKeys && len(args) > 0 {
				return usage(c, errors.New("--keys shows the development network's accounts only: name no address"))
			}
			list, err := accountsOf(args)
			if err != nil {
				return usage(c, err)
			}
			if len(args) == 0 {
				if list, err = developmentAccounts(c.Context(), node, withKeys); err != nil {
					return err
				}
			}
			for _, a := range list {
				if err := node.account(c.Context(), a); err != nil {
					return err
				}
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(list)
			}
			return printAccounts(c.OutOrStdout(), list, withKeys)
		},
	}
	node = rpcFlag(c)
	c.Flags().BoolVar(&withKeys, "keys", false, "show the private keys of the development network's accounts, which everybody knows")
	c.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON")
	return c
}

func accountsOf(texts []string) ([]*account, error) {
	list := []*account{}
	for _, text := range texts {
		address, err := contract.Address(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		list = append(list, &account{Address: address})
	}
	return list, nil
}

// identity is who a node says its service is.
type identity struct {
	Service string
	Mode    string
	PEM     string
}

func (r *remote) identity(ctx context.Context) (i identity, err error) {
	err = r.ask(ctx, &i, "coco_getServiceIdentity")
	return i, err
}

// developmentAccounts are the accounts that the node's network funded at its
// genesis, which a development network says it is by its mode.
func developmentAccounts(ctx context.Context, r *remote, withKeys bool) ([]*account, error) {
	i, err := r.identity(ctx)
	switch {
	case err != nil:
		return nil, err
	case i.Mode != format.ModeSimulated:
		return nil, errNoAccounts
	}
	var list []*account
	for _, known := range node.DevelopmentAccounts() {
		a := &account{Address: common.HexToAddress(known.Address)}
		if withKeys {
			a.PrivateKey = known.PrivateKey
		}
		list = append(list, a)
	}
	return list, nil
}

// account completes an account from its address.
func (r *remote) account(ctx context.Context, a *account) error {
	var balance hexutil.Big
	var nonce hexutil.Uint64
	var code hexutil.Bytes
	for _, question := range []struct {
		method string
		result any
	}{{"eth_getBalance", &balance}, {"eth_getTransactionCount", &nonce}, {"eth_getCode", &code}} {
		if err := r.ask(ctx, question.result, question.method, a.Address, "latest"); err != nil {
			return err
		}
	}
	a.Balance, a.Nonce = (*big.Int)(&balance).String(), uint64(nonce)
	if to, ok := types.ParseDelegation(code); ok {
		a.Delegate = &to
	} else {
		a.Contract = len(code) > 0
	}
	return nil
}

func printAccounts(out io.Writer, list []*account, withKeys bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "address\tETH\tnonce\tkind")
	if withKeys {
		fmt.Fprint(w, "\tprivate key")
	}
	fmt.Fprintln(w)
	for _, a := range list {
		kind := "account"
		switch {
		case a.Contract:
			kind = "contract"
		case a.Delegate != nil:
			kind = "account with the code of " + a.Delegate.Hex()
		}
		wei, _ := new(big.Int).SetString(a.Balance, 10)
		fmt.Fprintf(w, "%s\t%s\t%d\t%s", a.Address.Hex(), contract.Ether(wei), a.Nonce, kind)
		if withKeys {
			fmt.Fprintf(w, "\t%s", a.PrivateKey)
		}
		fmt.Fprintln(w)
	}
	if withKeys {
		fmt.Fprintln(w, "WARNING: everybody knows these keys. Never send anything of value to these accounts.")
	}
	return w.Flush()
}
