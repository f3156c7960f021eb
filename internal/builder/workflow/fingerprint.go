package workflow

import (
	"bytes"
	"slices"
)

// fingerprint is code with the places in which two builds, or two contracts, of
// one source may differ.
type fingerprint struct {
	code []byte
	free [][2]int // from, to; in order, the last one empty at the end
}

// marks stand before the hash of the sources in the metadata that compilers put
// behind code (CBOR; "Contract Metadata" in Solidity's documentation), also in
// the middle, where a contract holds the code of another that it creates.
var marks = []struct {
	mark []byte
	hash int
}{
	{[]byte("\x65bzzr0\x58\x20"), 32},        // 0.4.7 to 0.5.8
	{[]byte("\x65bzzr1\x58\x20"), 32},        // 0.5.9 to 0.5.17
	{[]byte("\x64ipfs\x58\x22\x12\x20"), 32}, // since 0.6
	{[]byte("\x64solc\x43"), 3},              // the compiler's version
}

func newFingerprint(code []byte, immutables [][2]int) fingerprint {
	f := fingerprint{code: code}
	for _, m := range marks {
		for at := 0; ; {
			i := bytes.Index(code[at:], m.mark)
			if i < 0 {
				break
			}
			at += i + len(m.mark)
			f.free = append(f.free, [2]int{at, at + m.hash})
		}
	}
	for _, p := range immutables {
		f.free = append(f.free, [2]int{p[0], p[0] + p[1]})
	}
	slices.SortFunc(f.free, func(a, b [2]int) int { return a[0] - b[0] })
	f.free = append(f.free, [2]int{len(code), len(code)})
	return f
}

// equals is that other is the same code. No code equals nothing.
func (f fingerprint) equals(other []byte) bool {
	return len(other) == len(f.code) && f.begins(other)
}

// begins is that other begins with the code.
func (f fingerprint) begins(other []byte) bool {
	if len(f.code) == 0 || len(other) < len(f.code) {
		return false
	}
	at := 0
	for _, p := range f.free {
		from, to := min(max(p[0], at), len(f.code)), min(max(p[1], at), len(f.code))
		if !bytes.Equal(f.code[at:from], other[at:from]) {
			return false
		}
		at = to
	}
	return true
}
