//go:build !release

package sim

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"time"

	"github.com/coco-consortium/coco/internal/attest/snp"
)

// chipValidity is how long a chip certificate holds, as AMD's do.
const chipValidity = 7 * 365 * 24 * time.Hour

// oidInsecure marks the simulated vendor's certificates with an extension that
// is not critical. 2.999 is the arc for examples.
var oidInsecure = asn1.ObjectIdentifier{2, 999, 49344, 1}

// certificate is the chip's certificate by the vendor's intermediate, with the
// extensions of AMD's (document 57230).
func (p *Platform) certificate(tcb [8]byte) ([]byte, error) {
	from := p.options.Now.Add(-24 * time.Hour)
	switch {
	case p.fails(ExpiredCertificate):
		from = from.Add(-chipValidity - 24*time.Hour)
	case p.fails(ClockSkew):
		from = from.Add(48 * time.Hour)
	}
	intermediate, err := x509.ParseCertificate(intermediateDER)
	if err != nil {
		return nil, err
	}
	key, err := intermediateKey.private()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:       new(big.Int),
		Subject:            name("SEV-VCEK"),
		NotBefore:          from,
		NotAfter:           from.Add(chipValidity),
		SignatureAlgorithm: x509.SHA384WithRSAPSS,
		ExtraExtensions:    p.extensions(tcb),
	}
	salt := stream("chip certificate salt" + string(p.chipID[:]))
	return x509.CreateCertificate(salt, template, intermediate, &p.key.PublicKey, key)
}

func (p *Platform) extensions(tcb [8]byte) []pkix.Extension {
	amd := func(value []byte, arc ...int) pkix.Extension {
		return pkix.Extension{Id: append(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3704, 1}, arc...), Value: value}
	}
	list := []pkix.Extension{
		amd([]byte{asn1.TagInteger, 1, 1}, 1),
		amd(append([]byte{asn1.TagIA5String, byte(len(ProductName))}, ProductName...), 2),
		insecure(),
	}
	for i, component := range snp.LayoutTurin {
		list = append(list, amd([]byte{asn1.TagInteger, 1, tcb[i]}, 3, int(component)))
	}
	return append(list, amd(p.chipID[:], 4))
}

func name(role string) pkix.Name {
	return pkix.Name{Organization: []string{"coco development"}, CommonName: Marker + " " + role}
}

func insecure() pkix.Extension {
	return pkix.Extension{Id: oidInsecure, Value: []byte{asn1.TagNull, 0}}
}
