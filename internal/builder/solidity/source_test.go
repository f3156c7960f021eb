package solidity

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/problem"
)

// entry is one file of an archive made for a test.
type entry struct {
	name string
	text string
	mode fs.FileMode
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode | 0o644)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func many(n int, name string) []entry {
	list := make([]entry, n)
	for i := range list {
		list[i] = entry{name: fmt.Sprintf(name, i), text: "contract C {}"}
	}
	return list
}

func TestReadSources(t *testing.T) {
	const code = "contract C {}"
	for _, x := range []struct {
		name  string
		data  []byte
		files string // comma separated
		fails *problem.Error
	}{
		{"C.sol", []byte(code), "C.sol", nil},
		{`C:\code\C.SOL`, []byte(code), "C.SOL", nil},
		{"C.sol", []byte("\xef\xbb\xbf" + code), "C.sol", nil},
		{"C.sol", nil, "", ErrFileEmpty},
		{"C.sol", []byte(" \n\t"), "", ErrFileEmpty},
		{"C.sol", []byte("contract \xff {}"), "", ErrFileDamaged},
		{"C.sol", bytes.Repeat([]byte("/"), MaxSource+1), "", ErrFileLimit},
		{"C.txt", []byte(code), "", ErrFileKind},
		{"", []byte(code), "", ErrFileKind},
		{"C.zip", []byte(code), "", ErrFileDamaged},
		{"C.zip", bytes.Repeat([]byte("P"), MaxUpload+1), "", ErrFileLimit},
		{"a.zip", archive(t, entry{name: "A.sol", text: code}, entry{name: "b/B.sol", text: code}), "A.sol,b/B.sol", nil},
		{"a.zip", archive(t, entry{name: `b\B.sol`, text: code}), "b/B.sol", nil},
		{"a.zip", archive(t, entry{name: "./B.sol", text: code}), "B.sol", nil},
		{"a.zip", archive(t, entry{name: "A.sol", text: code}, entry{name: "readme.md", text: "x"}, entry{name: "__MACOSX/._A.sol", text: "x"}, entry{name: ".DS_Store", text: "x"}), "A.sol", nil},
		{"a.zip", archive(t, entry{name: "A.sol", text: code}, entry{name: "E.sol", text: ""}, entry{name: "p.json", text: "{}"}), "A.sol", nil},
		{"a.zip", archive(t, entry{name: "out/A.json", text: "{}"}), "out/A.json", nil},
		{"a.zip", archive(t), "", ErrFileEmpty},
		{"a.zip", archive(t, entry{name: "readme.md", text: "x"}), "", ErrFileEmpty},
		{"a.zip", archive(t, entry{name: "A.sol", text: " "}, entry{name: "B.sol", text: ""}), "", ErrFileEmpty},
		{"a.zip", archive(t, entry{name: "../A.sol", text: code}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: "a/../../A.sol", text: code}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: `..\A.sol`, text: code}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: "/etc/A.sol", text: code}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: `C:\A.sol`, text: code}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: "a//A.sol", text: code}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: "a\x00.sol", text: code}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: "a\xff.sol", text: code}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: strings.Repeat("d/", maxDepth+1) + "A.sol", text: code}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: strings.Repeat("n", maxPath) + ".sol", text: code}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: "A.sol", text: "/etc/passwd", mode: fs.ModeSymlink}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: "A.sol", text: code}, entry{name: "A.sol", text: "contract D {}"}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: "A.sol", text: code}, entry{name: "a.sol", text: "contract D {}"}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: "A.sol", text: code}, entry{name: "inner.zip", text: "PK"}), "", ErrFileUnsafe},
		{"a.zip", archive(t, entry{name: "A.sol", text: strings.Repeat("/", MaxSource+1)}), "", ErrFileLimit},
		{"a.zip", archive(t, many(MaxFiles+1, "%d.sol")...), "", ErrFileLimit},
		{"a.zip", archive(t, many(maxEntries+1, "%d.txt")...), "", ErrFileLimit},
		// A thousandfold: six files of a little under the limit for one.
		{"a.zip", archive(t, bomb()...), "", ErrFileLimit},
	} {
		s, err := ReadSources(x.name, x.data)
		if x.fails != nil {
			if !errors.Is(err, x.fails) {
				t.Errorf("%s: %v, not %s", x.name, err, x.fails.Code)
			}
			continue
		}
		if err != nil || strings.Join(s.Names(), ",") != x.files {
			t.Errorf("%s: %v %v, not %s", x.name, s.Names(), err, x.files)
		}
		for name, text := range s {
			if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
				t.Errorf("%s keeps its byte order mark", name)
			}
		}
	}
}

func bomb() []entry {
	list := many(6, "%d.sol")
	for i := range list {
		list[i].text = strings.Repeat(" ", MaxSource-20) + "contract C {}"
	}
	return list
}

// A table that promises little and entries that hold much.
func TestArchiveThatLiesAboutItsSizes(t *testing.T) {
	data := archive(t, entry{name: "A.sol", text: strings.Repeat("a", MaxSource)})
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	size := make([]byte, 4)
	for i := range size {
		size[i] = byte(r.File[0].UncompressedSize64 >> (8 * i))
	}
	lie := bytes.ReplaceAll(data, size, []byte{1, 0, 0, 0})
	if bytes.Equal(lie, data) {
		t.Fatal("the sizes were not found")
	}
	if s, err := ReadSources("a.zip", lie); !errors.Is(err, ErrFileDamaged) {
		t.Errorf("%v %v", s.Names(), err)
	}
}

func FuzzReadSources(f *testing.F) {
	f.Add("C.sol", []byte("pragma solidity ^0.5.0; contract C {}"))
	f.Add("a.zip", archive(f, entry{name: "A.sol", text: "contract A {}"}, entry{name: "b/B.sol", text: `import "../A.sol";`}))
	f.Add("a.zip", archive(f, entry{name: "../A.sol", text: "x"}))
	f.Add("a.json", []byte(`{"contractName":"C","abi":[],"bytecode":"0x60"}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		s, err := ReadSources(name, data)
		if err != nil {
			if problem.CodeOf(err) == "INTERNAL" {
				t.Fatalf("no problem: %v", err)
			}
			return
		}
		total := 0
		for name, text := range s {
			total += len(text)
			if badPath(name) != "" || len(bytes.TrimSpace(text)) == 0 {
				t.Fatalf("%q was accepted", name)
			}
			imports(string(text))
		}
		if len(s) == 0 || len(s) > MaxFiles || total > MaxUpload {
			t.Fatalf("%d files, %d bytes", len(s), total)
		}
		if _, err := s.Pragmas(); err != nil && !errors.Is(err, ErrPragma) {
			t.Fatal(err)
		}
		if s.Artifacts() {
			if _, err := readArtifacts(s); err != nil && problem.CodeOf(err) == "INTERNAL" {
				t.Fatal(err)
			}
		}
	})
}
