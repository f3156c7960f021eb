package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/verify"
)

var errFile = problem.New("FILE", "a file cannot be read or written",
	"check the path and its permissions")

// maxInput bounds a receipt, checkpoint or certificate that is read from a file.
const maxInput = 32 << 20

func receiptCommand() *cobra.Command {
	c := &cobra.Command{Use: "receipt", Short: "Fetch receipts of transactions and check them offline"}
	c.AddCommand(receiptGet(), receiptVerify())
	return c
}

func receiptGet() *cobra.Command {
	var node *remote
	var output string
	var cose bool
	var disclose []string
	c := &cobra.Command{
		Use:   "get TXHASH|TXID",
		Short: "Fetch the receipt of a committed transaction from a node",
		Long: `Get fetches the proof that a transaction is committed. It says of the transaction
its hash and whether it succeeded, and with --disclose more: to whoever is shown
the receipt, and proven.`,
		Example: `  coco receipt get 2.17 > receipt.json
  coco receipt get 0x5c50… --cose --output receipt.cose
  coco receipt get 0x5c50… --disclose from,to,log > receipt.json`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := transactionName(args[0]); err != nil {
				return err
			}
			fields, err := claimNames(disclose)
			if err != nil {
				return usage(c, err)
			}
			var data []byte
			if cose { // base64 in JSON
				err = node.ask(c.Context(), &data, "coco_getReceipt", args[0], "cose", fields)
			} else {
				var receipt json.RawMessage
				err = node.ask(c.Context(), &receipt, "coco_getReceipt", args[0], "json", fields)
				data = append(receipt, '\n')
			}
			if err != nil {
				return err
			}
			return writeOutput(c.OutOrStdout(), output, data)
		},
	}
	node = rpcFlag(c)
	c.Flags().StringSliceVar(&disclose, "disclose", nil, "what else the receipt shows: from, to, value, nonce, gas, created, logCount, log (all of them), effectiveHeight")
	c.Flags().BoolVar(&cose, "cose", false, "fetch the receipt as COSE instead of JSON")
	c.Flags().StringVar(&output, "output", "", "file to write, instead of standard output")
	return c
}

// errHash says that a text is no transaction's name.
var errHash = problem.New("TRANSACTION_NAME", "that is not a transaction's name",
	"give its Ethereum hash, 0x and 64 hexadecimal digits, or its TxID, for example 2.17")

// transactionName checks the name of a transaction: a hash or a TxID.
func transactionName(text string) error {
	if !strings.HasPrefix(text, "0x") {
		_, err := sequencer.ParseTxID(text)
		return err
	}
	if new(common.Hash).UnmarshalText([]byte(text)) != nil {
		return errHash
	}
	return nil
}

// claimNames are the registered names of an Ethereum transaction's fields.
func claimNames(short []string) ([]string, error) {
	names := []string{}
	for _, s := range short {
		name := "ethereum." + s
		if _, ok := proof.FieldOf(name); !ok {
			return nil, fmt.Errorf("--disclose %s: no such field", s)
		}
		names = append(names, name)
	}
	return names, nil
}

func receiptVerify() *cobra.Command {
	var service string
	var asJSON, hardware bool
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a receipt offline with nothing but the service's certificate",
		Example: `  coco receipt verify receipt.json --service coco-data/service.pem
  coco receipt verify receipt.cose --service service.pem --json`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			data, err := readInput(args[0])
			if err != nil {
				return err
			}
			pem, err := readInput(service)
			if err != nil {
				return err
			}
			report, err := verify.Receipt(data, pem, verify.Options{AllowSimulated: !hardware})
			switch {
			case problem.CodeOf(err) == codeServiceKey: // nothing was checked
				return err
			case err != nil:
				terminal.Explain(c.ErrOrStderr(), err)
				if asJSON {
					err = json.NewEncoder(c.OutOrStdout()).Encode(proofOf(nil, err))
				}
				return errors.Join(terminal.Exit(terminal.Invalid), err)
			case asJSON:
				return json.NewEncoder(c.OutOrStdout()).Encode(proofOf(report, nil))
			}
			return printReceipt(c.OutOrStdout(), report)
		},
	}
	c.Flags().StringVar(&service, "service", "service.pem", "the service's certificate")
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	c.Flags().BoolVar(&hardware, "require-hardware", false, "refuse receipts of a simulated network")
	return c
}

// codeServiceKey is the problem of a service certificate that cannot be used.
const codeServiceKey problem.Code = "SERVICE_KEY"

// proofReport is the JSON of a receipt that was checked.
type proofReport struct {
	Valid  bool         `json:"valid"`
	Code   problem.Code `json:"code,omitempty"`   // why it is not
	Reason string       `json:"reason,omitempty"` // likewise, in words
	*verify.ReceiptReport
}

func proofOf(report *verify.ReceiptReport, err error) *proofReport {
	if err != nil {
		return &proofReport{Code: problem.CodeOf(err), Reason: err.Error()}
	}
	return &proofReport{Valid: true, ReceiptReport: report}
}

func printReceipt(out io.Writer, r *verify.ReceiptReport) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "VALID\tthe transaction is committed in this ledger\n")
	fmt.Fprintf(w, "transaction\t%s\n", r.Transaction)
	for _, c := range r.Disclosed {
		fmt.Fprintf(w, "%s\t0x%x\n", c.Name, c.Value)
	}
	fmt.Fprintf(w, "block\t%d, hash %s\n", r.Height, r.Block)
	fmt.Fprintf(w, "time\t%s\n", r.Time.Format(time.RFC3339Nano))
	fmt.Fprintf(w, "service\t%s\n", r.Service)
	if r.Mode == "simulated" {
		fmt.Fprintf(w, "WARNING\tthe network is SIMULATED: no hardware protects it\n")
	}
	return w.Flush()
}

// writeOutput writes to a file, or to out when none is named.
func writeOutput(out io.Writer, name string, data []byte) error {
	var err error
	if name == "" {
		_, err = out.Write(data)
	} else {
		err = os.WriteFile(name, data, 0o644)
	}
	if err != nil {
		return errFile.From(err)
	}
	return nil
}

func readInput(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, errFile.From(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxInput+1))
	if err != nil {
		return nil, errFile.From(err)
	}
	if len(data) > maxInput {
		return nil, errFile.From(fmt.Errorf("%s is larger than %d bytes", name, maxInput))
	}
	return data, nil
}
