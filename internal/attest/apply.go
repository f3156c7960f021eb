package attest

import (
	"bytes"
	"fmt"
	"time"
)

// Rule is one comparison of claims with a policy.
type Rule struct {
	Name   string
	OK     bool
	Detail string // what was found and what was wanted
}

// apply judges claims by the profile that admits them or, when none does, by
// the one of their product line that they miss by the fewest rules. The deny
// lists come last and override.
func (p Policy) apply(c Claims, at time.Time) (profile string, rules []Rule) {
	best := -1
	for _, candidate := range p.Profiles {
		product, ok := candidate.product(c)
		if !ok {
			continue
		}
		j := &judge{}
		j.profile(candidate, product, c, at)
		if best < 0 || j.broken < best {
			best, profile, rules = j.broken, candidate.Name, j.rules
		}
	}
	j := &judge{rules: rules}
	if best < 0 {
		j.rule("product", false, "no profile lists %s of kind %s", c.Product, c.Kind)
	}
	j.rule("deny.chips", !contains(p.Deny.Chips, c.ChipID[:]), "chip %x", c.ChipID[:8])
	j.rule("deny.measurements", !contains(p.Deny.Measurements, c.Measurement[:]), "measurement %x", c.Measurement[:8])
	return profile, j.rules
}

// product is the profile's entry for the claimed product line.
func (p Profile) product(c Claims) (Product, bool) {
	if p.Kind != c.Kind {
		return Product{}, false
	}
	for _, product := range p.Products {
		if product.Name == c.Product {
			return product, true
		}
	}
	return Product{}, false
}

// judge collects rules.
type judge struct {
	rules  []Rule
	broken int
}

func (j *judge) rule(name string, ok bool, format string, args ...any) {
	if !ok {
		j.broken++
	}
	j.rules = append(j.rules, Rule{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)})
}

func (j *judge) profile(p Profile, product Product, c Claims, at time.Time) {
	j.rule("product", true, "%s", c.Product)
	j.rule("expires", p.Expires.after(at), "profile %q at %d", p.Name, at.Unix())
	j.measurement(p.Measurements, c.Measurement[:], at)
	j.rule("host_data", contains(p.HostData, c.HostData[:]), "%x", c.HostData)
	j.rule("vmpl", c.VMPL == *p.VMPL, "%d, must be %d", c.VMPL, *p.VMPL)
	j.rule("min_guest_svn", c.GuestSVN >= *p.MinGuestSVN, "%d, at least %d", c.GuestSVN, *p.MinGuestSVN)
	j.set("family_id", p.FamilyID, c.FamilyID[:])
	j.set("image_id", p.ImageID, c.ImageID[:])
	j.set("id_key_digest", p.IDKey, c.IDKeyDigest[:])
	j.set("author_key_digest", p.AuthorKey, c.AuthorKeyDigest[:])
	j.set("chips", p.Chips, c.ChipID[:])
	j.guest(p.Guest, c.Guest)
	j.platform(p.Platform, c.Platform)
	j.firmware(product.MinTCB, c)
	j.mask("mitigations.launch", *p.Mitigations.Launch, c.LaunchMitigations)
	j.mask("mitigations.current", *p.Mitigations.Current, c.CurrentMitigations)
}

func (j *judge) measurement(admitted []Measurement, got []byte, at time.Time) {
	for _, m := range admitted {
		if bytes.Equal(m.Digest, got) && m.Expires.after(at) {
			j.rule("measurement", true, "image %s", m.Image)
			return
		}
	}
	j.rule("measurement", false, "%x is not admitted, or no longer", got)
}

func (j *judge) guest(want GuestRules, got GuestBits) {
	j.bit("guest.smt", want.SMT, got.SMT)
	j.bit("guest.migration_agent", want.MigrationAgent, got.MigrationAgent)
	j.bit("guest.debug", want.Debug, got.Debug)
	j.bit("guest.single_socket", want.SingleSocket, got.SingleSocket)
	j.bit("guest.cxl", want.CXL, got.CXL)
	j.bit("guest.aes_256_xts", want.AES256XTS, got.AES256XTS)
	j.bit("guest.rapl_disabled", want.RAPLDisabled, got.RAPLDisabled)
	j.bit("guest.ciphertext_hiding", want.CiphertextHiding, got.CiphertextHiding)
	j.bit("guest.page_swap_disabled", want.PageSwapDisabled, got.PageSwapDisabled)
}

func (j *judge) platform(want PlatformRules, got PlatformBits) {
	j.bit("platform.smt", want.SMT, got.SMT)
	j.bit("platform.tsme", want.TSME, got.TSME)
	j.bit("platform.ecc", want.ECC, got.ECC)
	j.bit("platform.rapl_disabled", want.RAPLDisabled, got.RAPLDisabled)
	j.bit("platform.ciphertext_hiding", want.CiphertextHiding, got.CiphertextHiding)
	j.bit("platform.alias_check_complete", want.AliasCheckComplete, got.AliasCheckComplete)
	j.bit("platform.tio", want.TIO, got.TIO)
	j.rule("platform.reserved", got.Reserved&^*want.Reserved == 0, "%#x, at most %#x", got.Reserved, *want.Reserved)
}

// firmware compares versions. That the reported version is the certified one
// has been checked with the certificate.
func (j *judge) firmware(floor TCBFloor, c Claims) {
	j.rule("provisional", c.Current == c.Committed && c.CurrentFirmware == c.CommittedFirmware,
		"current %x %v, committed %x %v", c.Current.Raw, c.CurrentFirmware, c.Committed.Raw, c.CommittedFirmware)
	j.rule("min_tcb.reported", floor.met(c.Reported), "%x", c.Reported.Raw)
	j.rule("min_tcb.committed", floor.met(c.Committed), "%x", c.Committed.Raw)
	j.rule("min_tcb.launch", floor.met(c.Launch), "%x", c.Launch.Raw)
}

func (f TCBFloor) met(t TCB) bool {
	return (f.FMC != nil) == t.HasFMC && (f.FMC == nil || t.FMC >= *f.FMC) &&
		t.Bootloader >= *f.Bootloader && t.TEE >= *f.TEE && t.SNP >= *f.SNP && t.Microcode >= *f.Microcode
}

func (j *judge) bit(name string, want Bit, got bool) {
	ok := want == AnyBit || want == Required && got || want == Forbidden && !got
	j.rule(name, ok, "%t, %s", got, want)
}

func (j *judge) set(name string, want Set, got []byte) {
	j.rule(name, want.Any || contains(want.Only, got), "%x", got)
}

func (j *judge) mask(name string, want, got uint64) {
	j.rule(name, got&want == want, "%#x, must contain %#x", got, want)
}

func (e Expiry) after(at time.Time) bool { return e.Never || at.Before(time.Unix(e.At, 0)) }

func contains(list []Hex, value []byte) bool {
	for _, v := range list {
		if bytes.Equal(v, value) {
			return true
		}
	}
	return false
}
