package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/cli/contract"
	"github.com/coco-consortium/coco/internal/problem"
)

var (
	errReverted = problem.New("CALL_REVERTED", "the contract refused the call",
		"read the reason; --abi FILE explains custom errors, --from ADDRESS says who calls")
	errNoContract = problem.New("NO_CONTRACT", "there is no contract at that address",
		"check the address, and that --rpc names a node of the network where the contract is")
	errResult = problem.New("RESULT_FORMAT", "what the contract returned is not what was expected",
		"check the types of the results; without any the data is shown as it is")
)

// callOptions are the flags of a call.
type callOptions struct {
	node               *remote
	abi                []string
	from, block, value string
	json               bool
}

func callCommand() *cobra.Command {
	var o callOptions
	c := &cobra.Command{
		Use:   "call ADDRESS FUNCTION [ARGUMENT...]",
		Short: "Call a function of a contract without sending a transaction",
		Long: `Call runs a function on the state of a block and prints what it returns. Nothing
is recorded, nothing costs anything.

FUNCTION is written as for cast, "name(types)(types of results)", or is a name
in the file that --abi gives. Numbers are decimal or 0x…, with units where you
like (1.5ether, 2gwei); lists are [a,b], tuples (a,b), bytes 0x…. Write -- before
arguments that begin with a dash.`,
		Example: `  coco call 0x5FbDB2315678afecb367f032d93F642f64180aa3 "balanceOf(address)(uint256)" 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
  coco call 0x5FbDB2315678afecb367f032d93F642f64180aa3 --abi Token.json balanceOf 0x70997970C51812dc3A010C7d01b50e0d17dc79C8`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage(c, errors.New("it takes an address and a function"))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return call(c, args, o) },
	}
	o.node = rpcFlag(c)
	f := c.Flags()
	f.StringArrayVar(&o.abi, "abi", nil, "file with the contract's ABI, plain or an artefact of Hardhat or Foundry; may be repeated")
	f.StringVar(&o.from, "from", "", "address that calls; default the zero address")
	f.StringVar(&o.block, "block", "latest", "number, hash, latest, pending or earliest")
	f.StringVar(&o.value, "value", "0", "ether that is sent along, such as 1ether or 10gwei")
	f.BoolVar(&o.json, "json", false, "print one line of JSON")
	return c
}

func call(c *cobra.Command, args []string, o callOptions) error {
	known, err := interfaces(o.abi)
	if err != nil {
		return err
	}
	f, err := functionOf(args[1], len(args)-2, known)
	if err != nil {
		return usage(c, err)
	}
	message, to, err := messageOf(f, args, o)
	if err != nil {
		return usage(c, err)
	}
	block, err := blockOf(o.block)
	if err != nil {
		return usage(c, err)
	}
	var output hexutil.Bytes
	err = o.node.ask(c.Context(), &output, "eth_call", message, block)
	var r *refusal
	if errors.As(err, &r) {
		if data, ok := r.reverted(); ok {
			return errReverted.From(errors.New(known.Revert(data)))
		}
	}
	if err != nil {
		return err
	}
	if len(output) == 0 {
		if err := o.node.hasCode(c.Context(), to, block); err != nil {
			return err
		}
	}
	values, err := f.Results(output)
	if err != nil {
		return errResult.From(fmt.Errorf("0x%x: %w", []byte(output[:min(len(output), 100)]), err))
	}
	if o.json {
		return json.NewEncoder(c.OutOrStdout()).Encode(struct {
			Data   hexutil.Bytes    `json:"data"`
			Values []contract.Value `json:"values"`
		}{output, values})
	}
	return printResults(c.OutOrStdout(), output, values)
}

func printResults(out io.Writer, output []byte, values []contract.Value) error {
	if len(values) == 0 {
		_, err := fmt.Fprintln(out, hexutil.Encode(output))
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i := range values {
		v := &values[i]
		name := contract.Printable(v.Name)
		if name == "" {
			name = fmt.Sprint(i)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", name, v.Type, v.Text())
	}
	return w.Flush()
}

// interfaces reads the files of --abi.
func interfaces(files []string) (contract.Interfaces, error) {
	var list contract.Interfaces
	for _, name := range files {
		data, err := readInput(name)
		if err != nil {
			return nil, err
		}
		i, err := contract.Read(name, data)
		if err != nil {
			return nil, errABI.From(fmt.Errorf("%s: %w", name, err))
		}
		list = append(list, i)
	}
	return list, nil
}

var errABI = problem.New("ABI_FORMAT", "the file is no ABI of a contract",
	"give the JSON that the compiler wrote: the list itself, or an artefact of Hardhat or Foundry that has it as abi")

// functionOf finds the function that a word names: in the interfaces if there
// are any, and otherwise, or when it has results, as a signature.
func functionOf(word string, arguments int, known contract.Interfaces) (*contract.Function, error) {
	if len(known) == 0 || strings.Count(word, ")") > 1 {
		return contract.Signature(word)
	}
	var errs []error
	for _, i := range known {
		f, err := i.Function(word, arguments)
		if err == nil {
			return f, nil
		}
		errs = append(errs, err)
	}
	return nil, errs[0]
}

// messageOf is what eth_call takes.
func messageOf(f *contract.Function, args []string, o callOptions) (map[string]any, common.Address, error) {
	to, err := contract.Address(args[0])
	if err != nil {
		return nil, to, err
	}
	values, err := f.Arguments(args[2:])
	if err != nil {
		return nil, to, err
	}
	message := map[string]any{"to": to, "input": hexutil.Bytes(f.Call(values))}
	if o.from != "" {
		if message["from"], err = contract.Address(o.from); err != nil {
			return nil, to, fmt.Errorf("--from: %w", err)
		}
	}
	value, err := contract.Amount(o.value)
	if err != nil {
		return nil, to, fmt.Errorf("--value: %w", err)
	}
	message["value"] = (*hexutil.Big)(value)
	return message, to, nil
}

var (
	blockTag  = regexp.MustCompile(`^(latest|pending|earliest|safe|finalized)$`)
	blockHash = regexp.MustCompile(`^0x[0-9a-fA-F]{64}$`)
)

// blockOf is a block as methods take it (EIP-1898).
func blockOf(text string) (any, error) {
	switch {
	case blockTag.MatchString(text):
		return text, nil
	case blockHash.MatchString(text):
		return map[string]string{"blockHash": text}, nil
	}
	n, err := contract.Amount(text)
	if err != nil || !n.IsUint64() {
		return nil, fmt.Errorf("--block %s: give a number, a hash, latest, pending or earliest", text)
	}
	return hexutil.Uint64(n.Uint64()), nil
}

// hasCode says that there is no contract if there is none.
func (r *remote) hasCode(ctx context.Context, address common.Address, block any) error {
	var code hexutil.Bytes
	if err := r.ask(ctx, &code, "eth_getCode", address, block); err != nil {
		return err
	}
	if len(code) == 0 {
		return errNoContract
	}
	return nil
}
