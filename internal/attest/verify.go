package attest

import (
	"time"
)

// An Authority authenticates evidence of one kind down to roots that it pins.
type Authority interface {
	// Kind is the kind of evidence it judges.
	Kind() Kind
	// Authenticate returns what the evidence claims, having checked that a
	// chip certified by a pinned root signed it and that the certificates
	// hold at that time. It compares nothing with a policy.
	Authenticate(e Evidence, at time.Time) (Claims, error)
}

// Verdict is the outcome of a verification, with what is needed to repeat it.
type Verdict struct {
	Claims       Claims
	PolicyDigest [32]byte
	Tier         Tier
	Profile      string    // the profile that admits the evidence, or the nearest one
	At           time.Time // the time for which it was judged
	Rules        []Rule    // every rule that was applied, in order
}

// Violated is the list of rules that do not hold.
func (v Verdict) Violated() []Rule {
	var out []Rule
	for _, r := range v.Rules {
		if !r.OK {
			out = append(out, r)
		}
	}
	return out
}

// Verify judges evidence: its root, certificates and signature, then that it
// speaks for want, then the policy. authorities are the roots that the caller
// believes; evidence of a kind without one is refused with ErrRoot. A verdict
// is returned with ErrPolicy too, and names the rules that do not hold.
func Verify(e Evidence, want ReportData, policy Policy, at time.Time, authorities ...Authority) (Verdict, error) {
	if at.IsZero() {
		return Verdict{}, Refuse(ErrExpired, "no time was given to verify the evidence at")
	}
	claims, err := authenticate(e, at, authorities)
	if err != nil {
		return Verdict{}, err
	}
	if claims.ReportData != want {
		return Verdict{}, Refuse(ErrBinding, "the evidence binds report data %x..., expected %x...", claims.ReportData[:8], want[:8])
	}
	if err := policy.Validate(); err != nil {
		return Verdict{}, err
	}
	v := Verdict{Claims: claims, PolicyDigest: policy.digest(), Tier: policy.Tier, At: at}
	v.Profile, v.Rules = policy.apply(claims, at)
	if broken := v.Violated(); len(broken) > 0 {
		return v, Refuse(ErrPolicy, "the evidence breaks %d rules of the policy, first %s: %s", len(broken), broken[0].Name, broken[0].Detail)
	}
	return v, nil
}

func authenticate(e Evidence, at time.Time, authorities []Authority) (Claims, error) {
	if err := e.check(); err != nil {
		return Claims{}, err
	}
	for _, a := range authorities {
		if a.Kind() == e.Kind {
			claims, err := a.Authenticate(e, at)
			claims.Kind = e.Kind
			return claims, err
		}
	}
	return Claims{}, Refuse(ErrRoot, "this verifier holds no root for evidence of kind %q", e.Kind)
}
