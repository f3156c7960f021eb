package attest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed is every package that attest and the packages below it may import.
// None gives access to a clock, file, socket, process or source of randomness
// by itself; what they could be made to reach is forbidden by name below.
var allowed = []string{
	"bytes", "context", "crypto", "crypto/ecdsa", "crypto/elliptic", "crypto/hkdf", "crypto/rsa", "crypto/sha256", "crypto/sha3",
	"crypto/sha512", "crypto/x509", "crypto/x509/pkix", "embed", "encoding/asn1", "encoding/binary", "encoding/hex", "encoding/json",
	"encoding/pem", "errors", "fmt", "io", "math/big", "slices", "strings", "sync", "time",
	"github.com/fxamacker/cbor/v2",
	"github.com/coco-consortium/coco/internal/problem",
	"github.com/coco-consortium/coco/internal/attest",
	"github.com/coco-consortium/coco/internal/attest/snp",
}

// forbidden are uses of allowed packages that read the clock or the system.
// (x509.Certificate.Verify takes the time and the system's roots by default.)
var forbidden = map[string][]string{
	"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"},
	"x509": {"SystemCertPool", "VerifyOptions", "NewCertPool", "SetFallbackRoots"},
	"fmt":  {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
}

func TestAttestIsPure(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		for _, i := range file.Imports {
			if name, _ := strconv.Unquote(i.Path.Value); !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s", path, name)
			}
			if i.Name != nil && i.Name.Name != "_" {
				t.Errorf("%s renames %s, which hides uses from this test", path, i.Path.Value)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			use, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := use.X.(*ast.Ident); ok && slices.Contains(forbidden[pkg.Name], use.Sel.Name) {
				t.Errorf("%s uses %s.%s", set.Position(use.Pos()), pkg.Name, use.Sel.Name)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 15 {
		t.Errorf("looked at %d files only", files)
	}
}
