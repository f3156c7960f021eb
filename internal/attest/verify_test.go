package attest_test

import (
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/snp"
)

var at = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// stub is an authority that has already authenticated its claims.
type stub struct {
	claims attest.Claims
	err    error
}

func (s stub) Kind() attest.Kind { return attest.KindSNP }

func (s stub) Authenticate(attest.Evidence, time.Time) (attest.Claims, error) { return s.claims, s.err }

var anything = attest.Evidence{Kind: attest.KindSNP, Report: []byte{1}, Chip: []byte{1}}

// turin is what the recorded Turin report claims, and the policy for it.
func turin(t *testing.T) (attest.Claims, attest.Policy) {
	t.Helper()
	report, err := os.ReadFile("../../third_party/attestation/snp/turin_attestation_report.bin")
	if err != nil {
		t.Fatal(err)
	}
	r, err := snp.Parse(report)
	if err != nil {
		t.Fatal(err)
	}
	tcb := snp.LayoutTurin.Decode
	bits := attest.PlatformBits{SMT: true, ECC: true, AliasCheckComplete: true, Reserved: 0x40}
	return attest.Claims{
		Kind: attest.KindSNP, Product: "turin", ReportVersion: r.Version, ReportData: r.ReportData, Measurement: r.Measurement,
		HostData: r.HostData, VMPL: r.VMPL, GuestSVN: r.GuestSVN, FamilyID: r.FamilyID, ImageID: r.ImageID,
		IDKeyDigest: r.IDKeyDigest, AuthorKeyDigest: r.AuthorKeyDigest, ChipID: r.ChipID,
		Guest: attest.GuestBits{SMT: true}, Platform: bits,
		Current: tcb(r.CurrentTCB), Committed: tcb(r.CommittedTCB), Reported: tcb(r.ReportedTCB), Launch: tcb(r.LaunchTCB),
		CurrentFirmware: r.Current, CommittedFirmware: r.Committed, LaunchMitigations: r.LaunchMit, CurrentMitigations: r.CurrentMit,
	}, parse(t, policies(t)["turin"])
}

