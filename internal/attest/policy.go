package attest

import "encoding/hex"

// A Policy says which evidence a service admits. It is a document of
// governance: everything that matters is written out, and a field that is left
// unset makes the whole policy invalid. What may be anything says so.
//
// The rules are those of the attestation reference, section 2.3. Some are not
// the policy's to relax and are only restated in it: debugging, migration
// agents and VLEK signers are always forbidden, memory-alias checks always
// required, and provisional firmware (current differing from committed) refused.
type Policy struct {
	Version  *uint64   `json:"version"` // at least 1; governance only ever raises it
	Tier     Tier      `json:"tier"`
	Profiles []Profile `json:"profiles"` // evidence must satisfy one of them entirely
	Deny     Deny      `json:"deny"`     // and nothing on these lists
}

// Tier is the class of platforms that a policy admits. It is shown wherever
// trust in the service is shown.
type Tier string

// Tiers. They never mix: a policy lists hardware or simulated profiles.
const (
	TierStandard  Tier = "standard"        // hardware without a known break of its root
	TierLegacy    Tier = "legacy-hardware" // may list EPYC Milan, whose chip keys are reported extractable
	TierSimulated Tier = "simulated"       // development: no protection
)

// Profile is one way to be admitted.
type Profile struct {
	Name         string        `json:"name"`
	Kind         Kind          `json:"kind"`
	Expires      Expiry        `json:"expires"`
	Products     []Product     `json:"products"`
	Signer       string        `json:"signer"` // "vcek": the chip's own key
	Measurements []Measurement `json:"measurements"`
	HostData     []Hex         `json:"host_data"` // 32 bytes each; launch configurations admitted
	VMPL         *uint32       `json:"vmpl"`      // exactly, 0 to 3
	MinGuestSVN  *uint32       `json:"min_guest_svn"`
	FamilyID     Set           `json:"family_id"`         // 16 bytes each
	ImageID      Set           `json:"image_id"`          // 16 bytes each
	IDKey        Set           `json:"id_key_digest"`     // 48 bytes each
	AuthorKey    Set           `json:"author_key_digest"` // 48 bytes each
	Chips        Set           `json:"chips"`             // 64 bytes each
	Guest        GuestRules    `json:"guest"`
	Platform     PlatformRules `json:"platform"`
	Mitigations  Mitigations   `json:"mitigations"`
}

// Product admits a product line from a firmware version on. The minimum holds
// for the reported, committed and launch versions, part by part.
type Product struct {
	Name   string   `json:"name"` // milan, genoa, turin; simulated
	MinTCB TCBFloor `json:"min_tcb"`
}

// TCBFloor is the least version of each part. FMC is stated exactly for the
// products that have one: turin and simulated.
type TCBFloor struct {
	FMC        *uint8 `json:"fmc,omitempty"`
	Bootloader *uint8 `json:"bootloader"`
	TEE        *uint8 `json:"tee"`
	SNP        *uint8 `json:"snp"`
	Microcode  *uint8 `json:"microcode"`
}

// Measurement admits one launch digest until it expires.
type Measurement struct {
	Digest  Hex    `json:"digest"` // 48 bytes
	Image   string `json:"image"`  // name of the release it identifies
	Expires Expiry `json:"expires"`
}

// GuestRules judge the guest policy, bit by bit.
type GuestRules struct {
	SMT              Bit `json:"smt"`
	MigrationAgent   Bit `json:"migration_agent"` // forbidden
	Debug            Bit `json:"debug"`           // forbidden
	SingleSocket     Bit `json:"single_socket"`
	CXL              Bit `json:"cxl"`
	AES256XTS        Bit `json:"aes_256_xts"`
	RAPLDisabled     Bit `json:"rapl_disabled"`
	CiphertextHiding Bit `json:"ciphertext_hiding"`
	PageSwapDisabled Bit `json:"page_swap_disabled"`
}

// PlatformRules judge the platform information, bit by bit.
type PlatformRules struct {
	SMT                Bit     `json:"smt"`
	TSME               Bit     `json:"tsme"`
	ECC                Bit     `json:"ecc"`
	RAPLDisabled       Bit     `json:"rapl_disabled"`
	CiphertextHiding   Bit     `json:"ciphertext_hiding"`
	AliasCheckComplete Bit     `json:"alias_check_complete"` // required
	TIO                Bit     `json:"tio"`
	Reserved           *uint64 `json:"reserved"` // bits without a published meaning that may be set
}

// Mitigations are bits that must be set in the mitigation vectors.
type Mitigations struct {
	Launch  *uint64 `json:"launch"`
	Current *uint64 `json:"current"`
}

// Deny overrides every profile.
type Deny struct {
	Chips        []Hex `json:"chips"`        // 64 bytes each
	Measurements []Hex `json:"measurements"` // 48 bytes each
}

// Bit is what a policy says about a bit.
type Bit string

// What a policy may say about a bit.
const (
	Required  Bit = "required"
	Forbidden Bit = "forbidden"
	AnyBit    Bit = "any"
)

// Set is either anything or one of a list: exactly one of its fields is stated.
type Set struct {
	Any  bool  `json:"any,omitempty"`
	Only []Hex `json:"only,omitempty"`
}

// Expiry is either never or a time: exactly one of its fields is stated.
type Expiry struct {
	Never bool  `json:"never,omitempty"`
	At    int64 `json:"at,omitempty"` // seconds since 1970 UTC; not valid from then on
}

// Hex is a byte string, written in hexadecimal where text is written.
type Hex []byte

// MarshalText is the bytes in hexadecimal.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText reads hexadecimal.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode([]byte{}, text)
	*h = b
	return err
}
