package conformance

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
)

// TestCompare makes sure that a vector can fail.
func TestCompare(t *testing.T) {
	for name, test := range map[string]struct {
		method, want, got string
		shapeOnly         bool
		differs           string // what the difference is called, "" for none
	}{
		"equal":             {want: `{"a":[1,"x",null]}`, got: `{"a":[1,"x",null]}`},
		"order of members":  {want: `{"a":1,"b":2}`, got: `{"b":2,"a":1}`},
		"value":             {want: `{"a":{"b":"0x1"}}`, got: `{"a":{"b":"0x2"}}`, differs: `.a.b is "0x2", want "0x1"`},
		"missing":           {want: `{"a":1,"b":2}`, got: `{"a":1}`, differs: "lacks b"},
		"too much":          {want: `{"a":1}`, got: `{"a":1,"b":2}`, differs: "has b"},
		"null is something": {want: `{"a":null}`, got: `{}`, differs: "lacks a"},
		"length":            {want: `[1,2]`, got: `[1]`, differs: "is [1], want [1,2]"},
		"number or text":    {want: `1`, got: `"1"`, differs: `is "1", want 1`},
		"words of an error": {want: `{"error":{"code":3,"message":"a"}}`, got: `{"error":{"code":3,"message":"b"}}`},
		"inner error":       {want: `[{"error":{"code":3,"message":"a"}}]`, got: `[{"error":{"code":3,"message":"b"}}]`},
		"code of an error":  {want: `{"error":{"code":3,"message":"a"}}`, got: `{"error":{"code":4,"message":"a"}}`, differs: ".error.code is 4"},
		"what to do next":   {want: `{"error":{"code":3,"message":"a"}}`, got: `{"error":{"code":3,"message":"b","data":{"code":"X","next":"y"}}}`},
		"other data":        {want: `{"error":{"code":3,"message":"a"}}`, got: `{"error":{"code":3,"message":"b","data":"0x"}}`, differs: "has data"},
		"no JSON":           {want: `1`, got: `{`, differs: "no JSON"},

		"shape":           {shapeOnly: true, want: `{"a":["x"],"b":1}`, got: `{"a":["y","z"],"b":2}`},
		"shape: missing":  {shapeOnly: true, want: `{"a":1,"b":2}`, got: `{"a":1}`, differs: "lacks b"},
		"shape: too much": {shapeOnly: true, want: `{"a":1}`, got: `{"a":1,"b":2}`, differs: "has b"},
		"shape: null":     {shapeOnly: true, want: `{"a":"x"}`, got: `{"a":null}`, differs: ".a is null"},
		"shape: list":     {shapeOnly: true, want: `{"a":[]}`, got: `{"a":{}}`, differs: ".a is {}"},
		"shape: element":  {shapeOnly: true, want: `[{"a":1},{"b":1}]`, got: `[{"b":2},{"c":3}]`, differs: "[1]"},
		"optional":        {shapeOnly: true, method: "eth_capabilities", want: `{"a":1,"oldestBlock":"x"}`, got: `{"a":1}`},
		"error expected":  {shapeOnly: true, want: `{"result":1}`, got: `{"error":{"code":1}}`, differs: "lacks result"},

		"root":       {method: "eth_simulateV1", want: simulated("0x11", "0x2"), got: simulated("0x22", "0x2")},
		"under root": {method: "eth_simulateV1", want: simulated("0x11", "0x2"), got: simulated("0x11", "0x3"), differs: "is"},
	} {
		v := &vector{name: test.method + "/test", shapeOnly: test.shapeOnly, exchanges: []exchange{{[]byte(`{}`), []byte(test.want)}}}
		err := v.run(func([]byte) []byte { return []byte(test.got) })
		if (err == nil) != (test.differs == "") || err != nil && !strings.Contains(err.Error(), test.differs) {
			t.Errorf("%s: %v, want %q", name, err, test.differs)
		}
	}
}

func TestParseVector(t *testing.T) {
	v, err := parseVector("eth_x/y", []byte("// words\n// speconly: yes\n\n>> {\"a\":1}\n<< {\"b\":2}\n>> []\n<< 3\n"))
	if err != nil || !v.shapeOnly || len(v.exchanges) != 2 || v.method() != "eth_x" || string(v.exchanges[1].response) != "3" {
		t.Errorf("%+v, %v", v, err)
	}
	for _, text := range []string{"", ">> {}", "<< {}", ">> {}\n<< {", ">> {}\n<< {}\n<< {}", ">> {}\nwords\n<< {}"} {
		if _, err := parseVector("x", []byte(text)); err == nil {
			t.Errorf("%q parsed", text)
		}
	}
}

// simulated is the answer with a simulated block whose hash follows from its
// members.
func simulated(root, gas string) string {
	b := map[string]any{
		"parentHash": word("0x1"), "sha3Uncles": word("0x2"), "miner": "0x" + strings.Repeat("00", 20), "stateRoot": word(root),
		"transactionsRoot": word("0x3"), "receiptsRoot": word("0x4"), "logsBloom": "0x" + strings.Repeat("00", 256), "difficulty": "0x0",
		"number": "0x1", "gasLimit": "0x9", "gasUsed": gas, "timestamp": "0x5", "extraData": "0x", "mixHash": word("0x6"), "nonce": "0x0000000000000000",
	}
	b["hash"] = hashOf(b)
	b["calls"] = []any{map[string]any{"returnData": b["hash"]}}
	text, err := json.Marshal(map[string]any{"result": []any{b}})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func word(s string) string { return common.HexToHash(s).Hex() }
