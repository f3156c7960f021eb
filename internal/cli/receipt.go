package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/verify"
)

var (
	errNode = problem.New("NODE_UNREACHABLE", "the node did not answer",
		"check that it runs and that --rpc names its address")
	errAnswer = problem.New("NODE_REFUSED", "the node refused the request",
		"see the cause; a transaction has a receipt once it is committed")
	errFile = problem.New("FILE", "a file cannot be read or written",
		"check the path and its permissions")
)

// maxInput bounds a receipt, checkpoint or certificate that is read from a file.
const maxInput = 32 << 20

func receiptCommand() *cobra.Command {
	c := &cobra.Command{Use: "receipt", Short: "Fetch receipts of transactions and check them offline"}
	c.AddCommand(receiptGet(), receiptVerify())
	return c
}

func receiptGet() *cobra.Command {
	var rpc, output string
	var cose bool
	c := &cobra.Command{
		Use:   "get TXHASH|TXID",
		Short: "Fetch the receipt of a committed transaction from a node",
		Example: `  coco receipt get 2.17 > receipt.json
  coco receipt get 0x5c50… --cose --output receipt.cose`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			form := "json"
			if cose {
				form = "cose"
			}
			result, err := call(c.Context(), rpc, "coco_getReceipt", args[0], form)
			if err != nil {
				return err
			}
			data := append(result, '\n')
			if cose {
				var text string
				if err := json.Unmarshal(result, &text); err != nil {
					return errAnswer.From(err)
				}
				if data, err = base64.StdEncoding.DecodeString(text); err != nil {
					return errAnswer.From(err)
				}
			}
			return writeOutput(c.OutOrStdout(), output, data)
		},
	}
	c.Flags().StringVar(&rpc, "rpc", "http://127.0.0.1:8545", "address of the node's JSON-RPC")
	c.Flags().BoolVar(&cose, "cose", false, "fetch the receipt as COSE instead of JSON")
	c.Flags().StringVar(&output, "output", "", "file to write, instead of standard output")
	return c
}

// call is one JSON-RPC request.
func call(ctx context.Context, url, method string, params ...any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, errNode.From(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, errNode.From(err)
	}
	defer response.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
		}
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxInput)).Decode(&answer); err != nil {
		return nil, errNode.From(fmt.Errorf("%s: not a JSON-RPC answer: %w", response.Status, err))
	}
	if answer.Error != nil {
		return nil, errAnswer.From(errors.New(answer.Error.Message))
	}
	return answer.Result, nil
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
			if err != nil {
				explain(c.ErrOrStderr(), err)
				return exit(exitInvalid)
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(report)
			}
			return printReceipt(c.OutOrStdout(), report)
		},
	}
	c.Flags().StringVar(&service, "service", "service.pem", "the service's certificate")
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	c.Flags().BoolVar(&hardware, "require-hardware", false, "refuse receipts of a simulated network")
	return c
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
