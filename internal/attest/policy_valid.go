package attest

import "fmt"

// Limits of a policy document.
const (
	maxPolicy   = 1 << 20 // bytes
	maxList     = 4096    // entries in any list
	maxProfiles = 64
	maxName     = 128 // bytes of a name
)

// signerVCEK is the only signer that is accepted: a key of the chip itself.
const signerVCEK = "vcek"

// product names and what a policy must know about them.
var products = map[string]struct {
	kind   Kind
	hasFMC bool
	legacy bool
}{
	"milan":     {kind: KindSNP, legacy: true},
	"genoa":     {kind: KindSNP},
	"turin":     {kind: KindSNP, hasFMC: true},
	"simulated": {kind: KindSim, hasFMC: true},
}

// Validate reports the first thing that keeps p from being a policy: a field
// that is not stated, a value out of range, hardware and simulation mixed.
func (p Policy) Validate() error {
	c := &checker{}
	c.need(p.Version != nil && *p.Version > 0, "version", "must be stated, from 1 on")
	c.need(p.Tier == TierStandard || p.Tier == TierLegacy || p.Tier == TierSimulated, "tier",
		"must be %s, %s or %s", TierStandard, TierLegacy, TierSimulated)
	c.need(len(p.Profiles) > 0 && len(p.Profiles) <= maxProfiles, "profiles", "must list 1 to %d profiles", maxProfiles)
	names := map[string]bool{}
	for _, profile := range p.Profiles {
		c.profile(p.Tier, profile)
		c.need(!names[profile.Name], "profiles", "name %q twice", profile.Name)
		names[profile.Name] = true
	}
	c.list("deny.chips", p.Deny.Chips, 64, true)
	c.list("deny.measurements", p.Deny.Measurements, 48, true)
	return c.err
}

// checker keeps the first violation.
type checker struct {
	at  string // the profile being checked
	err error
}

func (c *checker) need(ok bool, field, format string, args ...any) {
	if !ok && c.err == nil {
		c.err = Refuse(ErrPolicyInvalid, "%s%s %s", c.at, field, fmt.Sprintf(format, args...))
	}
}

func (c *checker) profile(tier Tier, p Profile) {
	c.need(p.Name != "" && len(p.Name) <= maxName, "profiles", "must each have a name of at most %d bytes", maxName)
	c.at = fmt.Sprintf("profile %.*q: ", maxName, p.Name)
	c.need(p.Kind == KindSNP || p.Kind == KindSim, "kind", "must be %s or %s", KindSNP, KindSim)
	c.need(p.Kind.Simulated() == (tier == TierSimulated), "kind",
		"%s does not belong into a policy of tier %s: hardware and simulation never mix", p.Kind, tier)
	c.expiry("expires", p.Expires)
	c.need(len(p.Products) > 0 && len(p.Products) <= maxList, "products", "must be listed")
	seen := map[string]bool{}
	for _, product := range p.Products {
		c.product(tier, p.Kind, product)
		c.need(!seen[product.Name], "products", "list %q twice", product.Name)
		seen[product.Name] = true
	}
	c.need(p.Signer == signerVCEK, "signer", "must be %q", signerVCEK)
	c.need(len(p.Measurements) > 0 && len(p.Measurements) <= maxList, "measurements", "must be listed")
	for _, m := range p.Measurements {
		c.need(len(m.Digest) == 48, "measurements.digest", "must be 48 bytes")
		c.need(m.Image != "" && len(m.Image) <= maxName, "measurements.image", "must be a name of at most %d bytes", maxName)
		c.expiry("measurements.expires", m.Expires)
	}
	c.list("host_data", p.HostData, 32, false)
	c.need(p.VMPL != nil && *p.VMPL <= 3, "vmpl", "must be 0 to 3")
	c.need(p.MinGuestSVN != nil, "min_guest_svn", "must be stated")
	c.set("family_id", p.FamilyID, 16)
	c.set("image_id", p.ImageID, 16)
	c.set("id_key_digest", p.IDKey, 48)
	c.set("author_key_digest", p.AuthorKey, 48)
	c.set("chips", p.Chips, 64)
	c.bits(p.Guest, p.Platform)
	c.need(p.Platform.Reserved != nil, "platform.reserved", "must be stated")
	c.need(p.Mitigations.Launch != nil, "mitigations.launch", "must be stated")
	c.need(p.Mitigations.Current != nil, "mitigations.current", "must be stated")
	c.at = ""
}

func (c *checker) product(tier Tier, kind Kind, p Product) {
	known, ok := products[p.Name]
	c.need(ok && known.kind == kind, "products", "%q is no product of kind %s", p.Name, kind)
	c.need(!known.legacy || tier == TierLegacy, "products",
		"%s is admitted by tier %s only: its chip keys are reported extractable", p.Name, TierLegacy)
	floor := p.MinTCB
	c.need(floor.Bootloader != nil && floor.TEE != nil && floor.SNP != nil && floor.Microcode != nil, "products.min_tcb",
		"must state bootloader, tee, snp and microcode")
	c.need((floor.FMC != nil) == known.hasFMC, "products.min_tcb.fmc", "must be stated exactly for products that have one")
}

func (c *checker) bits(g GuestRules, p PlatformRules) {
	for _, b := range []struct {
		field string
		bit   Bit
	}{
		{"guest.smt", g.SMT}, {"guest.migration_agent", g.MigrationAgent}, {"guest.debug", g.Debug},
		{"guest.single_socket", g.SingleSocket}, {"guest.cxl", g.CXL}, {"guest.aes_256_xts", g.AES256XTS},
		{"guest.rapl_disabled", g.RAPLDisabled}, {"guest.ciphertext_hiding", g.CiphertextHiding},
		{"guest.page_swap_disabled", g.PageSwapDisabled},
		{"platform.smt", p.SMT}, {"platform.tsme", p.TSME}, {"platform.ecc", p.ECC}, {"platform.rapl_disabled", p.RAPLDisabled},
		{"platform.ciphertext_hiding", p.CiphertextHiding}, {"platform.alias_check_complete", p.AliasCheckComplete},
		{"platform.tio", p.TIO},
	} {
		c.need(b.bit == Required || b.bit == Forbidden || b.bit == AnyBit, b.field, "must be %s, %s or %s", Required, Forbidden, AnyBit)
	}
	c.need(g.MigrationAgent == Forbidden, "guest.migration_agent", "must be %s", Forbidden)
	c.need(g.Debug == Forbidden, "guest.debug", "must be %s", Forbidden)
	c.need(p.AliasCheckComplete == Required, "platform.alias_check_complete", "must be %s", Required)
}

func (c *checker) list(field string, values []Hex, size int, mayBeEmpty bool) {
	c.need(values != nil && len(values) <= maxList, field, "must be listed")
	c.need(mayBeEmpty || len(values) > 0, field, "must not be empty")
	for _, v := range values {
		c.need(len(v) == size, field, "has an entry of %d bytes, not %d", len(v), size)
	}
}

func (c *checker) set(field string, s Set, size int) {
	c.need(s.Any != (len(s.Only) > 0), field, "must be any, or only what it lists")
	if !s.Any {
		c.list(field, s.Only, size, false)
	}
}

func (c *checker) expiry(field string, e Expiry) {
	c.need(e.Never != (e.At != 0) && e.At >= 0, field, "must be never, or at a time")
}
