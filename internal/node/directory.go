package node

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/url"
	"path"
	"slices"
	"syscall"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/proof"
)

// Where things lie below DATA. The node owns DATA/node; service.pem is for
// whoever verifies receipts.
const (
	dirNode      = "node"
	dirLedger    = "node/ledger"
	dirRaft      = "node/raft"
	dirKeys      = "node/keys"
	dirSnapshot  = "node/snapshot"
	dirIndex     = "node/index"
	dirPast      = "node/past"
	fileVote     = "node/raft/vote"
	fileLock     = "node/lock"
	fileService  = "service.pem"
	fileFormerly = "node/raft/formerly"
	fileOperator = "node/operator.sock"
)

// nodeFiles is what a node keeps below its folder.
var nodeFiles = []string{dirLedger, dirRaft, dirKeys, dirSnapshot, dirIndex, dirPast, fileLock, fileOperator}

// Problems of a data directory.
var (
	ErrLocked = problem.New("DATA_LOCKED", "another process uses this data directory",
		"stop the other process, or give this one a directory of its own with --data")
	ErrForeign = problem.New("DATA_FOREIGN", "the directory belongs to something else",
		"give the directory of this network with --data, or an empty one to begin a new network")
	ErrServiceFile = problem.New("SERVICE_FILE", "service.pem cannot be used",
		"put the network's own service.pem back, or remove the file: the node writes it again")
	ErrUnwritable = problem.New("DATA_UNWRITABLE", "the data directory cannot be written",
		"check the path, its owner and that its disk is mounted for writing, or give another with --data")
)

// openDirectory makes the node's folders below DATA and takes the lock that
// ends with the process.
func openDirectory(f disk.FS) (io.Closer, error) {
	names, err := f.ReadDir(".")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, ErrUnwritable.From(err)
	}
	ours := len(names) == 0
	for _, name := range names {
		ours = ours || name == dirNode
	}
	if !ours {
		return nil, ErrForeign.From(errors.New("it has files and none of them is a coco node's"))
	}
	if inside, err := f.ReadDir(dirNode); err == nil {
		for _, name := range inside {
			if !slices.Contains(nodeFiles, path.Join(dirNode, name)) {
				return nil, ErrForeign.From(fmt.Errorf("%s/%s is not of a coco node", dirNode, name))
			}
		}
	}
	for _, dir := range []string{".", dirNode, dirLedger, dirRaft, dirKeys, dirSnapshot} {
		if err := f.MkdirAll(dir); err != nil {
			return nil, ErrUnwritable.From(err)
		}
	}
	lock, err := f.Lock(fileLock)
	switch {
	case errors.Is(err, disk.ErrLocked):
		return nil, ErrLocked.From(err)
	case err != nil:
		return nil, ErrUnwritable.From(err)
	}
	for _, dir := range []string{dirNode, "."} {
		if err := disk.SyncDir(f, dir); err != nil && !errors.Is(err, syscall.EINVAL) {
			lock.Close()
			return nil, ErrUnwritable.From(err)
		}
	}
	return lock, nil
}

// serviceCertificate is service.pem: the service key in a self-signed
// certificate (RFC 5280) that names the service and, when simulated, says so.
func serviceCertificate(key *ecdsa.PrivateKey, id format.ServiceID, mode string, made time.Time) ([]byte, error) {
	name := "coco service " + hex.EncodeToString(id[:])
	if mode == format.ModeSimulated {
		name += " INSECURE SIMULATION"
	}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(id[:]), Subject: pkix.Name{CommonName: name},
		NotBefore: made.Add(-time.Hour), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280 4.1.2.5: no expiry
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		URIs: []*url.URL{{Scheme: "coco", Opaque: hex.EncodeToString(id[:])}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// Free says which other process uses a data directory, if one does.
func Free(data string) error {
	f := disk.OS(data)
	if _, err := f.ReadDir(dirNode); err != nil {
		return nil // there is none, or the start says what is wrong with it
	}
	lock, err := f.Lock(fileLock)
	switch {
	case errors.Is(err, disk.ErrLocked):
		return ErrLocked.From(err)
	case err == nil:
		return lock.Close()
	}
	return nil
}

// serviceOf reads the service's id and key from the certificate that a node joins
// with. It must be valid: the other nodes' certificates are judged by it.
func serviceOf(data []byte, now time.Time) (id format.ServiceID, spki []byte, err error) {
	known, err := proof.ParseService(data)
	if err != nil {
		return id, nil, ErrJoinService.From(err)
	}
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return id, nil, ErrJoinService.From(err)
	}
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return id, nil, ErrJoinService.From(fmt.Errorf("it is valid from %v to %v, and this machine's clock says %v",
			cert.NotBefore.Format(time.RFC3339), cert.NotAfter.Format(time.RFC3339), now.UTC().Format(time.RFC3339)))
	}
	for _, u := range cert.URIs {
		if raw, err := hex.DecodeString(u.Opaque); err == nil && u.Scheme == "coco" && len(raw) == len(id) {
			return format.ServiceID(raw), known.SPKI, nil
		}
	}
	return id, nil, ErrJoinService.From(errors.New("it does not name its service"))
}

// serviceFile reads service.pem, or writes it when it is missing, and checks
// that it is this service's.
func serviceFile(f disk.FS, key *ecdsa.PrivateKey, id format.ServiceID, mode string, now time.Time) ([]byte, error) {
	data, err := disk.ReadFile(f, fileService, 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = serviceCertificate(key, id, mode, now); err != nil {
			return nil, err
		}
		return data, disk.WriteFile(f, fileService, data)
	}
	if err != nil {
		return nil, ErrUnwritable.From(err)
	}
	known, err := proof.ParseService(data)
	if err != nil {
		return nil, ErrServiceFile.From(err)
	}
	if !bytes.Equal(keys.SPKI(&key.PublicKey), known.SPKI) {
		return nil, ErrForeign.From(errors.New(fileService + " is another network's"))
	}
	return data, nil
}
