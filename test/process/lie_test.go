package process

import (
	"bytes"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/contracts"
)

// TestShowFindsLies puts a liar between coco tx show and a node: whatever it
// changes of what the receipt proves is found, offline, with service.pem.
func TestShowFindsLies(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n := binary.Start(t, "--data", data)
	client := n.Dial(t)
	s := senders(t, n, client)[0]
	token := *s.must(t, client, nil, 0, contracts.Token.Deploy("Garden", "GDN", big.NewInt(1000))).ContractAddress
	paid := s.must(t, client, &token, 0, contracts.Token.Call("transfer", common.Address{7}, big.NewInt(25)))
	other := s.must(t, client, &token, 0, contracts.Token.Call("transfer", common.Address{7}, big.NewInt(25)))

	amount := "0000000000000000000000000000000000000000000000000000000000000019"
	for _, lie := range []struct {
		name, from, to string
		code           int
		says           string
	}{
		{"none", "\x00", "", 0, "proof VALID"},
		{"gas", `"gasUsed":"0x`, `"gasUsed":"0x1`, 3, "another ethereum.gas than the node tells"},
		{"status", `"status":"0x1"`, `"status":"0x0"`, 3, "another ethereum.status than the node tells"},
		{"event", `"data":"0x` + amount, `"data":"0x` + strings.Replace(amount, "19", "20", 1), 3, "another event 0 than the node tells"},
		{"no events", `"logs":[`, `"logs":[],"hidden":[`, 3, "another ethereum.logCount than the node tells"},
		{"contract", `"contractAddress":null`, `"contractAddress":"` + token.Hex() + `"`, 3, "another ethereum.created than the node tells"},
		{"input", amount + `","nonce"`, strings.Replace(amount, "19", "20", 1) + `","nonce"`, 1, "coco: NODE_ANSWER: "},
		{"receipt", `"commitEvidence": "`, `"commitEvidence": "00`, 3, "proof INVALID"},
		{"another's receipt", paid.TransactionHash.Hex() + `","json"`, other.TransactionHash.Hex() + `","json"`, 3, "the receipt is not of this transaction"},
	} {
		t.Run(lie.name, func(t *testing.T) {
			liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				response, err := http.Post(n.RPC, "application/json", bytes.NewReader(bytes.ReplaceAll(asked, []byte(lie.from), []byte(lie.to))))
				if err != nil {
					t.Error(err)
					return
				}
				defer response.Body.Close()
				answer, err := io.ReadAll(response.Body)
				if err != nil {
					t.Error(err)
				}
				w.Write(bytes.ReplaceAll(answer, []byte(lie.from), []byte(lie.to)))
			}))
			defer liar.Close()
			r := binary.Run(t, t.TempDir(), "tx", "show", paid.TransactionHash.Hex(), "--rpc", liar.URL, "--data", data)
			if said := r.Stdout + r.Stderr; r.Code != lie.code || !strings.Contains(strings.Join(strings.Fields(said), " "), lie.says) {
				t.Errorf("it ended with %d, not %d, and said\n%s", r.Code, lie.code, said)
			}
		})
	}
}
