//go:build !release

package sim

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/asn1"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/snp"
)

// Firmware versions in snp.LayoutTurin: FMC, bootloader, TEE, SNP, three
// reserved, microcode.
var (
	currentTCB = [8]byte{1, 1, 1, 1, 0, 0, 0, 1}
	staleTCB   = [8]byte{1, 1, 1, 0, 0, 0, 0, 1}
)

// Platform is one simulated guest on one simulated chip. It is a
// attest.Platform and a attest.Sealer, for concurrent use.
type Platform struct {
	options Options
	chipID  [64]byte
	chipDER []byte
	key     *ecdsa.PrivateKey
	report  snp.Report // everything but report data and signature

	mu    sync.Mutex
	first *attest.Evidence // the first evidence, for ReplayedNonce
}

var (
	_ attest.Platform = (*Platform)(nil)
	_ attest.Sealer   = (*Platform)(nil)
)

// New is a platform; the result is a *Platform. Equal options give equal
// platforms: the same chip, certificate, reports and sealing secrets.
func New(o Options) (attest.Platform, error) {
	p := &Platform{options: o, chipID: chipID(o)}
	reported, certified := currentTCB, currentTCB
	if p.fails(StaleTCB) {
		reported, certified = staleTCB, staleTCB
	}
	if p.fails(CollateralRollback) {
		certified = staleTCB
	}
	var err error
	if p.key, err = chipKey(o.ChipSecret, certified); err != nil {
		return nil, attest.ErrPlatform.From(err)
	}
	if p.chipDER, err = p.certificate(certified); err != nil {
		return nil, attest.ErrPlatform.From(err)
	}
	p.report = p.launch(reported)
	return p, nil
}

// Kind is sim.
func (p *Platform) Kind() attest.Kind { return attest.KindSim }

// Measurement is the launch digest that the platform reports.
func (p *Platform) Measurement() [48]byte { return p.options.Measurement }

// HostData is the launch configuration's hash that the platform reports.
func (p *Platform) HostData() [32]byte { return p.options.HostData }

// ChipID is the simulated chip's id. It begins with Marker.
func (p *Platform) ChipID() [64]byte { return p.chipID }

// Evidence is a signed report over reportData with the chip's certificate.
func (p *Platform) Evidence(ctx context.Context, reportData attest.ReportData) (attest.Evidence, error) {
	if err := ctx.Err(); err != nil {
		return attest.Evidence{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first != nil && p.fails(ReplayedNonce) {
		return *p.first, nil
	}
	r := p.report
	r.ReportData = reportData
	if p.fails(ForeignKey) {
		r.ReportData = sha512.Sum512(reportData[:])
	}
	if err := sign(&r, p.key); err != nil {
		return attest.Evidence{}, attest.ErrPlatform.From(err)
	}
	if p.fails(WrongSignature) {
		r.S[0] ^= 1
	}
	e := attest.Evidence{Kind: attest.KindSim, Report: r.Bytes(), Chip: slices.Clone(p.chipDER)}
	p.first = &e
	return e, nil
}

// SealingSecret is a secret that follows from the chip, the measurement, the
// launch configuration and the label, as the derived keys of SEV-SNP do.
func (p *Platform) SealingSecret(label string) ([32]byte, error) {
	info := Marker + " sealing\x00" + string(p.options.Measurement[:]) + string(p.options.HostData[:]) + label
	key, err := hkdf.Key(sha512.New, p.options.ChipSecret[:], nil, info, 32)
	if err != nil {
		return [32]byte{}, attest.ErrPlatform.From(err)
	}
	return [32]byte(key), nil
}

func (p *Platform) fails(f Fault) bool { return slices.Contains(p.options.Faults, f) }

// launch is the report of the guest, without report data and signature.
func (p *Platform) launch(tcb [8]byte) snp.Report {
	firmware := attest.Firmware{Major: 1, Minor: 58, Build: 1}
	r := snp.Report{
		Version: 5, GuestSVN: 1, GuestPolicy: snp.GuestABI | snp.GuestSMT,
		Algorithm: snp.AlgorithmECDSAP384, PlatformInfo: snp.PlatformSMT | snp.PlatformECC | snp.PlatformAliasCheckComplete,
		Measurement: p.options.Measurement, HostData: p.options.HostData,
		ReportID:  [32]byte(derive(p.options.ChipSecret, "report id"+p.options.Now.UTC().Format(time.RFC3339Nano), 32)),
		CPUFamily: cpuFamily, CPUModel: cpuModel, ChipID: p.chipID,
		CurrentTCB: tcb, CommittedTCB: tcb, ReportedTCB: tcb, LaunchTCB: tcb,
		Current: firmware, Committed: firmware,
	}
	for i := range r.ReportIDMA {
		r.ReportIDMA[i] = 0xFF // no migration agent
	}
	if p.fails(DebugBit) {
		r.GuestPolicy |= snp.GuestDebug
	}
	if p.fails(ProvisionalFirmware) {
		r.Committed.Build--
		r.CommittedTCB[7]--
	}
	return r
}

// chipID is the marker and a digest of the chip's secret.
func chipID(o Options) [64]byte {
	if slices.Contains(o.Faults, RevokedChip) {
		return [64]byte(revoked()[0])
	}
	var id [64]byte
	copy(id[copy(id[:], Marker+"\x00"):], derive(o.ChipSecret, "chip id", 64))
	return id
}

// revoked is the chip that every development policy denies.
func revoked() []attest.Hex {
	id := make([]byte, 64)
	copy(id, Marker+"\x00revoked")
	return []attest.Hex{id}
}

// chipKey is the chip's signing key for a firmware version.
func chipKey(secret [32]byte, tcb [8]byte) (*ecdsa.PrivateKey, error) {
	return ecdsa.ParseRawPrivateKey(elliptic.P384(), derive(secret, "vcek"+string(tcb[:]), 48))
}

func derive(secret [32]byte, label string, size int) []byte {
	key, err := hkdf.Key(sha512.New, secret[:], nil, Marker+" "+label, size)
	if err != nil {
		panic(err) // only for sizes above 255 hashes
	}
	return key
}

// sign signs deterministically (RFC 6979).
func sign(r *snp.Report, key *ecdsa.PrivateKey) error {
	digest := sha512.Sum384(r.Bytes()[:snp.SignedSize])
	der, err := key.Sign(nil, digest[:], crypto.SHA384)
	if err != nil {
		return err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return err
	}
	r.Sign(sig.R.Bytes(), sig.S.Bytes())
	return nil
}
