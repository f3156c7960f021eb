package solidity

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// Compilers are the builds that a person added to a directory: one folder a
// version with the script as it was published and a file about it, and beside
// them machine code made from them, which may be deleted at any time.
type Compilers struct {
	dir    string
	turn   chan struct{}
	recent recent
}

// Installed is one added compiler.
type Installed struct {
	Version     string    `json:"version"` // "0.5.17"
	Long        string    `json:"long"`    // "0.5.17+commit.d19bba13.Emscripten.clang"
	SHA256      string    `json:"sha256"`  // of the script, hex
	Bytes       int       `json:"bytes"`
	WebAssembly bool      `json:"webAssembly"` // false: it runs as JavaScript, slowly
	Added       time.Time `json:"added"`
}

const (
	maxScript   = 96 << 20
	scriptFile  = "soljson.js"
	aboutFile   = "compiler.json"
	cacheFolder = "cache"
)

// DefaultDirectory is where compilers are kept unless a person says otherwise.
func DefaultDirectory() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "coco", "compilers"), nil
}

// Open uses a directory, which need not exist yet.
func Open(dir string) (*Compilers, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &Compilers{dir: dir, turn: make(chan struct{}, 1)}, nil
}

// List names what is installed, newest version first. A folder that cannot be
// read as a compiler is none.
func (c *Compilers) List() []Installed {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil
	}
	var list []Installed
	for _, e := range entries {
		about, err := os.ReadFile(filepath.Join(c.dir, e.Name(), aboutFile))
		if err != nil {
			continue
		}
		var i Installed
		if json.Unmarshal(about, &i) != nil || i.Version != e.Name() {
			continue
		}
		if _, ok := ParseVersion(i.Version); ok {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b Installed) int {
		v, _ := ParseVersion(a.Version)
		w, _ := ParseVersion(b.Version)
		return w.Compare(v)
	})
	return list
}

// Add takes a compiler in: the npm package `solc` as `npm pack` writes it, the
// soljson.js within, or a folder that holds one. It is started once and asked
// for its version; a file that does not answer is not kept. The same version
// from another file takes the old one's place.
func (c *Compilers) Add(ctx context.Context, file string) (Installed, error) {
	script, err := readScript(file)
	if err != nil {
		return Installed{}, err
	}
	if err := os.MkdirAll(c.cache(), 0o700); err != nil {
		return Installed{}, err
	}
	fresh, err := os.MkdirTemp(c.dir, ".new-")
	if err != nil {
		return Installed{}, err
	}
	defer os.RemoveAll(fresh)
	if err := os.WriteFile(filepath.Join(fresh, scriptFile), script, 0o600); err != nil {
		return Installed{}, err
	}
	sum := sha256.Sum256(script)
	i := Installed{SHA256: hex.EncodeToString(sum[:]), Bytes: len(script), Added: time.Now().UTC().Truncate(time.Second)}
	e, err := c.work(ctx, c.job(fresh, i, addMemory, addTime), addTime)
	if err != nil {
		if ctx.Err() != nil {
			return Installed{}, err
		}
		return Installed{}, ErrCompilerUnusable.From(err)
	}
	if e.reply.Fault != "" {
		return Installed{}, ErrCompilerUnusable.From(errors.New(show(e.reply.Fault)))
	}
	v, ok := ParseVersion(e.reply.Version)
	if !ok {
		return Installed{}, problem.Newf(ErrCompilerUnusable.Code, "add the build of a release", "the compiler says that it is %s, which is no release", show(e.reply.Version))
	}
	i.Version, i.Long, i.WebAssembly = v.String(), e.reply.Version, e.reply.WebAssembly
	about, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return Installed{}, err
	}
	if err := os.WriteFile(filepath.Join(fresh, aboutFile), append(about, '\n'), 0o600); err != nil {
		return Installed{}, err
	}
	place := c.folder(i)
	for range 3 { // another process may add the same at the same time
		if err = errors.Join(os.RemoveAll(place), os.Rename(fresh, place)); err == nil {
			break
		}
	}
	return i, err
}

func (c *Compilers) folder(i Installed) string { return filepath.Join(c.dir, i.Version) }
func (c *Compilers) cache() string             { return filepath.Join(c.dir, cacheFolder) }

func (c *Compilers) job(folder string, i Installed, memory int64, limit time.Duration) job {
	return job{
		Script: filepath.Join(folder, scriptFile), SHA256: i.SHA256, Cache: c.cache(), Memory: memory,
		Time: int64(limit.Seconds()) + 1, // of all threads
	}
}

// Run gives standard JSON to a compiler and returns its answer byte for byte.
func (c *Compilers) Run(ctx context.Context, i Installed, input []byte, o Options) ([]byte, error) {
	limit, memory := o.Time, o.Memory
	if limit <= 0 {
		limit = DefaultTime
		if !i.WebAssembly {
			limit = DefaultSlowTime
		}
	}
	if memory <= 0 {
		memory = DefaultMemory
	}
	j := c.job(c.folder(i), i, memory, limit)
	j.Input = input
	e, err := c.work(ctx, j, limit)
	switch {
	case err != nil:
		return nil, err
	case e.reply.Changed:
		return nil, problem.Newf(ErrCompilerChanged.Code, ErrCompilerChanged.Next, "the file of compiler %s is no longer what was added", i.Version)
	case e.reply.Fault != "":
		return nil, fault(e.reply.Fault, memory)
	case e.reply.Version != i.Long:
		return nil, problem.Newf(ErrCompilerChanged.Code, ErrCompilerChanged.Next, "the compiler says that it is %s and not %s", show(e.reply.Version), i.Long)
	}
	return e.answer, nil
}