// Each change of a claim turns the verdict, and names its rule.
func TestEveryClaimCounts(t *testing.T) {
	good, policy := turin(t)
	if v, err := attest.Verify(anything, good.ReportData, policy, at, stub{claims: good}); err != nil {
		t.Fatal(err, v.Violated())
	}
	turned := map[string]bool{}
	for _, c := range []struct {
		rule   string
		change func(*attest.Claims)
	}{
		{"product", func(c *attest.Claims) { c.Product = "genoa" }},
		{"measurement", func(c *attest.Claims) { c.Measurement[47]++ }},
		{"host_data", func(c *attest.Claims) { c.HostData[31]++ }},
		{"vmpl", func(c *attest.Claims) { c.VMPL = 1 }},
		{"min_guest_svn", func(c *attest.Claims) { c.GuestSVN-- }},
		{"family_id", func(c *attest.Claims) { c.FamilyID[15]++ }},
		{"image_id", func(c *attest.Claims) { c.ImageID[15]++ }},
		{"id_key_digest", func(c *attest.Claims) { c.IDKeyDigest[47]++ }},
		{"author_key_digest", func(c *attest.Claims) { c.AuthorKeyDigest[47]++ }},
		{"chips", func(c *attest.Claims) { c.ChipID[7]++ }},
		{"guest.smt", func(c *attest.Claims) { c.Guest.SMT = false }},
		{"guest.migration_agent", func(c *attest.Claims) { c.Guest.MigrationAgent = true }},
		{"guest.debug", func(c *attest.Claims) { c.Guest.Debug = true }},
		{"guest.single_socket", func(c *attest.Claims) { c.Guest.SingleSocket = true }},
		{"guest.cxl", func(c *attest.Claims) { c.Guest.CXL = true }},
		{"guest.aes_256_xts", func(c *attest.Claims) { c.Guest.AES256XTS = true }},
		{"guest.rapl_disabled", func(c *attest.Claims) { c.Guest.RAPLDisabled = true }},
		{"guest.ciphertext_hiding", func(c *attest.Claims) { c.Guest.CiphertextHiding = true }},
		{"guest.page_swap_disabled", func(c *attest.Claims) { c.Guest.PageSwapDisabled = true }},
		{"platform.smt", func(c *attest.Claims) { c.Platform.SMT = false }},
		{"platform.tsme", func(c *attest.Claims) { c.Platform.TSME = true }},
		{"platform.ecc", func(c *attest.Claims) { c.Platform.ECC = false }},
		{"platform.rapl_disabled", func(c *attest.Claims) { c.Platform.RAPLDisabled = true }},
		{"platform.ciphertext_hiding", func(c *attest.Claims) { c.Platform.CiphertextHiding = true }},
		{"platform.alias_check_complete", func(c *attest.Claims) { c.Platform.AliasCheckComplete = false }},
		{"platform.tio", func(c *attest.Claims) { c.Platform.TIO = true }},
		{"platform.reserved", func(c *attest.Claims) { c.Platform.Reserved |= 1 << 63 }},
		{"provisional", func(c *attest.Claims) { c.Current.Raw[4]++ }},
		{"provisional", func(c *attest.Claims) { c.CurrentFirmware.Build++ }},
		{"min_tcb.reported", func(c *attest.Claims) { c.Reported.FMC-- }},
		{"min_tcb.reported", func(c *attest.Claims) { c.Reported.Bootloader-- }},
		{"min_tcb.reported", func(c *attest.Claims) { c.Reported.TEE-- }},
		{"min_tcb.reported", func(c *attest.Claims) { c.Reported.SNP-- }},
		{"min_tcb.reported", func(c *attest.Claims) { c.Reported.Microcode-- }},
		{"min_tcb.reported", func(c *attest.Claims) { c.Reported.HasFMC = false }},
		{"min_tcb.committed", func(c *attest.Claims) { c.Committed.SNP--; c.Current.SNP-- }},
		{"min_tcb.launch", func(c *attest.Claims) { c.Launch.SNP-- }},
		{"mitigations.launch", func(c *attest.Claims) { c.LaunchMitigations &^= 1 }},
		{"mitigations.current", func(c *attest.Claims) { c.CurrentMitigations &^= 0x20 }},
	} {
		claims := good
		c.change(&claims)
		v, err := attest.Verify(anything, claims.ReportData, policy, at, stub{claims: claims})
		if broken := v.Violated(); !errors.Is(err, attest.ErrPolicy) || len(broken) != 1 || broken[0].Name != c.rule {
			t.Errorf("%s: %v, violated %+v", c.rule, err, broken)
		}
		turned[c.rule] = true
	}
	v, _ := attest.Verify(anything, good.ReportData, policy, at, stub{claims: good})
	for _, rule := range v.Rules {
		switch rule.Name {
		case "expires", "deny.chips", "deny.measurements": // below
		default:
			if !turned[rule.Name] {
				t.Errorf("no claim here turns rule %s", rule.Name)
			}
		}
	}
}

func TestDenyListsOverride(t *testing.T) {
	good, policy := turin(t)
	for rule, deny := range map[string]attest.Deny{
		"deny.chips":        {Chips: []attest.Hex{make([]byte, 64), good.ChipID[:]}, Measurements: []attest.Hex{}},
		"deny.measurements": {Chips: []attest.Hex{}, Measurements: []attest.Hex{good.Measurement[:]}},
	} {
		policy.Deny = deny
		v, err := attest.Verify(anything, good.ReportData, policy, at, stub{claims: good})
		if broken := v.Violated(); !errors.Is(err, attest.ErrPolicy) || len(broken) != 1 || broken[0].Name != rule {
			t.Errorf("%s: %v, violated %+v", rule, err, broken)
		}
	}
}

func TestExpiry(t *testing.T) {
	good, policy := turin(t)
	for when, rule := range map[int64]string{1989999999: "", 1990000000: "measurement", 1999999999: "measurement", 2000000000: "expires"} {
		v, err := attest.Verify(anything, good.ReportData, policy, time.Unix(when, 0), stub{claims: good})
		broken := v.Violated()
		if rule == "" && err != nil || rule != "" && (!errors.Is(err, attest.ErrPolicy) || broken[0].Name != rule) {
			t.Errorf("at %d: %v, violated %+v, want %q", when, err, broken, rule)
		}
	}
}

