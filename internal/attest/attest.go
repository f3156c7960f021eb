// Package attest decides whether a node may be believed: it takes the evidence
// that a platform gives about the code it runs, and judges it against pinned
// roots, the keys that the evidence must speak for, and a governed policy.
//
// It promises that the same bytes, policy and time give the same verdict for
// ever: it reads no clock, file or socket and keeps no state, and every time is
// an argument, so that an auditor can repeat each admission years later. It
// fails closed: a policy that leaves a field unset is invalid, an unknown kind,
// version, bit or certificate is refused.
//
// It does not fetch certificates or revocation lists (who attests supplies
// them), does not generate evidence on hardware, and knows no particular
// platform: the packages below it do. snp reads AMD SEV-SNP reports, sim is the
// fake silicon vendor of development networks.
package attest

import "context"

// Kind names a form of evidence.
type Kind string

// Kinds of evidence. TDX is reserved: no verifier accepts it yet.
const (
	KindSNP Kind = "snp" // AMD SEV-SNP attestation report
	KindTDX Kind = "tdx" // Intel TDX quote
	KindSim Kind = "sim" // simulated platform: no protection at all
)

// Simulated reports whether evidence of this kind protects nothing.
func (k Kind) Simulated() bool { return k == KindSim }

// ReportData is the 64 bytes that evidence binds: a SHA-512 over the keys and
// names it speaks for.
type ReportData = [64]byte

// A Platform is what a node runs on, as a source of evidence about itself.
type Platform interface {
	// Kind is the kind of the evidence.
	Kind() Kind
	// Evidence is fresh evidence over reportData.
	Evidence(ctx context.Context, reportData ReportData) (Evidence, error)
}

// A Sealer is a platform that can derive secrets which only the same code and
// configuration on the same chip derives again.
type Sealer interface {
	// SealingSecret is the secret for label. Equal platforms give equal secrets.
	SealingSecret(label string) ([32]byte, error)
}
