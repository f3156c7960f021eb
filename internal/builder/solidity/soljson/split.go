package soljson

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// maxBinary is how large the WebAssembly within a script may be.
const maxBinary = 64 << 20

var (
	wasmMagic = []byte("\x00asm")
	// Newer builds assign the module compressed:
	// Module["wasmBinary"] = (function(source, uncompressedSize){...})("utcW...", 22012583);
	packed = regexp.MustCompile(`^\s*,\s*([0-9]{1,9})\s*\)\s*;?`)
	// Others carry it as a data URI or as plain base64.
	dataURI = []byte("data:application/octet-stream;base64,")
)

// split separates a script into its glue and the WebAssembly within, nil where
// the compiler is asm.js. The glue keeps a placeholder where the module was.
func split(script []byte) (glue string, module []byte, err error) {
	start, end := longest(script)
	if end-start < 1<<20 {
		return string(script), nil, nil
	}
	text := script[start:end]
	if raw, ok := bytes.CutPrefix(text, dataURI); ok {
		module, err := decode(raw)
		if err != nil || !bytes.HasPrefix(module, wasmMagic) {
			return string(script), nil, nil // memory of an asm.js build
		}
		return splice(script, start, end, string(dataURI)), module, nil
	}
	raw, err := decode(text)
	if err != nil {
		return string(script), nil, nil
	}
	if bytes.HasPrefix(raw, wasmMagic) {
		return splice(script, start, end, ""), raw, nil
	}
	m := packed.FindSubmatchIndex(script[end+1:])
	if m == nil {
		return string(script), nil, nil
	}
	size, err := strconv.Atoi(string(script[end+1+m[2] : end+1+m[3]]))
	if err != nil || size > maxBinary {
		return "", nil, fmt.Errorf("the module within the script is larger than %d bytes", maxBinary)
	}
	if module, err = unpack(raw, size); err != nil {
		return "", nil, err
	}
	if !bytes.HasPrefix(module, wasmMagic) {
		return "", nil, errors.New("what the script unpacks is no WebAssembly")
	}
	// An empty stream unpacks to nothing: four zero bytes end it.
	return string(script[:start]) + "AAAAAA==" + string(script[end:end+1]) + ", 8)" + string(script[end+1+m[3]+closing(script[end+1+m[3]:]):]), module, nil
}

// closing is the length up to and with the closing parenthesis.
func closing(text []byte) int { return bytes.IndexByte(text, ')') + 1 }

func splice(script []byte, start, end int, with string) string {
	return string(script[:start]) + with + string(script[end:])
}

// longest finds the longest run of base64 between two quotes, which may begin
// as a data URI.
func longest(script []byte) (start, end int) {
	for i := 0; i < len(script); {
		q := bytes.IndexAny(script[i:], `"'`)
		if q < 0 {
			break
		}
		from := i + q + 1
		to := from
		if bytes.HasPrefix(script[from:], dataURI) {
			to += len(dataURI)
		}
		for to < len(script) && is64(script[to]) {
			to++
		}
		if to < len(script) && script[to] == script[from-1] && to-from > end-start {
			start, end = from, to
		}
		i = max(to, from)
	}
	return start, end
}

func is64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '='
}

func decode(text []byte) ([]byte, error) {
	text = bytes.TrimRight(text, "=")
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, err := base64.RawStdEncoding.Decode(out, text)
	return out[:n], err
}

// unpack undoes the blocks of mini-lz4.js: a length of four bytes, its highest
// bit set for plain bytes, then an LZ4 block; a length of zero ends them.
func unpack(in []byte, size int) ([]byte, error) {
	broken := errors.New("the module within the script is damaged")
	out := make([]byte, 0, size)
	for len(in) >= 4 {
		n := binary.LittleEndian.Uint32(in)
		in = in[4:]
		if n == 0 {
			break
		}
		plain := n&(1<<31) != 0
		n &^= 1 << 31
		if uint64(n) > uint64(len(in)) {
			return nil, broken
		}
		if plain {
			out = append(out, in[:n]...)
		} else {
			var ok bool
			if out, ok = block(out, in[:n], size); !ok {
				return nil, broken
			}
		}
		if in = in[n:]; len(out) > size {
			return nil, broken
		}
	}
	return out, nil
}

// block appends what an LZ4 block holds. Its matches reach back no further than
// where the block began.
func block(out, in []byte, size int) ([]byte, bool) {
	first := len(out)
	more := func(n int) (int, bool) { // lengths of 15 and more go on in further bytes
		for n >= 15 {
			if len(in) == 0 {
				return 0, false
			}
			b := in[0]
			in = in[1:]
			n += int(b)
			if b != 255 {
				break
			}
		}
		return n, true
	}
	for len(in) > 0 {
		token := in[0]
		in = in[1:]
		n, ok := more(int(token >> 4))
		if !ok || n > len(in) || len(out)+n > size {
			return nil, false
		}
		out = append(out, in[:n]...)
		if in = in[n:]; len(in) == 0 {
			return out, true
		}
		if len(in) < 2 {
			return nil, false
		}
		offset := int(in[0]) | int(in[1])<<8
		in = in[2:]
		if n, ok = more(int(token & 15)); !ok {
			return nil, false
		}
		if offset == 0 {
			return out, true
		}
		if offset > len(out)-first || len(out)+n+4 > size {
			return nil, false
		}
		for range n + 4 {
			out = append(out, out[len(out)-offset])
		}
	}
	return out, true
}
