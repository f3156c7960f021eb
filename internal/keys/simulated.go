package keys

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path"

	"github.com/coco-consortium/coco/internal/disk"
)

// InsecureSealingFile is the file that stands in for a processor's sealing key
// on the simulated platform. Whoever reads it opens the bundle: its name says so.
const InsecureSealingFile = "INSECURE-simulated-sealing-key"

type simulatedSealer struct{ key Secret }

// SimulatedSealer opens dir's simulated sealing key, or makes it when the file
// is not there. It stands for a processor's derived key, nothing more.
func SimulatedSealer(f disk.FS, dir string) (Sealer, error) {
	name := path.Join(dir, InsecureSealingFile)
	data, err := disk.ReadFile(f, name, 32)
	if errors.Is(err, fs.ErrNotExist) {
		key := NewSecret()
		return simulatedSealer{key}, disk.WriteFile(f, name, key[:])
	}
	if err != nil {
		return nil, err
	}
	if len(data) != 32 {
		return nil, ErrBundle.From(errors.New("the simulated sealing key has a wrong size"))
	}
	return simulatedSealer{Secret(data)}, nil
}

func (simulatedSealer) Recipient() string { return "sealing/sim" }

func (s simulatedSealer) Wrap(key, context []byte) ([]byte, error) {
	nonce := make([]byte, 12)
	rand.Read(nonce)
	return gcm(s.key).Seal(nonce, nonce, key, context), nil
}

func (s simulatedSealer) Unwrap(wrapped, context []byte) ([]byte, error) {
	if len(wrapped) < 12 {
		return nil, errors.New("too short")
	}
	return gcm(s.key).Open(nil, wrapped[:12], wrapped[12:], context)
}
