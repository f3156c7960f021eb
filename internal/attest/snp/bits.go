package snp

import "github.com/coco-consortium/coco/internal/attest"

// Bits of the guest policy, table "Guest Policy" of document 56860.
const (
	GuestABI              = 0x1F | guestReservedOne // ABI 0.31 or later, and the bit that must be one
	GuestSMT              = 1 << 16
	guestReservedOne      = 1 << 17
	GuestMigrationAgent   = 1 << 18
	GuestDebug            = 1 << 19
	GuestSingleSocket     = 1 << 20
	GuestCXL              = 1 << 21
	GuestAES256XTS        = 1 << 22
	GuestRAPLDisabled     = 1 << 23
	GuestCiphertextHiding = 1 << 24
	GuestPageSwapDisabled = 1 << 25
	guestKnown            = 1<<26 - 1
)

// Bits of the platform information, table "PLATFORM_INFO Field".
const (
	PlatformSMT                = 1 << 0
	PlatformTSME               = 1 << 1
	PlatformECC                = 1 << 2
	PlatformRAPLDisabled       = 1 << 3
	PlatformCiphertextHiding   = 1 << 4
	PlatformAliasCheckComplete = 1 << 5
	PlatformTIO                = 1 << 7
	platformKnown              = 0xBF // bit 6 has no published meaning; Turin sets it
)

// Bits of the signer information: author key present, chip key masked, and the
// signing key in three bits.
const signerKnown = 1<<5 - 1

// check refuses values that the specification does not allow.
func (r *Report) check() error {
	switch {
	case r.Algorithm != AlgorithmECDSAP384:
		return attest.Refuse(attest.ErrUnsupported, "signature algorithm %d is not ECDSA P-384 with SHA-384", r.Algorithm)
	case r.GuestPolicy&guestReservedOne == 0 || r.GuestPolicy&^guestKnown != 0:
		return attest.Refuse(attest.ErrMalformed, "guest policy %#x has reserved bits", r.GuestPolicy)
	case r.SignerInfo&^signerKnown != 0:
		return attest.Refuse(attest.ErrMalformed, "signer information %#x has reserved bits", r.SignerInfo)
	}
	return nil
}

func guestBits(p uint64) attest.GuestBits {
	return attest.GuestBits{
		SMT:              p&GuestSMT != 0,
		MigrationAgent:   p&GuestMigrationAgent != 0,
		Debug:            p&GuestDebug != 0,
		SingleSocket:     p&GuestSingleSocket != 0,
		CXL:              p&GuestCXL != 0,
		AES256XTS:        p&GuestAES256XTS != 0,
		RAPLDisabled:     p&GuestRAPLDisabled != 0,
		CiphertextHiding: p&GuestCiphertextHiding != 0,
		PageSwapDisabled: p&GuestPageSwapDisabled != 0,
	}
}

func platformBits(p uint64) attest.PlatformBits {
	return attest.PlatformBits{
		SMT:                p&PlatformSMT != 0,
		TSME:               p&PlatformTSME != 0,
		ECC:                p&PlatformECC != 0,
		RAPLDisabled:       p&PlatformRAPLDisabled != 0,
		CiphertextHiding:   p&PlatformCiphertextHiding != 0,
		AliasCheckComplete: p&PlatformAliasCheckComplete != 0,
		TIO:                p&PlatformTIO != 0,
		Reserved:           p &^ platformKnown,
	}
}
