package snp

import (
	"bytes"
	"crypto/x509"
	"embed"
	"encoding/pem"
	"fmt"
	"sync"

	"github.com/coco-consortium/coco/internal/attest"
)

// Component is a part of a TCB version. Its number is the last arc of the
// certificate extension that carries it, 1.3.6.1.4.1.3704.1.3.x.
type Component int

// Components, document 57230 table "VCEK Certificate Extensions". The reserved
// ones are compared like the others and otherwise have no meaning.
const (
	Bootloader Component = 1
	TEE        Component = 2
	SNP        Component = 3
	Reserved4  Component = 4
	Reserved5  Component = 5
	Reserved6  Component = 6
	Reserved7  Component = 7
	Microcode  Component = 8
	FMC        Component = 9
)

// Layout is which component each byte of a TCB version holds, first byte first.
type Layout [8]Component

// The layouts of TCB versions, table "TCB_VERSION" of document 56860.
var (
	LayoutMilan = Layout{Bootloader, TEE, Reserved4, Reserved5, Reserved6, Reserved7, SNP, Microcode}
	LayoutTurin = Layout{FMC, Bootloader, TEE, SNP, Reserved5, Reserved6, Reserved7, Microcode}
)

// Decode names the parts of a TCB version.
func (l Layout) Decode(raw [8]byte) attest.TCB {
	t := attest.TCB{Raw: raw}
	for i, c := range l {
		switch c {
		case Bootloader:
			t.Bootloader = raw[i]
		case TEE:
			t.TEE = raw[i]
		case SNP:
			t.SNP = raw[i]
		case Microcode:
			t.Microcode = raw[i]
		case FMC:
			t.HasFMC, t.FMC = true, raw[i]
		}
	}
	return t
}

// CPU is a range of CPUID models of one family.
type CPU struct{ Family, FirstModel, LastModel byte }

// Product is a line of processors: how its reports are recognised and laid
// out, and the vendor certificates that its chips descend from.
type Product struct {
	Name       string
	CPUs       []CPU
	Layout     Layout
	HardwareID int    // bytes of the chip id that are used, the rest are zero
	ChipName   string // common name of every chip certificate

	root, intermediate *x509.Certificate
}

// NewProduct is p with its pinned certificates, DER. The intermediate must be
// signed by the root.
func NewProduct(p Product, root, intermediate []byte) (Product, error) {
	var err error
	if p.root, err = x509.ParseCertificate(root); err != nil {
		return Product{}, attest.ErrMalformed.From(err)
	}
	if p.intermediate, err = x509.ParseCertificate(intermediate); err != nil {
		return Product{}, attest.ErrMalformed.From(err)
	}
	if err := issued(p.root, p.root); err != nil {
		return Product{}, err
	}
	return p, issued(p.intermediate, p.root)
}

// is reports whether a report's CPU belongs to the product.
func (p Product) is(family, model byte) bool {
	for _, c := range p.CPUs {
		if family == c.Family && model >= c.FirstModel && model <= c.LastModel {
			return true
		}
	}
	return false
}

// pinned reports whether der is one of the product's vendor certificates.
func (p Product) pinned(der []byte) bool {
	return bytes.Equal(der, p.intermediate.Raw) || bytes.Equal(der, p.root.Raw)
}

//go:embed roots/*.pem
var roots embed.FS

// AMD is the authority of AMD's product lines by AMD's own roots.
var AMD = sync.OnceValue(func() *Authority {
	milan := Product{
		Name: "milan", CPUs: []CPU{{0x19, 0x00, 0x0F}},
		Layout: LayoutMilan, HardwareID: 64, ChipName: "SEV-VCEK",
	}
	genoa := Product{ // with Bergamo and Siena
		Name: "genoa", CPUs: []CPU{{0x19, 0x10, 0x1F}, {0x19, 0xA0, 0xAF}},
		Layout: LayoutMilan, HardwareID: 64, ChipName: "SEV-VCEK",
	}
	turin := Product{
		Name: "turin", CPUs: []CPU{{0x1A, 0x00, 0x11}},
		Layout: LayoutTurin, HardwareID: 8, ChipName: "SEV-VCEK",
	}
	return NewAuthority(attest.KindSNP, embedded(milan), embedded(genoa), embedded(turin))
})

// embedded adds AMD's certificates, which are part of the program: a wrong one
// is a fault of the build and no input can bring it about.
func embedded(p Product) Product {
	full, err := NewProduct(p, embeddedDER("ark_"+p.Name), embeddedDER("ask_"+p.Name))
	if err != nil {
		panic(fmt.Errorf("certificates of %s: %w", p.Name, err))
	}
	return full
}

func embeddedDER(name string) []byte {
	data, err := roots.ReadFile("roots/" + name + ".pem")
	if err != nil {
		panic(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		panic(name + " is not PEM")
	}
	return block.Bytes
}
