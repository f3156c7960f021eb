package cli

import (
	"bytes"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/coco-consortium/coco/internal/cli/contract"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// pageProof is what the ledger's receipt proves of a page.
type pageProof struct {
	proofReport
	Trusted string `json:"trusted"` // where the service's certificate is from: a file's name, or node
	Events  bool   `json:"events"`  // the events are proven too
}

// claim is a field that the receipt discloses.
func (p *pageProof) claim(name string, index uint64) ([]byte, bool) {
	if p.ReceiptReport != nil {
		for _, c := range p.Disclosed {
			if c.Name == name && c.Index == index {
				return c.Value, true
			}
		}
	}
	return nil, false
}

// fail says that the receipt does not prove what the page shows.
func (p *pageProof) fail(why string) {
	if p.Valid || p.Code == "" {
		p.Valid, p.Code, p.Reason = false, "RECEIPT_INVALID", why
	}
}

// compare holds what the node told of an outcome against what the receipt proves.
func (p *pageProof) compare(o *outcome) {
	status := uint64(0)
	if o.Succeeded {
		status = 1
	}
	var created []byte
	if o.Created != nil {
		created = o.Created[:]
	}
	for _, c := range []struct {
		name string
		told []byte
	}{
		{"ethereum.status", new(big.Int).SetUint64(status).Bytes()},
		{"ethereum.gas", new(big.Int).SetUint64(o.GasUsed).Bytes()},
		{"ethereum.logCount", big.NewInt(int64(len(o.Events))).Bytes()},
		{"ethereum.created", created},
	} {
		if proven, ok := p.claim(c.name, 0); !ok || !bytes.Equal(proven, c.told) {
			p.fail("the receipt proves another " + c.name + " than the node tells")
		}
	}
	if p.Height != o.Block {
		p.fail("the receipt proves another block than the node tells")
	}
	p.Events = true
	for i, e := range o.Events {
		proven, ok := p.claim("ethereum.log", uint64(i))
		told, err := rlp.EncodeToBytes([]any{e.Address, append([]common.Hash{}, e.Topics...), []byte(e.Data)})
		if !ok {
			p.Events = false
		} else if err != nil || !bytes.Equal(proven, told) {
			p.fail(fmt.Sprintf("the receipt proves another event %d than the node tells", i))
		}
	}
}

func (p *pageProof) print(w io.Writer) {
	if p.Valid {
		what := "block number, time, status, gas and events"
		if !p.Events {
			what = "block number, time, status and gas; the events are too many, and the node's word"
		}
		fmt.Fprintf(w, "proof\tVALID: the receipt proves the transaction with its %s\n", what)
		_, seqno, _ := strings.Cut(p.Transaction, ".")
		fmt.Fprintf(w, "\tleaf %s of %d, root %s, signed by node %d\n", seqno, p.TreeSize, p.Root, p.Node)
		fmt.Fprintf(w, "service\t%s\n", p.Service)
	} else {
		fmt.Fprintf(w, "proof\tINVALID: %s\n", contract.Printable(p.Reason))
	}
	if p.Trusted == "node" {
		fmt.Fprintf(w, "trusted\tthe certificate that the node gave: this proves nothing against the node; give --service service.pem\n")
	} else {
		fmt.Fprintf(w, "trusted\t%s\n", p.Trusted)
	}
	if p.Valid && p.Mode == format.ModeSimulated {
		fmt.Fprintf(w, "WARNING\tthe network is SIMULATED: no hardware protects it\n")
	}
}