// One profile must be met as a whole; the verdict names it, or the nearest.
func TestProfiles(t *testing.T) {
	good, policy := turin(t)
	other := policy.Profiles[0]
	other.Name, other.HostData, other.IDKey = "other", []attest.Hex{make([]byte, 32)}, attest.Set{Only: []attest.Hex{make([]byte, 48)}}
	genoa := parse(t, policies(t)["genoa"]).Profiles[0]
	policy.Profiles = []attest.Profile{genoa, other, policy.Profiles[0]}
	if v, err := attest.Verify(anything, good.ReportData, policy, at, stub{claims: good}); err != nil || v.Profile != "turin vector" {
		t.Errorf("admitted by %q, %v", v.Profile, err)
	}
	twin := policy.Profiles[2]
	twin.Name = "twin"
	policy.Profiles = append(policy.Profiles, twin)
	if v, err := attest.Verify(anything, good.ReportData, policy, at, stub{claims: good}); err != nil || v.Profile != "turin vector" {
		t.Errorf("of two that admit it, the first: %q, %v", v.Profile, err)
	}
	claims := good
	claims.Guest.Debug, claims.HostData, claims.IDKeyDigest = true, [32]byte{}, [48]byte{}
	v, err := attest.Verify(anything, good.ReportData, policy, at, stub{claims: claims})
	if broken := v.Violated(); !errors.Is(err, attest.ErrPolicy) || v.Profile != "other" || len(broken) != 1 || broken[0].Name != "guest.debug" {
		t.Errorf("nearest %q, %v, violated %+v", v.Profile, err, broken)
	}
	// Half of one profile and half of another is no admission.
	claims = good
	claims.HostData = [32]byte{}
	if _, err := attest.Verify(anything, good.ReportData, policy, at, stub{claims: claims}); !errors.Is(err, attest.ErrPolicy) {
		t.Errorf("a mixture of profiles: %v", err)
	}
}

// What may be anything may be anything.
func TestAny(t *testing.T) {
	claims, policy := turin(t)
	p := &policy.Profiles[0]
	p.IDKey, p.Chips, p.FamilyID, p.ImageID, p.AuthorKey =
		attest.Set{Any: true}, attest.Set{Any: true}, attest.Set{Any: true}, attest.Set{Any: true}, attest.Set{Any: true}
	p.Guest.SMT, p.Platform.TSME = attest.AnyBit, attest.AnyBit
	claims.IDKeyDigest, claims.ChipID, claims.Guest.SMT, claims.Platform.TSME = [48]byte{1}, [64]byte{1}, false, true
	if v, err := attest.Verify(anything, claims.ReportData, policy, at, stub{claims: claims}); err != nil {
		t.Error(err, v.Violated())
	}
}

// Authentication, then binding, then the policy's validity, then the policy.
func TestOrderOfChecks(t *testing.T) {
	good, policy := turin(t)
	broken := good
	broken.Guest.Debug = true
	other := attest.ReportData{1}
	for _, c := range []struct {
		name        string
		want        error
		data        attest.ReportData
		policy      attest.Policy
		at          time.Time
		authorities []attest.Authority
	}{
		{"no time", attest.ErrExpired, good.ReportData, policy, time.Time{}, []attest.Authority{stub{claims: good}}},
		{"no authority", attest.ErrRoot, good.ReportData, policy, at, nil},
		{"authentication", attest.ErrSignature, other, attest.Policy{}, at, []attest.Authority{stub{err: attest.ErrSignature}}},
		{"binding", attest.ErrBinding, other, attest.Policy{}, at, []attest.Authority{stub{claims: broken}}},
		{"invalid policy", attest.ErrPolicyInvalid, good.ReportData, attest.Policy{}, at, []attest.Authority{stub{claims: broken}}},
		{"policy", attest.ErrPolicy, good.ReportData, policy, at, []attest.Authority{stub{claims: broken}}},
	} {
		v, err := attest.Verify(anything, c.data, c.policy, c.at, c.authorities...)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if c.want != attest.ErrPolicy && !reflect.DeepEqual(v, attest.Verdict{}) {
			t.Errorf("%s: a verdict beside the error: %+v", c.name, v)
		}
	}
}
