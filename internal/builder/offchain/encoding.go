package offchain

import (
	"encoding/binary"
	"errors"
	"math/big"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// Values and arguments stand twice in the database: as rows of their own, which
// filters and views use, and packed in the row of their contract or action, so
// that a page of a list is one query. Packed is: a count, then for each an id
// and its texts, with lengths; integers are unsigned varints.

func packText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func packValues(values []Value) []byte {
	b := binary.AppendUvarint(nil, uint64(len(values)))
	for _, v := range values {
		b = packText(binary.AppendUvarint(b, uint64(v.PropertyID)), v.Value)
	}
	return b
}

func packArguments(arguments []Argument) []byte {
	b := binary.AppendUvarint(nil, uint64(len(arguments)))
	for _, a := range arguments {
		b = packText(packText(binary.AppendUvarint(b, uint64(a.ParameterID)), a.Name), a.Value)
	}
	return b
}

var errPacked = errors.New("a packed column is damaged")

// unpacker reads what pack wrote. Texts share one string.
type unpacker struct {
	text string
	err  error
}

func (u *unpacker) number() int {
	var n uint64
	for i := 0; i < len(u.text) && i < binary.MaxVarintLen64; i++ {
		n |= uint64(u.text[i]&0x7f) << (7 * i)
		if u.text[i] < 0x80 {
			u.text = u.text[i+1:]
			return int(n)
		}
	}
	u.err = errPacked
	return 0
}

func (u *unpacker) string() string {
	n := u.number()
	if n < 0 || n > len(u.text) {
		u.err = errPacked
		return ""
	}
	s := u.text[:n]
	u.text = u.text[n:]
	return s
}

func unpackValues(b []byte) ([]Value, error) {
	u := unpacker{text: string(b)}
	n := u.number()
	if n < 0 || n > len(b) {
		return nil, errPacked
	}
	out := make([]Value, 0, n)
	for range n {
		out = append(out, Value{u.number(), u.string()})
		if u.err != nil {
			return nil, u.err
		}
	}
	return out, u.err
}

func unpackArguments(b []byte) ([]Argument, error) {
	u := unpacker{text: string(b)}
	n := u.number()
	if n < 0 || n > len(b) {
		return nil, errPacked
	}
	out := make([]Argument, 0, n)
	for range n {
		out = append(out, Argument{ParameterID: u.number(), Name: u.string(), Value: u.string()})
		if u.err != nil {
			return nil, u.err
		}
	}
	return out, u.err
}

// foldLimit is how many characters of a value are indexed.
const foldLimit = 64

// fold is the form of a value that is searched: lower case, its beginning.
func fold(s string) string {
	s = strings.ToLower(s)
	n := 0
	for i := range s {
		if n == foldLimit {
			return s[:i]
		}
		n++
	}
	return s
}

// Addresses and hashes are kept in lower case; a zero one is an empty text.

func addressText(a common.Address) string {
	if a == (common.Address{}) {
		return ""
	}
	return strings.ToLower(a.Hex())
}

func hashText(h common.Hash) string {
	if h == (common.Hash{}) {
		return ""
	}
	return h.Hex()
}

// optional is a text that is NULL when empty.
func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func weiText(v *big.Int) string {
	if v == nil {
		return "0"
	}
	return v.String()
}

// addressFull is an address that may be zero.
func addressFull(a common.Address) string { return strings.ToLower(a.Hex()) }
