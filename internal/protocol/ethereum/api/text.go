package api

import (
	"encoding/hex"
	"math/big"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
)

// The hexadecimal texts of the execution API: quantities have no leading zeros,
// data has two digits for each byte. Results are written with these functions,
// not with encoding/json, because blocks, receipts and logs are large and many.

// quantity is a number as a result.
type quantity uint64

// AppendJSON implements jsonrpc.Appender.
func (q quantity) AppendJSON(dst []byte) []byte { return appendQuantity(dst, uint64(q)) }

// data is bytes as a result.
type data []byte

// AppendJSON implements jsonrpc.Appender.
func (d data) AppendJSON(dst []byte) []byte { return appendData(dst, d) }

func appendQuantity(dst []byte, n uint64) []byte {
	dst = append(dst, `"0x`...)
	dst = strconv.AppendUint(dst, n, 16)
	return append(dst, '"')
}

func appendBig(dst []byte, n *big.Int) []byte {
	if n == nil {
		return append(dst, `"0x0"`...)
	}
	dst = append(dst, `"0x`...)
	dst = n.Append(dst, 16)
	return append(dst, '"')
}

func appendData(dst, b []byte) []byte {
	dst = append(dst, `"0x`...)
	dst = hex.AppendEncode(dst, b)
	return append(dst, '"')
}

// object writes a JSON object member by member.
type object struct{ dst []byte }

func begin(dst []byte) *object { return &object{append(dst, '{')} }

func (o *object) end() []byte { return append(o.dst, '}') }

// name writes a member's name, which needs no escapes; its value is written next.
func (o *object) name(name string) {
	if o.dst[len(o.dst)-1] != '{' {
		o.dst = append(o.dst, ',')
	}
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, name...)
	o.dst = append(o.dst, '"', ':')
}

func (o *object) quantity(name string, n uint64) {
	o.name(name)
	o.dst = appendQuantity(o.dst, n)
}

func (o *object) big(name string, n *big.Int) {
	o.name(name)
	o.dst = appendBig(o.dst, n)
}

func (o *object) data(name string, b []byte) {
	o.name(name)
	o.dst = appendData(o.dst, b)
}

func (o *object) null(name string) {
	o.name(name)
	o.dst = append(o.dst, "null"...)
}

// address writes an address, null for none.
func (o *object) address(name string, a *common.Address) {
	if a == nil {
		o.null(name)
		return
	}
	o.data(name, a[:])
}

// hash writes a hash, nothing at all for none.
func (o *object) hash(name string, h *common.Hash) {
	if h != nil {
		o.data(name, h[:])
	}
}

// appendList writes n elements.
func appendList(dst []byte, n int, element func(dst []byte, i int) []byte) []byte {
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = element(dst, i)
	}
	return append(dst, ']')
}
