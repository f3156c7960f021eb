package solidity

import (
	"archive/zip"
	"bytes"
	"io"
	"path"
	"strings"

	"github.com/coco-consortium/coco/internal/problem"
)

// readArchive takes the .sol files out of a .zip, or, where it has none, the
// artifacts. What an archiver of some desktop adds beside them is passed over;
// what no honest archive has is refused: names that leave the folder, links,
// two files of one name, archives within the archive. How much is unpacked is
// counted while it happens and not believed from the archive's own table.
func readArchive(name string, data []byte) (Sources, error) {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, problem.Newf(ErrFileDamaged.Code, ErrFileDamaged.Next, "%s is no zip archive", show(name)).From(err)
	}
	if len(r.File) > maxEntries {
		return nil, problem.Newf(ErrFileLimit.Code, ErrFileLimit.Next, "%s has %d entries, more than %d", show(name), len(r.File), maxEntries)
	}
	unsafe := func(entry, why string) error {
		return problem.Newf(ErrFileUnsafe.Code, ErrFileUnsafe.Next, "%s in %s %s", show(entry), show(name), why)
	}
	wanted := map[string][]*zip.File{}
	seen := map[string]bool{}
	for _, f := range r.File {
		entry := strings.ReplaceAll(f.Name, `\`, "/") // archivers of Windows
		for strings.HasPrefix(entry, "./") {
			entry = entry[2:]
		}
		if entry == "" {
			continue
		}
		if why := badPath(entry); why != "" {
			return nil, unsafe(f.Name, why)
		}
		if f.Mode().IsDir() || strings.HasSuffix(entry, "/") {
			continue
		}
		if !f.Mode().IsRegular() {
			return nil, unsafe(entry, "is a link or a device, not a file")
		}
		if strings.HasPrefix(entry, "__MACOSX/") || strings.HasPrefix(path.Base(entry), ".") {
			continue
		}
		kind := strings.ToLower(path.Ext(entry))
		switch kind {
		case ".zip", ".tar", ".gz", ".tgz", ".7z", ".rar":
			return nil, unsafe(entry, "is an archive within the archive")
		case ".sol", ".json":
		default:
			continue
		}
		if f.Flags&1 != 0 {
			return nil, unsafe(entry, "is encrypted")
		}
		// Names that differ by case are one file on some machines.
		if folded := strings.ToLower(entry); seen[folded] {
			return nil, unsafe(entry, "is there twice")
		} else {
			seen[folded] = true
		}
		f.Name = entry
		wanted[kind] = append(wanted[kind], f)
	}
	files := wanted[".sol"]
	if len(files) == 0 {
		files = wanted[".json"]
	}
	if len(files) == 0 {
		return nil, problem.Newf(ErrFileEmpty.Code, ErrFileEmpty.Next, "%s holds no .sol file", show(name))
	}
	return unpack(name, files)
}

// unpack reads the entries, never more than MaxSources bytes in all.
func unpack(name string, files []*zip.File) (Sources, error) {
	if len(files) > MaxFiles {
		return nil, problem.Newf(ErrFileLimit.Code, ErrFileLimit.Next, "%s has %d files of code, more than %d", show(name), len(files), MaxFiles)
	}
	s, left := Sources{}, int64(MaxSources)
	for _, f := range files {
		r, err := f.Open()
		if err != nil {
			return nil, problem.Newf(ErrFileDamaged.Code, ErrFileDamaged.Next, "%s in %s cannot be unpacked", show(f.Name), show(name)).From(err)
		}
		data, err := io.ReadAll(io.LimitReader(r, left+1))
		_ = r.Close() // nothing is written
		if int64(len(data)) > left {
			return nil, problem.Newf(ErrFileLimit.Code, ErrFileLimit.Next, "%s unpacks to more than %d bytes of code", show(name), MaxSources)
		}
		if err != nil {
			return nil, problem.Newf(ErrFileDamaged.Code, ErrFileDamaged.Next, "%s in %s cannot be unpacked", show(f.Name), show(name)).From(err)
		}
		left -= int64(len(data))
		if len(bytes.TrimSpace(data)) == 0 && len(files) > 1 {
			continue // an empty file between others is none
		}
		if err := s.add(f.Name, data); err != nil {
			return nil, err
		}
	}
	if len(s) == 0 {
		return nil, problem.Newf(ErrFileEmpty.Code, ErrFileEmpty.Next, "%s holds only empty files", show(name))
	}
	return s, nil
}
