package cli

import (
	"fmt"
	"io"
	"math/big"
	"text/tabwriter"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/internal/cli/contract"
)

// maxEvents and maxBytes are how much of a page people are shown; --json has all.
const (
	maxEvents = 50
	maxBytes  = 64
)

// print writes the page for people. Everything that a contract or a node says
// in free text is made printable.
func (p *page) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "status\t%s\n", p.state())
	if p.TxID != "" {
		fmt.Fprintf(w, "TxID\t%s\n", p.TxID)
	}
	if p.Transaction != nil {
		p.printTransaction(w)
	}
	if p.Outcome != nil {
		p.printEvents(w)
	}
	if p.Proof != nil {
		p.Proof.print(w)
	}
	return w.Flush()
}

// state is the status in words.
func (p *page) state() string {
	switch p.Status {
	case "committed":
		switch o := p.Outcome; {
		case o == nil:
			return "committed"
		case o.Succeeded:
			return "committed, succeeded"
		case len(o.RevertData) == 0 && o.Failure != "" && o.Failure != "execution reverted":
			return "committed, FAILED: " + o.Failure
		default:
			return "committed, FAILED: reverted " + o.Revert
		}
	case "pending":
		return "pending: admitted, not committed yet; ask again in a moment"
	case "refused":
		return "refused: " + p.Reason
	case "invalid":
		return "invalid: it was not committed and never will be; send it again"
	}
	return "unknown: this node has never seen it, or refused it more than ten minutes ago"
}

func (p *page) printTransaction(w io.Writer) {
	t, o := p.Transaction, p.Outcome
	fmt.Fprintf(w, "transaction\t%s\n", t.Hash)
	if o != nil {
		fmt.Fprintf(w, "block\t%d, hash %s, transaction %d\n", o.Block, o.BlockHash, o.Index)
		if !o.Time.IsZero() {
			fmt.Fprintf(w, "time\t%s\n", o.Time.UTC().Format(time.RFC3339Nano))
		}
	}
	fmt.Fprintf(w, "from\t%s, nonce %d\n", t.From.Hex(), t.Nonce)
	switch {
	case t.To != nil:
		fmt.Fprintf(w, "to\t%s\n", t.To.Hex())
	case o != nil && o.Created != nil:
		fmt.Fprintf(w, "creates\t%s\n", o.Created.Hex())
	default:
		fmt.Fprintf(w, "creates\ta contract\n")
	}
	wei, _ := new(big.Int).SetString(t.Value, 10)
	fmt.Fprintf(w, "value\t%s ETH\n", contract.Ether(wei))
	if o != nil {
		fmt.Fprintf(w, "gas\t%d of %d, free\n", o.GasUsed, t.Gas)
	} else {
		fmt.Fprintf(w, "gas\tup to %d, free\n", t.Gas)
	}
	switch {
	case t.Call != nil:
		fmt.Fprintf(w, "call\t%s\n", t.Call)
	case len(t.Input) > 0:
		fmt.Fprintf(w, "input\t%s\n", brief(t.Input))
	}
}

func (p *page) printEvents(w io.Writer) {
	for i, e := range p.Outcome.Events {
		if i == maxEvents {
			fmt.Fprintf(w, "events\t… %d more, see --json\n", len(p.Outcome.Events)-i)
			break
		}
		what := "data " + brief(e.Data)
		if e.Decoded != nil {
			what = e.Decoded.String()
		} else if len(e.Topics) > 0 {
			what = "topic " + e.Topics[0].Hex() + ", " + what
		}
		fmt.Fprintf(w, "event %d\t%s: %s\n", i, e.Address.Hex(), what)
	}
}

func brief(data []byte) string {
	if len(data) <= maxBytes {
		return hexutil.Encode(data)
	}
	return fmt.Sprintf("%s… (%d bytes)", hexutil.Encode(data[:maxBytes]), len(data))
}
