// Package snp reads and authenticates AMD SEV-SNP attestation reports with the
// standard library alone.
//
// It promises that a report which it authenticates was signed, bit for bit, by
// a chip that a pinned AMD root certifies for exactly the firmware version and
// the chip that the report names. The format is that of AMD's "SEV Secure
// Nested Paging Firmware ABI Specification" (document 56860), certificates that
// of "Versioned Chip Endorsement Key Certificate and KDS Interface
// Specification" (document 57230).
//
// It does not judge what a report claims: policies do. It does not know VLEK
// signers, report version 4 or products without recorded evidence to test with,
// and refuses them.
package snp

import (
	"encoding/binary"

	"github.com/coco-consortium/coco/internal/attest"
)

// Sizes in bytes.
const (
	ReportSize = 1184
	SignedSize = 0x2A0 // the part of the report that the signature covers
	scalarSize = 72    // bytes of R and of S, little endian
)

// Values of fields.
const (
	AlgorithmECDSAP384 = 1 // ECDSA P-384 with SHA-384
	signerVCEK         = 0 // SIGNING_KEY: the versioned chip endorsement key
)

// Report is an attestation report as the bytes have it.
type Report struct {
	Version         uint32
	GuestSVN        uint32
	GuestPolicy     uint64
	FamilyID        [16]byte
	ImageID         [16]byte
	VMPL            uint32
	Algorithm       uint32
	CurrentTCB      [8]byte
	PlatformInfo    uint64
	SignerInfo      uint32
	ReportData      [64]byte
	Measurement     [48]byte
	HostData        [32]byte
	IDKeyDigest     [48]byte
	AuthorKeyDigest [48]byte
	ReportID        [32]byte
	ReportIDMA      [32]byte // migration agent's report, all ones without one
	ReportedTCB     [8]byte
	CPUFamily       byte // with model and stepping from version 3 on
	CPUModel        byte
	CPUStepping     byte
	ChipID          [64]byte
	CommittedTCB    [8]byte
	Current         attest.Firmware
	Committed       attest.Firmware
	LaunchTCB       [8]byte
	LaunchMit       uint64 // mitigation vectors, version 5
	CurrentMit      uint64
	R, S            [scalarSize]byte // signature, little endian
}

// Parse reads a report of version 2, 3 or 5 and refuses any other length, a
// reserved bit or byte that is set, and an unknown signature algorithm. What it
// accepts, Bytes writes again identically.
func Parse(b []byte) (*Report, error) {
	if len(b) != ReportSize {
		return nil, attest.Refuse(attest.ErrMalformed, "the report has %d bytes, not %d", len(b), ReportSize)
	}
	r := &Report{}
	f := &fields{in: b, reserved: -1}
	r.layout(f)
	switch r.Version {
	case 2, 3, 5:
	default:
		return nil, attest.Refuse(attest.ErrUnsupported, "report version %d is not supported", r.Version)
	}
	if f.reserved >= 0 {
		return nil, attest.Refuse(attest.ErrMalformed, "byte %#x of the report is reserved and not zero", f.reserved)
	}
	return r, r.check()
}

// Bytes is the report in its binary form.
func (r *Report) Bytes() []byte {
	f := &fields{out: make([]byte, ReportSize)}
	r.layout(f)
	return f.out
}

// Sign sets the signature, given R and S big endian as the standard library
// has them, at most 72 bytes each.
func (r *Report) Sign(rBytes, sBytes []byte) {
	for i, b := range rBytes {
		r.R[len(rBytes)-1-i] = b
	}
	for i, b := range sBytes {
		r.S[len(sBytes)-1-i] = b
	}
}

// Masked reports whether the host has the chip's key masked (MASK_CHIP_KEY):
// such a report carries no signature.
func (r *Report) Masked() bool { return r.SignerInfo&2 != 0 }

// Signer is the SIGNING_KEY field: 0 VCEK, 1 VLEK, 7 none.
func (r *Report) Signer() uint32 { return r.SignerInfo >> 2 & 7 }

// layout visits every byte of the report in order, table "ATTESTATION_REPORT
// Structure" of document 56860.
func (r *Report) layout(f *fields) {
	f.u32(&r.Version)
	f.u32(&r.GuestSVN)
	f.u64(&r.GuestPolicy)
	f.bytes(r.FamilyID[:])
	f.bytes(r.ImageID[:])
	f.u32(&r.VMPL)
	f.u32(&r.Algorithm)
	f.bytes(r.CurrentTCB[:])
	f.u64(&r.PlatformInfo)
	f.u32(&r.SignerInfo)
	f.zero(4)
	f.bytes(r.ReportData[:])
	f.bytes(r.Measurement[:])
	f.bytes(r.HostData[:])
	f.bytes(r.IDKeyDigest[:])
	f.bytes(r.AuthorKeyDigest[:])
	f.bytes(r.ReportID[:])
	f.bytes(r.ReportIDMA[:])
	f.bytes(r.ReportedTCB[:])
	if r.Version >= 3 {
		f.u8(&r.CPUFamily)
		f.u8(&r.CPUModel)
		f.u8(&r.CPUStepping)
		f.zero(21)
	} else {
		f.zero(24)
	}
	f.bytes(r.ChipID[:])
	f.bytes(r.CommittedTCB[:])
	f.firmware(&r.Current)
	f.firmware(&r.Committed)
	f.bytes(r.LaunchTCB[:])
	if r.Version >= 5 {
		f.u64(&r.LaunchMit)
		f.u64(&r.CurrentMit)
	} else {
		f.zero(16)
	}
	f.zero(SignedSize - 0x208)
	f.bytes(r.R[:])
	f.bytes(r.S[:])
	f.zero(ReportSize - SignedSize - 2*scalarSize)
}

// fields walks over a report, reading from in or writing to out.
type fields struct {
	in, out  []byte
	at       int
	reserved int // first reserved byte that is not zero, -1 if none
}

func (f *fields) bytes(b []byte) {
	if f.in != nil {
		copy(b, f.in[f.at:])
	} else {
		copy(f.out[f.at:], b)
	}
	f.at += len(b)
}

func (f *fields) u8(v *byte) {
	b := [1]byte{*v}
	f.bytes(b[:])
	*v = b[0]
}

func (f *fields) u32(v *uint32) {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], *v)
	f.bytes(b[:])
	*v = binary.LittleEndian.Uint32(b[:])
}

func (f *fields) u64(v *uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], *v)
	f.bytes(b[:])
	*v = binary.LittleEndian.Uint64(b[:])
}

func (f *fields) firmware(v *attest.Firmware) {
	f.u8(&v.Build)
	f.u8(&v.Minor)
	f.u8(&v.Major)
	f.zero(1)
}

func (f *fields) zero(n int) {
	for i := f.at; f.in != nil && f.reserved < 0 && i < f.at+n; i++ {
		if f.in[i] != 0 {
			f.reserved = i
		}
	}
	f.at += n
}
