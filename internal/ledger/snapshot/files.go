package snapshot

import "github.com/coco-consortium/coco/internal/disk"

// Part is one of the files of a snapshot.
type Part string

// The parts. A snapshot counts once it has a receipt, which is why whoever puts
// a snapshot from elsewhere in place puts the receipt there last.
const (
	Frames   Part = framesSuffix
	Content  Part = manifestSuffix // the encoded Manifest
	Evidence Part = receiptSuffix  // the receipt of the record that names the manifest's digest
)

// FileName is the name of a part of the snapshot of a block, in the snapshots'
// directory.
func FileName(height uint64, part Part) string { return fileName(height, string(part)) }

// Limits on the files of a snapshot, in bytes.
const (
	MaxManifest = maxManifest
	MaxReceipt  = maxReceipt
)

// Size is the size of the frames' file, in bytes.
func (m *Manifest) Size() int64 { return m.size() }

// List is Store.List for a directory that another goroutine may be writing to:
// what it deletes meanwhile is reported as damaged. It changes nothing.
func List(f disk.FS, dir string) (usable []*Snapshot, damaged []error) {
	return (&Store{fs: f, dir: dir}).List()
}