// fault tells what a build's own end of its wits means.
func fault(text string, memory int64) error {
	for _, sign := range []string{"OOM", "out of memory", "Cannot enlarge memory", "memory growth", "stack overflow", "call stack"} {
		if strings.Contains(text, sign) {
			return problem.Newf(ErrCompilerMemory.Code, ErrCompilerMemory.Next, "the compiler ran out of its memory (at most %d MiB) or of its stack", memory>>20)
		}
	}
	return ErrCompilerFailed.From(errors.New(show(text)))
}

// readScript finds the script in a file or folder.
func readScript(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem.Newf(ErrCompilerUnusable.Code, "name the file of a compiler", "there is no file %s", show(file))
	}
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		file = filepath.Join(file, scriptFile)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, ErrCompilerUnusable.From(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxScript+1))
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		data, err = fromPackage(data)
		if err != nil {
			return nil, err
		}
	}
	if len(data) > maxScript {
		return nil, problem.Newf(ErrCompilerUnusable.Code, ErrCompilerUnusable.Next, "the script has more than %d bytes", maxScript)
	}
	return data, nil
}

// fromPackage takes soljson.js out of an npm package.
func fromPackage(data []byte) ([]byte, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, ErrCompilerUnusable.From(err)
	}
	archive := tar.NewReader(io.LimitReader(unpacked, 4*maxScript))
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil, problem.New(ErrCompilerUnusable.Code, "the package has no soljson.js", ErrCompilerUnusable.Next)
		}
		if err != nil {
			return nil, ErrCompilerUnusable.From(err)
		}
		if h.Typeflag != tar.TypeReg || h.Name != "package/"+scriptFile {
			continue
		}
		script, err := io.ReadAll(io.LimitReader(archive, maxScript+1))
		if err != nil {
			return nil, ErrCompilerUnusable.From(err)
		}
		return script, nil
	}
}

// Choose picks the highest installed compiler that all pragmas accept; sources
// without any take the highest there is.
func (c *Compilers) Choose(s Sources) (Installed, error) {
	wanted, err := s.Pragmas()
	if err != nil {
		return Installed{}, err
	}
	accepts := func(v Version) bool {
		return !slices.ContainsFunc(wanted, func(p Pragma) bool { return !p.Allows(v) })
	}
	installed := c.List()
	for _, i := range installed {
		if v, ok := ParseVersion(i.Version); ok && accepts(v) {
			return i, nil
		}
	}
	return Installed{}, missing(wanted, installed, accepts)
}

// missing says what is asked for, what is there, and what to fetch.
func missing(wanted []Pragma, installed []Installed, accepts func(Version) bool) error {
	have := "none is installed"
	if len(installed) > 0 {
		versions := make([]string, len(installed))
		for i := range installed {
			versions[i] = installed[i].Version
		}
		have = "installed: " + strings.Join(versions, ", ")
	}
	asked := "the code names no version"
	if len(wanted) > 0 {
		texts := make([]string, 0, len(wanted))
		for _, p := range wanted {
			if text := fmt.Sprintf("%s (%s:%d)", show(p.Text), show(p.File), p.Line); len(texts) < 5 && !slices.ContainsFunc(texts, func(t string) bool { return strings.HasPrefix(t, show(p.Text)+" (") }) {
				texts = append(texts, text)
			}
		}
		asked = "the code asks for " + strings.Join(texts, " and ")
	}
	fetch, found := suggest(wanted, accepts)
	if !found {
		return problem.New(ErrCompilerMissing.Code, fmt.Sprintf("no compiler can satisfy this: %s", asked),
			"make the pragmas of all files agree on at least one version")
	}
	return problem.New(ErrCompilerMissing.Code, fmt.Sprintf("no installed compiler fits: %s; %s", asked, have),
		fmt.Sprintf("fetch it with npm pack solc@%s and add it with coco compiler add solc-%s.tgz", fetch, fetch))
}

// suggest names a release to fetch: the last of a series, or one that a pragma
// names itself.
func suggest(wanted []Pragma, accepts func(Version) bool) (Version, bool) {
	for _, v := range series {
		if accepts(v) {
			return v, true
		}
	}
	for _, p := range wanted {
		for _, all := range p.any {
			for _, b := range all {
				if v := Version(b.parts); v[0] >= 0 && v[1] >= 0 && v[2] >= 0 && b.op != "<" && accepts(v) {
					return v, true
				}
			}
		}
	}
	for minor := 8; minor >= 4; minor-- { // any release there may be
		for patch := 40; patch >= 0; patch-- {
			if v := (Version{0, minor, patch}); accepts(v) && released(v) {
				return v, true
			}
		}
	}
	return Version{}, false
}

// released tells whether there is such a release, as far as is known here.
func released(v Version) bool {
	for _, last := range series {
		if last[0] == v[0] && last[1] == v[1] {
			return v[2] <= last[2]
		}
	}
	return false
}
