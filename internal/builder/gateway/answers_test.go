package gateway

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

var moment = time.Date(2018, 4, 29, 23, 41, 14, 933_333_300, time.UTC)

func contractRow(id, properties int) offchain.Contract {
	c := offchain.Contract{ID: id, ApplicationID: 1, WorkflowID: 1, CodeID: 1, ConnectionID: 1, Status: 5,
		Address: common.HexToAddress("0xbcb6127be062acd37818af290c0e43479a153a1c"), DeployedBy: 1, CreatedAt: moment, ModifiedAt: moment, StateID: 8, BlockNumber: 5}
	for i := range properties {
		c.Values = append(c.Values, offchain.Value{PropertyID: i + 1, Value: fmt.Sprintf("0x%040x", i)})
	}
	return c
}

// TestContractInBothVersions is a contract as Workbench's clients know it, byte
// for byte.
func TestContractInBothVersions(t *testing.T) {
	c := contractRow(1, 1)
	to := c.Address
	h := history{withActions: true, withTransactions: true,
		actions: []offchain.Action{{ID: 1, ContractID: 1, FunctionID: 5, PersonID: 1, Status: 5, At: moment, TransactionID: 5, StateID: 8, RequestID: "r",
			Arguments: []offchain.Argument{{ParameterID: 3, Name: "description", DisplayName: "Description", Value: "a <car>"}, {Name: "x", Value: ""}},
			ErrorCode: "REVERTED", ErrorMessage: "the contract refused", RevertReason: "too late"}},
		transactions: []offchain.Transaction{{ID: 5, ConnectionID: 1, BlockID: 7, BlockNumber: 5, Hash: common.HexToHash("0xf3"), To: &to, Value: big.NewInt(7), Ours: true, Status: 5}},
	}
	transaction := `{"id":5,"connectionId":1,"transactionHash":"0x00000000000000000000000000000000000000000000000000000000000000f3","blockID":7,` +
		`"from":null,"to":"0xbcb6127be062acd37818af290c0e43479a153a1c","value":7,"isAppBuilderTx":true,"blockNumber":5,"blockHash":null,"provisioningStatus":5,"txId":null}`
	want := `{"id":1,"provisioningStatus":%d,"timestamp":"2018-04-29T23:41:14.9333333","connectionID":1,` +
		`"ledgerIdentifier":"0xbcb6127be062acd37818af290c0e43479a153a1c","deployedByUserId":1,"workflowId":1,"contractCodeId":1,` +
		`"contractProperties":[{"workflowPropertyId":1,"value":"0x0000000000000000000000000000000000000000"}],"transactions":[` + transaction + `],` +
		`"contractActions":[{"id":1,"userId":1,"provisioningStatus":%d,"timestamp":"2018-04-29T23:41:14.9333333","parameters":[` +
		`{"name":"Description","value":"a <car>","workflowFunctionParameterId":3},{"name":"x","value":"","workflowFunctionParameterId":null}],` +
		`"workflowFunctionId":5,"transactionId":5,"workflowStateId":8,"requestId":"r","functionName":null,"from":null,"callerContractId":null,"transactionHash":null,"txId":null%s}],` +
		`"requestId":null,"applicationId":1,"workflowStateId":8,"modifiedDtTm":"2018-04-29T23:41:14.9333333","modifiedByUserId":null,"blockNumber":5}`
	for version, want := range map[int]string{
		1: fmt.Sprintf(want, 1, 1, ""),
		2: fmt.Sprintf(want, 5, 5, `,"errorCode":"REVERTED","errorMessage":"the contract refused","revertReason":"too late"`),
	} {
		var w writer
		writeContract(&w, &c, version, &h)
		if got := string(w.b); got != want {
			t.Errorf("version %d:\ngot  %s\nwant %s", version, got, want)
		}
	}
}

// listing answers a list of contracts as the route does, without what is below.
func listing(contracts []offchain.Contract, next bool) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c := &call{g: &Gateway{}, w: w, r: httptest.NewRequest(get, "/api/v1/contracts?workflowId=1&TOP=3&skip=0", nil), version: 1}
	p := workspace.Page{Skip: 0, Top: 3}
	if err := list(c, "contracts", p, workspace.List[offchain.Contract]{Items: contracts, Total: len(contracts), Next: next},
		func(w *writer, one *offchain.Contract) { writeContract(w, one, 1, &history{}) }); err != nil {
		panic(err)
	}
	return w
}

func TestListsSayWhereTheyGoOn(t *testing.T) {
	w := listing([]offchain.Contract{contractRow(1, 2)}, true)
	answered(t, get, "/api/v1/contracts", w.Code, w.Header(), w.Body.Bytes())
	var l struct {
		NextLink  *string
		Contracts []struct{ Transactions, ContractActions *[]int }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &l); err != nil {
		t.Fatal(err)
	}
	if l.NextLink == nil || *l.NextLink != "/api/v1/contracts?TOP=3&skip=3&workflowId=1" {
		t.Errorf("nextLink is %v", *l.NextLink)
	}
	if l.Contracts[0].Transactions != nil || l.Contracts[0].ContractActions != nil {
		t.Error("a list has transactions or actions")
	}
	if w := listing([]offchain.Contract{contractRow(1, 2)}, false); !json.Valid(w.Body.Bytes()) || w.Body.String()[:16] != `{"nextLink":null` {
		t.Errorf("the last page begins with %.40s", w.Body)
	}
	if w := listing(nil, false); w.Code != 204 || w.Body.Len() != 0 {
		t.Errorf("an empty list is %d %s", w.Code, w.Body)
	}
}

// TestTotalsAreTold wants a number where it is known, and none where it is not.
func TestTotalsAreTold(t *testing.T) {
	for want, l := range map[string]workspace.List[offchain.Contract]{
		"7": {Items: make([]offchain.Contract, 1), Total: 7},
		"":  {Items: make([]offchain.Contract, 1), Total: 10_000, AtLeast: true},
	} {
		w := httptest.NewRecorder()
		c := &call{g: &Gateway{}, w: w, r: httptest.NewRequest(get, "/api/v1/contracts", nil), version: 1}
		if err := list(c, "contracts", workspace.Page{}, l, func(w *writer, one *offchain.Contract) { writeContract(w, one, 1, &history{}) }); err != nil {
			t.Fatal(err)
		}
		if got := w.Header().Get("X-Total-Count"); got != want {
			t.Errorf("of %d (at least: %v) the number is %q", l.Total, l.AtLeast, got)
		}
	}
}

// BenchmarkWriter is the writing alone.
func BenchmarkWriter(b *testing.B) {
	contracts := make([]offchain.Contract, 50)
	for i := range contracts {
		contracts[i] = contractRow(i+1, 10)
	}
	var w writer
	b.ReportAllocs()
	for b.Loop() {
		w.b = w.b[:0]
		for i := range contracts {
			writeContract(&w, &contracts[i], 1, &history{})
		}
		b.SetBytes(int64(len(w.b)))
	}
}

// BenchmarkList answers a page of 50 contracts with ten properties each.
func BenchmarkList(b *testing.B) {
	var contracts []offchain.Contract
	for i := range 50 {
		contracts = append(contracts, contractRow(i, 10))
	}
	b.ReportAllocs()
	for b.Loop() {
		w := listing(contracts, true)
		b.SetBytes(int64(w.Body.Len()))
	}
}
