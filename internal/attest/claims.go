package attest

import "time"

// Claims are the facts that authenticated evidence states, in the terms of AMD
// SEV-SNP ABI specification 56860, table "ATTESTATION_REPORT Structure".
type Claims struct {
	Kind    Kind
	Product string // product line: milan, genoa, turin, simulated

	ReportVersion   uint32
	ReportData      ReportData
	Measurement     [48]byte // launch digest
	HostData        [32]byte // set by the host at launch: hash of the launch configuration
	VMPL            uint32   // privilege level of the requester inside the guest
	GuestSVN        uint32
	FamilyID        [16]byte
	ImageID         [16]byte
	IDKeyDigest     [48]byte // SHA-384 of the key that signed the ID block, zero without one
	AuthorKeyDigest [48]byte
	ReportID        [32]byte
	ChipID          [64]byte

	Guest    GuestBits
	Platform PlatformBits

	// Versions of the trusted firmware: now running, committed (no rollback
	// below), claimed in the report and certified, and at launch of the guest.
	Current, Committed, Reported, Launch TCB

	CurrentFirmware, CommittedFirmware Firmware

	// Mitigation vectors (report version 5): bits of AMD's mitigations in force.
	LaunchMitigations, CurrentMitigations uint64

	// Validity of the chip certificate.
	NotBefore, NotAfter time.Time
}

// GuestBits are the bits of the guest policy that the guest was launched with.
type GuestBits struct {
	SMT              bool // may run on a core with SMT enabled
	MigrationAgent   bool // may have a migration agent
	Debug            bool // the host may read its memory
	SingleSocket     bool
	CXL              bool // CXL devices and memory allowed
	AES256XTS        bool // AES-256-XTS memory encryption demanded
	RAPLDisabled     bool // power readings must be off
	CiphertextHiding bool
	PageSwapDisabled bool
}

// PlatformBits are the bits of the platform information.
type PlatformBits struct {
	SMT                bool
	TSME               bool
	ECC                bool
	RAPLDisabled       bool
	CiphertextHiding   bool
	AliasCheckComplete bool   // no aliasing memory since reset (BadRAM, AMD-SB-3015)
	TIO                bool   // SEV-TIO
	Reserved           uint64 // bits without a published meaning, as they stand
}

// TCB is a version of the trusted firmware, part by part. FMC is zero on
// products without one (HasFMC false).
type TCB struct {
	HasFMC     bool
	FMC        uint8
	Bootloader uint8
	TEE        uint8
	SNP        uint8
	Microcode  uint8
	Raw        [8]byte // as in the report, reserved parts included
}

// Firmware is a version of the SEV-SNP firmware.
type Firmware struct{ Major, Minor, Build uint8 }
