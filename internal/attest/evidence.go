package attest

// Limits of encoded evidence, in bytes and certificates.
const (
	MaxEvidence    = 64 << 10
	maxReport      = 16 << 10
	maxCertificate = 8 << 10
	maxChain       = 4
)

// evidenceFormat is the first element of encoded evidence.
const evidenceFormat = "coco/evidence/1"

// Evidence is what a platform says about itself, as it was given: a signed
// report and the certificates that lead from its signer to the vendor's root.
type Evidence struct {
	Kind   Kind
	Report []byte // raw report; 1184 bytes for snp and sim
	Chip   []byte // DER certificate of the key that signed the report
	// Chain optionally repeats the vendor's certificates above Chip, signer
	// first, DER. A verifier uses its own and refuses any that differ from them.
	Chain [][]byte
}

type evidenceForm struct {
	_      struct{} `cbor:",toarray"`
	Format string
	Kind   Kind
	Report []byte
	Chip   []byte
	Chain  [][]byte
}

// Encode is the evidence as deterministic CBOR:
// ["coco/evidence/1", kind, report, chip certificate, [certificate, ...]].
func (e Evidence) Encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	chain := e.Chain
	if chain == nil {
		chain = [][]byte{}
	}
	return encode(evidenceForm{Format: evidenceFormat, Kind: e.Kind, Report: e.Report, Chip: e.Chip, Chain: chain}), nil
}

// DecodeEvidence reads what Encode wrote and refuses everything else: larger
// than MaxEvidence, not canonical, of unknown kind, or with parts out of bounds.
func DecodeEvidence(data []byte) (Evidence, error) {
	if len(data) > MaxEvidence {
		return Evidence{}, Refuse(ErrMalformed, "the evidence has %d bytes, more than %d", len(data), MaxEvidence)
	}
	var f evidenceForm
	if err := decode(data, &f); err != nil {
		return Evidence{}, ErrMalformed.From(err)
	}
	if f.Format != evidenceFormat {
		return Evidence{}, Refuse(ErrMalformed, "the evidence has format %q, not %q", f.Format, evidenceFormat)
	}
	if f.Chain == nil {
		return Evidence{}, Refuse(ErrMalformed, "the evidence has null for its chain, not a list")
	}
	e := Evidence{Kind: f.Kind, Report: f.Report, Chip: f.Chip, Chain: f.Chain}
	return e, e.check()
}

func (e Evidence) check() error {
	switch e.Kind {
	case KindSNP, KindSim:
	default:
		return Refuse(ErrUnsupported, "evidence of kind %q is not supported", e.Kind)
	}
	if n := len(e.Report); n == 0 || n > maxReport {
		return Refuse(ErrMalformed, "the report has %d bytes, not 1 to %d", n, maxReport)
	}
	if len(e.Chain) > maxChain {
		return Refuse(ErrMalformed, "the chain has %d certificates, more than %d", len(e.Chain), maxChain)
	}
	for i, cert := range append([][]byte{e.Chip}, e.Chain...) {
		if n := len(cert); n == 0 || n > maxCertificate {
			return Refuse(ErrMalformed, "certificate %d has %d bytes, not 1 to %d", i, n, maxCertificate)
		}
	}
	return nil
}
