package solidity

import (
	"bytes"
	"fmt"
	"path"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coco-consortium/coco/internal/problem"
)

// Limits of what may be uploaded.
const (
	MaxUpload  = 8 << 20 // bytes of a file as uploaded
	MaxSource  = 2 << 20 // bytes of one .sol
	MaxSources = 8 << 20 // bytes of all .sol of an upload, unpacked
	MaxFiles   = 512     // .sol files of an upload
	maxEntries = 4096    // entries of an archive, of any kind
	maxPath    = 255     // bytes of a name
	maxDepth   = 16      // folders above a file
)

// Sources are the files of an upload by their path, with forward slashes and
// without a leading one: either all .sol, or all .json (ready-made artifacts).
type Sources map[string][]byte

// ReadSources reads an upload: one .sol, a .zip of several, or an artifact. Its
// name tells which; bad bytes give one of this room's problems, never a panic.
func ReadSources(name string, data []byte) (Sources, error) {
	if len(data) > MaxUpload {
		return nil, problem.Newf(ErrFileLimit.Code, ErrFileLimit.Next, "%s has %d bytes, more than %d", show(name), len(data), MaxUpload)
	}
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	switch strings.ToLower(path.Ext(base)) {
	case ".zip":
		return readArchive(base, data)
	case ".sol", ".json":
		if why := badPath(base); why != "" {
			return nil, problem.Newf(ErrFileUnsafe.Code, ErrFileUnsafe.Next, "%s %s", show(base), why)
		}
		s := Sources{}
		if err := s.add(base, data); err != nil {
			return nil, err
		}
		return s, nil
	}
	return nil, problem.Newf(ErrFileKind.Code, ErrFileKind.Next, "%s is neither .sol nor .zip nor .json", show(base))
}

// Artifacts tells whether these are ready-made artifacts and need no compiler.
func (s Sources) Artifacts() bool {
	for name := range s {
		return strings.EqualFold(path.Ext(name), ".json")
	}
	return false
}

// Names lists the paths in order.
func (s Sources) Names() []string {
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// add takes one file in after looking at its bytes.
func (s Sources) add(name string, data []byte) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return problem.Newf(ErrFileEmpty.Code, ErrFileEmpty.Next, "%s is empty", show(name))
	case !utf8.Valid(data):
		return problem.Newf(ErrFileDamaged.Code, "save it as UTF-8 text and upload it again", "%s is not UTF-8 text", show(name))
	case strings.EqualFold(path.Ext(name), ".sol") && len(data) > MaxSource:
		return problem.Newf(ErrFileLimit.Code, ErrFileLimit.Next, "%s has %d bytes, more than %d", show(name), len(data), MaxSource)
	}
	s[name] = data
	return nil
}

// badPath says what is wrong with a file's name, or "".
func badPath(name string) string {
	switch {
	case name == "" || name == "." || name == "/":
		return "has no name"
	case len(name) > maxPath:
		return fmt.Sprintf("has a name of more than %d bytes", maxPath)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "has a name that is not plain text"
	case strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':':
		return "has an absolute name"
	case strings.Count(name, "/") > maxDepth:
		return fmt.Sprintf("lies more than %d folders deep", maxDepth)
	}
	for _, part := range strings.Split(strings.TrimSuffix(name, "/"), "/") {
		if part == ".." {
			return "has a name that leaves the archive"
		}
		if part == "" || part == "." {
			return "has a name that is not in its simplest form"
		}
	}
	return ""
}

// show is an untrusted name as an error may repeat it.
func show(name string) string {
	const most = 80
	name = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "..."
	}
	if name == "" {
		return "a file without a name"
	}
	return name
}
