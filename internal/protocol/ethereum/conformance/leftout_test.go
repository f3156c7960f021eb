package conformance

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// leftOut is why a method, or one vector of it (method/file), is not answered as
// the vectors want. docs/reference/json-rpc.md has the same reasons.
var leftOut = map[string]string{
	"eth_getProof":                        "there is no state trie",
	"testing_buildBlockV1":                "blocks are made and committed by the network itself",
	"eth_sendRawTransaction/send-blob-tx": "blobs have nowhere to be kept",
	"txpool_content/get-content":          "who sent a transaction that is not committed yet is not shown to others",
	"eth_simulateV1/ethSimulate-overflow-nonce": "a nonce never wraps (EIP-2681); geth 1.17.10 refuses it too, " +
		"the vector is of an earlier one",
	"eth_simulateV1/ethSimulate-use-as-many-features-as-possible": "transfers that were undone do not count in `logIndex`; " +
		"geth 1.17.10 counts so too, the vector is of an earlier one",
}

func TestLeftOutIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/reference/json-rpc.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, reason := range leftOut {
		if row := fmt.Sprintf("| `%s` | %s |", name, reason); !strings.Contains(string(text), row) {
			t.Errorf("docs/reference/json-rpc.md lacks the row %s", row)
		}
	}
}
