package jsonrpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/coco-consortium/coco/internal/server/caller"
)

// rawBytes is a parameter like a signed transaction: bytes in hexadecimal.
type rawBytes []byte

func (r *rawBytes) UnmarshalJSON(text []byte) error {
	if len(text) < 4 || string(text[:3]) != `"0x` {
		return errors.New("no hex")
	}
	*r = make([]byte, hex.DecodedLen(len(text)-4))
	_, err := hex.Decode(*r, text[3:len(text)-1])
	return err
}

type sent struct{ id [32]byte }

func (s *sent) AppendJSON(dst []byte) []byte {
	dst = append(dst, `"0x`...)
	dst = hex.AppendEncode(dst, s.id[:])
	return append(dst, '"')
}

func sender() *Dispatcher {
	d := New(Limits{}, nil, slog.New(slog.DiscardHandler))
	HandlePrepared(d, "eth_sendRawTransaction",
		func(_ context.Context, _ *caller.Caller, p *struct{ Raw rawBytes }) (*sent, error) {
			s := new(sent)
			copy(s.id[:], p.Raw)
			return s, nil
		},
		func(_ context.Context, _ *caller.Caller, s *sent) (any, error) { return s, nil }, Prompt)
	return d
}

// The dispatcher's own cost of one eth_sendRawTransaction of an ERC-20
// transfer (174 bytes), signature recovery and pool left out.
func BenchmarkSend(b *testing.B) {
	call := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"eth_sendRawTransaction","params":["0x%x"]}`, 12345, bytes.Repeat([]byte{0xab}, 174))
	for _, n := range []int{1, 100} {
		request := []byte(call)
		if n > 1 {
			request = []byte("[" + call)
			for range n - 1 {
				request = append(append(request, ','), call...)
			}
			request = append(request, ']')
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := sender()
			ctx := context.Background()
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				out = d.Serve(ctx, request, out[:0])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/call")
		})
	}
}

// Allocations are exact: one call allocates what it must keep and little more.
func TestSendAllocations(t *testing.T) {
	d := sender()
	request := []byte(`{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0xabcdef"]}`)
	out := make([]byte, 0, 1024)
	n := testing.AllocsPerRun(200, func() { out = d.Serve(context.Background(), request, out[:0]) })
	if n > 4 {
		t.Errorf("%v allocations for a call, of at most 4", n)
	}
}
