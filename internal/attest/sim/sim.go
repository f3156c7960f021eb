// Package sim is a fake silicon vendor for development networks. It issues
// reports in the exact format of AMD SEV-SNP, under its own root, so that the
// verifier, the policies and everything built on them are the same functions
// as for real hardware; only the pinned root differs.
//
// It protects nothing. The vendor's keys follow from a constant in the source:
// anybody can sign anything. Its certificates, chip ids and product say
// INSECURE SIMULATION, and a policy never admits it beside hardware.
//
// A build with the tag "release" contains neither the vendor's keys nor its
// certificates: there New fails, and Roots refuses every simulated report and
// says so. The package reads no clock, file or randomness of its own.
package sim

import (
	"time"

	"github.com/coco-consortium/coco/internal/attest"
)

// ProductName is the simulated product line in policies and claims.
const ProductName = "simulated"

// Options are the machine and the guest to simulate.
type Options struct {
	// ChipSecret stands for the secret fused into a chip: its identity, signing
	// key and sealing secrets follow from it. The caller keeps it; whoever
	// reads it is the chip.
	ChipSecret [32]byte
	// Measurement is the launch digest to report.
	Measurement [48]byte
	// HostData is the launch configuration's hash to report.
	HostData [32]byte
	// Now dates the chip's certificate.
	Now time.Time
	// Faults make the platform misbehave, for tests.
	Faults []Fault
}

// Fault is a way for evidence to be wrong.
type Fault string

// Faults, with what refuses them under Policy.
const (
	WrongSignature      Fault = "wrong signature"      // attest.ErrSignature
	StaleTCB            Fault = "stale tcb"            // attest.ErrPolicy, min_tcb
	DebugBit            Fault = "debug bit"            // attest.ErrPolicy, guest.debug
	RevokedChip         Fault = "revoked chip"         // attest.ErrPolicy, deny.chips
	ReplayedNonce       Fault = "replayed nonce"       // attest.ErrBinding, from the second evidence on
	ProvisionalFirmware Fault = "provisional firmware" // attest.ErrPolicy, provisional
	ExpiredCertificate  Fault = "expired certificate"  // attest.ErrExpired
	ClockSkew           Fault = "clock skew"           // attest.ErrExpired: certified in the future
	CollateralRollback  Fault = "collateral rollback"  // attest.ErrChip: certificate of older firmware
	ForeignKey          Fault = "foreign key"          // attest.ErrBinding: another node's keys
)

// Faults is every fault.
func Faults() []Fault {
	return []Fault{
		WrongSignature, StaleTCB, DebugBit, RevokedChip, ReplayedNonce, ProvisionalFirmware,
		ExpiredCertificate, ClockSkew, CollateralRollback, ForeignKey,
	}
}

// Policy is the policy of a development network: version 1, admitting exactly
// this measurement and launch configuration on any simulated chip but the
// revoked one, with firmware not older than the simulator's.
func Policy(measurement [48]byte, hostData [32]byte) attest.Policy {
	one, zero := uint8(1), uint64(0)
	vmpl, svn := uint32(0), uint32(1)
	version := uint64(1)
	return attest.Policy{
		Version: &version,
		Tier:    attest.TierSimulated,
		Profiles: []attest.Profile{{
			Name:    "development",
			Kind:    attest.KindSim,
			Expires: attest.Expiry{Never: true},
			Products: []attest.Product{{Name: ProductName, MinTCB: attest.TCBFloor{
				FMC: &one, Bootloader: &one, TEE: &one, SNP: &one, Microcode: &one,
			}}},
			Signer: "vcek",
			Measurements: []attest.Measurement{{
				Digest: measurement[:], Image: "development", Expires: attest.Expiry{Never: true},
			}},
			HostData:    []attest.Hex{hostData[:]},
			VMPL:        &vmpl,
			MinGuestSVN: &svn,
			FamilyID:    attest.Set{Any: true},
			ImageID:     attest.Set{Any: true},
			IDKey:       attest.Set{Any: true},
			AuthorKey:   attest.Set{Any: true},
			Chips:       attest.Set{Any: true},
			Guest: attest.GuestRules{
				SMT: attest.AnyBit, MigrationAgent: attest.Forbidden, Debug: attest.Forbidden,
				SingleSocket: attest.AnyBit, CXL: attest.Forbidden, AES256XTS: attest.AnyBit,
				RAPLDisabled: attest.AnyBit, CiphertextHiding: attest.AnyBit, PageSwapDisabled: attest.AnyBit,
			},
			Platform: attest.PlatformRules{
				SMT: attest.AnyBit, TSME: attest.AnyBit, ECC: attest.AnyBit, RAPLDisabled: attest.AnyBit,
				CiphertextHiding: attest.AnyBit, AliasCheckComplete: attest.Required, TIO: attest.AnyBit,
				Reserved: &zero,
			},
			Mitigations: attest.Mitigations{Launch: &zero, Current: &zero},
		}},
		Deny: attest.Deny{Chips: revoked(), Measurements: []attest.Hex{}},
	}
}
