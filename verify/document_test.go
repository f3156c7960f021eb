package verify

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

const document = "../docs/reference/ledger.md"

// TestDocumentExample keeps the worked example of docs/reference/ledger.md: it is
// computed from the golden files, step by step as the document says.
func TestDocumentExample(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := []byte("<!-- example: begin -->\n"), []byte("<!-- example: end -->\n")
	from, to := bytes.Index(text, begin)+len(begin), bytes.Index(text, end)
	if from < len(begin) || to < from {
		t.Fatal("the document has no example")
	}
	want := example(t)
	if *update {
		next := bytes.Join([][]byte{text[:from], []byte(want), text[to:]}, nil)
		if err := os.WriteFile(document, next, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text[from:to]) != want {
		t.Errorf("the example is no longer right; run with -update and look at the difference")
	}
}

// TestDocumentCodes keeps the table of findings.
func TestDocumentCodes(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("report.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`Code = "([A-Z_]+)"`).FindAllSubmatch(source, -1)
	if len(codes) < 40 {
		t.Fatalf("%d codes", len(codes))
	}
	for _, c := range codes {
		if !regexp.MustCompile(`[| ]` + string(c[1]) + `[ ,]`).Match(text) {
			t.Errorf("%s is not in the document", c[1])
		}
	}
}

// example reads the golden ledger with nothing but what the document says, and
// writes down what it finds.
func example(t *testing.T) string {
	file := func(name string) []byte {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var out strings.Builder
	say := func(title string, values ...any) {
		fmt.Fprintf(&out, "%s\n\n", title)
		for i := 0; i < len(values); i += 2 {
			value := fmt.Sprintf("%v", values[i+1])
			switch v := values[i+1].(type) {
			case []byte:
				value = hex.EncodeToString(v)
			case format.Hash:
				value = hex.EncodeToString(v[:])
			}
			const width = 112
			for n := 0; len(value) > 0; n++ {
				part := value[:min(width, len(value))]
				value = value[len(part):]
				name := values[i]
				if n > 0 {
					name = ""
				}
				fmt.Fprintf(&out, "    %-18s %s\n", name, part)
			}
		}
		fmt.Fprintln(&out)
	}

	// The frames of the first chunk.
	chunk := file("ledger/" + chunkName(1))
	var prefix format.Hash
	var bodies [][]byte
	for i := 1; len(bodies) < 3; i++ {
		length := binary.BigEndian.Uint32(chunk[8:])
		body := chunk[64 : 64+length]
		kind, before := chunk[4], prefix
		sum := sha256.Sum256(body)
		prefix = sha256.Sum256(bytes.Join([][]byte{prefix[:], chunk[16:24], chunk[24:32], {kind}, sum[:]}, nil))
		if !bytes.Equal(chunk[32:64], before[:]) {
			t.Fatal("prefix hash")
		}
		say(fmt.Sprintf("Frame of entry %d, kind %d, %d bytes on disk:", i, kind, (64+length+511)&^511),
			"head", chunk[:64], "SHA-256(body)", sum, fmt.Sprintf("P_%d", i), prefix)
		bodies = append(bodies, body)
		chunk = chunk[(64+length+511)&^511:]
	}

	var genesis format.Genesis
	g := block(t, bodies[0])
	_, writes := record(t, g.Records[0])
	if err := format.Decode(writes[0].Value, &genesis); err != nil {
		t.Fatal(err)
	}
	endorsed := format.Encode([]any{"coco/endorsement/1", genesis.Service, genesis.Mode, "node", genesis.Node.Key, genesis.Node.RaftID})
	binding := attest.GenesisBinding{Service: genesis.Service, Mode: genesis.Mode, ServiceKey: genesis.ServiceKey,
		NodeKey: genesis.Node.Key, NodeHPKEKey: genesis.Node.HPKEKey, CheckpointKey: genesis.Checkpoint}.ReportData()
	say("Genesis (entry 1):", "header", g.Header, "block hash", sha256.Sum256(g.Header), "service id", genesis.Service[:],
		"service key", genesis.ServiceKey, "node key", genesis.Node.Key, "writer", sha256.Sum256(genesis.Node.Key),
		"endorsed payload", endorsed, "endorsement", genesis.Node.Endorsement, "report_data", binding[:])

	// The first live block.
	b := block(t, bodies[2])
	h, err := format.DecodeHeader(b.Header)
	if err != nil {
		t.Fatal(err)
	}
	protected := b.Signature[4 : 4+int(b.Signature[3])]
	signed := sha256.Sum256(bytes.Join([][]byte{{0x84, 0x6a}, []byte("Signature1"), {0x58, byte(len(protected))}, protected, {0x40, 0x58, 0x20}, h.Root[:]}, nil))
	say("Block 1 (entry 3):", "header", b.Header, "block hash", sha256.Sum256(b.Header), "root", h.Root,
		"protected", protected, "signed digest", signed, "r, s", b.Signature[len(b.Signature)-64:])

	// Its record, and what the owner of the secret opens.
	var secret [32]byte
	if _, err := hex.Decode(secret[:], bytes.TrimSpace(file("secret"))); err != nil {
		t.Fatal(err)
	}
	derive := func(label string, fields ...any) (info, key []byte) {
		info = format.Encode(append([]any{label, genesis.Service, genesis.Mode}, fields...))
		key, err := hkdf.Key(sha256.New, secret[:], nil, string(info), 32)
		if err != nil {
			t.Fatal(err)
		}
		return info, key
	}
	stored := b.Records[0]
	p, _ := record(t, stored)
	var r format.Record
	if err := format.Decode(stored, &r); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(stored)
	leaf := sha256.Sum256(bytes.Join([][]byte{{0}, digest[:], p.Evidence[:], p.Claims[:]}, nil))
	info, key := derive("coco/record", h.View, h.Height, "service")
	_, evidenceKey := derive("commit-evidence", h.View, h.Height)
	mac := hmac.New(sha256.New, evidenceKey)
	mac.Write(binary.BigEndian.AppendUint64(nil, p.Seqno))
	mac.Write(h.Previous[:])
	mac.Write(h.Writer[:])
	evidence := mac.Sum(nil)
	if sha256.Sum256(evidence) != p.Evidence {
		t.Fatal("commit evidence")
	}
	private := open(t, key, &r)
	say(fmt.Sprintf("Its record, TxID %d.%d:", p.View, p.Seqno), "prelude", r.Prelude, "public", r.Public, "SHA-256(record)", digest,
		"evidence digest", p.Evidence, "claims digest", p.Claims, "leaf hash", leaf,
		"secret", secret[:], "HKDF info", info, "record key", key, "nonce", r.Sealed[0].Nonce[:],
		"additional data", r.SectionContext(0, 1), "plaintext begins", format.Encode(private), "commit evidence", evidence)

	// Its claims.
	values := []any{"claims seed", private.ClaimsSeed}
	var f, domains proof.Frontier
	for i := range 2 {
		field := uint64(i + 1)
		mac := hmac.New(sha256.New, private.ClaimsSeed)
		mac.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, field), 0))
		salt := mac.Sum(nil)
		content := format.Encode([]any{salt, field, uint64(0), []byte{byte(i)}})
		leaf := sha256.Sum256(append([]byte{0}, content...))
		f.Append(leaf)
		values = append(values, fmt.Sprintf("salt of field %d", field), salt, "  CBOR", content, "  leaf", leaf)
	}
	root := f.Root()
	domains.Append(sha256.Sum256(append([]byte{0}, root[:]...)))
	if domains.Root() != p.Claims {
		t.Fatal("claims digest")
	}
	say("Its claims, fields 1 and 2 with index 0 and one byte as value:", append(values, "root R", root, "claims digest", domains.Root())...)
	return out.String()
}

func block(t *testing.T, body []byte) *format.Block {
	b, _, err := format.DecodeBlock(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func record(t *testing.T, stored []byte) (*format.Prelude, []format.Write) {
	r, p, err := format.DecodeRecord(stored)
	if err != nil {
		t.Fatal(err)
	}
	writes, err := r.PublicWrites()
	if err != nil {
		t.Fatal(err)
	}
	return p, writes
}

// open opens the only section of a record.
func open(t *testing.T, key []byte, r *format.Record) *format.Private {
	c, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(c)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := aead.Open(nil, r.Sealed[0].Nonce[:], r.Sealed[0].Ciphertext, r.SectionContext(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	p, err := format.DecodePrivate(plain)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
