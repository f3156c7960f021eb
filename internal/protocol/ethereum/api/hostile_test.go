package api

import (
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// burner is creation code that calls a precompile with some input, over and over,
// until its gas or its time is used up.
func burner(precompile byte, input []byte) hexutil.Bytes {
	size := len(input)
	code := []byte{
		0x61, byte(size >> 8), byte(size), 0x60, 0x21, 0x60, 0, 0x39, // CODECOPY(0, 0x21, size)
		0x5b,                                                // 8: the loop
		0x60, 0, 0x60, 0, 0x61, byte(size >> 8), byte(size), // returns nothing; the input
		0x60, 0, 0x60, precompile, 0x5a, 0xfa, 0x50, // STATICCALL(all gas, precompile, ...)
		0x60, 8, 0x56,
	}
	for len(code) < 0x21 {
		code = append(code, 0)
	}
	return append(code, input...)
}

// A call may burn its gas in the slowest precompiles: it ends, by its gas or by
// its time, with a plain error, and others are answered meanwhile.
func TestBurningCalls(t *testing.T) {
	w := newWorld(t)
	word := func(n byte) string { return strings.Repeat("00", 31) + hex.EncodeToString([]byte{n}) }
	full := strings.Repeat("ff", 192)
	for name, code := range map[string]hexutil.Bytes{
		"modexp":    burner(5, hexutil.MustDecode("0x"+word(192)+word(24)+word(192)+full+full[:48]+full)),
		"pairing":   burner(8, make([]byte, 192*3)),
		"blake2":    burner(9, hexutil.MustDecode("0x00004e20"+strings.Repeat("01", 208)+"01")),
		"ecrecover": burner(1, hexutil.MustDecode("0x"+strings.Repeat("11", 32)+word(27)+strings.Repeat("22", 64))),
	} {
		t.Run(name, func(t *testing.T) {
			var running sync.WaitGroup
			running.Go(func() {
				got := w.call("eth_call", map[string]any{"data": code}, "latest")
				if !strings.Contains(got, "out of gas") && !strings.Contains(got, "CALL_TIMEOUT") {
					t.Errorf("got %.300s", got)
				}
			})
			if got := w.call("eth_blockNumber"); got != `"0x0"` {
				t.Errorf("meanwhile: %s", got)
			}
			running.Wait()
		})
	}
}
