package history

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/coco-consortium/coco/internal/disk"
)

// openStore reads the state and opens the runs that it names. Files that it does
// not name are left by a crash.
func (x *Index) openStore() (err error) {
	files := x.opts.FS
	if err := disk.MakeDir(files, x.dir); err != nil {
		return ErrUnavailable.From(err)
	}
	if x.lock, err = files.Lock(path.Join(x.dir, lockName)); err != nil {
		return ErrUnavailable.From(err)
	}
	names, err := files.ReadDir(x.dir)
	if err != nil {
		return ErrUnavailable.From(err)
	}
	s, err := x.readState(names)
	if err != nil {
		return err
	}
	for _, info := range s.Runs {
		r, err := openRun(x.dir, files, &x.secrets, info)
		if err != nil {
			return err
		}
		x.runs = append(x.runs, r)
	}
	x.note, x.stored = s.Note, s.Note
	if n := len(s.Runs); n > 0 {
		x.height, x.known = s.Runs[n-1].Last, true
		if e := s.Runs[n-1].Epoch; e > x.opts.Epoch(x.height) {
			return ErrForeign.From(errors.New("it is of a newer epoch than its last block"))
		}
	}
	for _, name := range names {
		named := slices.ContainsFunc(s.Runs, func(r runInfo) bool { return r.ID.name() == name })
		if name == stateNext || strings.HasPrefix(name, runPrefix) && !named {
			if err := files.Remove(path.Join(x.dir, name)); err != nil {
				return ErrUnavailable.From(err)
			}
		}
	}
	return nil
}

// readState reads the state, an empty one when there is none.
func (x *Index) readState(names []string) (state, error) {
	if !slices.Contains(names, stateName) {
		for _, name := range names {
			if name != lockName && name != stateNext && !strings.HasPrefix(name, runPrefix) {
				return state{}, errFormat
			}
		}
		return state{}, nil
	}
	file, err := x.opts.FS.OpenRead(path.Join(x.dir, stateName))
	if err != nil {
		return state{}, damaged(err)
	}
	data, err := io.ReadAll(io.NewSectionReader(file, 0, maxState))
	if err := errors.Join(err, file.Close()); err != nil {
		return state{}, damaged(err)
	}
	return openState(data, x.opts.Key)
}

// writeState replaces the state for good.
func (x *Index) writeState(runs []*run, note []byte) error {
	s := state{Format: stateFormat, Note: note}
	for _, r := range runs {
		s.Runs = append(s.Runs, r.runInfo)
	}
	sealed, err := s.seal(x.opts.Key)
	if err != nil {
		return err
	}
	if err := disk.WriteFile(x.opts.FS, path.Join(x.dir, stateName), sealed); err != nil {
		return ErrUnavailable.From(err)
	}
	return nil
}

// removeAll removes a name and all below it, if it is there.
func removeAll(name string, files disk.FS) error {
	names, err := files.ReadDir(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return err
	}
	for _, n := range names {
		if err := removeAll(path.Join(name, n), files); err != nil {
			return err
		}
	}
	if err := files.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// create makes a durable file, but for its name, which nothing else has.
func (x *Index) create(name string, fill func(io.Writer) error) error {
	file, err := x.opts.FS.Create(name)
	if err != nil {
		return err
	}
	if err = fill(&output{file: file}); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// output writes a file from its beginning to its end.
type output struct {
	file     disk.File
	end      int64
	unsynced int
}

// syncBytes is how much of a run is written before the disk is asked to take it: a
// large file never makes the sync of another wait for all of it.
const syncBytes = 512 << 10

func (o *output) Write(b []byte) (int, error) {
	n, err := o.file.WriteAt(b, o.end)
	o.end, o.unsynced = o.end+int64(n), o.unsynced+n
	if err == nil && o.unsynced >= syncBytes {
		o.unsynced, err = 0, o.file.Sync()
	}
	return n, err
}

// build makes a run, durable and open. It counts when the state names it.
func (x *Index) build(info runInfo, fill func(*builder) error) (*run, error) {
	if _, err := io.ReadFull(x.opts.Random, info.ID[:]); err != nil {
		return nil, ErrUnavailable.From(err)
	}
	aead, err := x.secrets.run(info.Epoch, info.ID)
	if err != nil {
		return nil, err
	}
	name := path.Join(x.dir, info.ID.name())
	err = x.create(name, func(w io.Writer) error {
		b := newBuilder(w, aead)
		err := fill(b)
		if err == nil {
			info.Root, info.Size, err = b.finish()
		}
		return err
	})
	if err == nil {
		err = disk.SyncDir(x.opts.FS, x.dir)
	}
	var r *run
	if err == nil {
		r, err = openRun(x.dir, x.opts.FS, &x.secrets, info)
	}
	if err == nil {
		return r, nil
	}
	if rerr := x.opts.FS.Remove(name); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		x.opts.Log.Debug("history index: a run that is of no use is still there", "error", rerr)
	}
	if errors.Is(err, errStopped) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign) {
		return nil, err
	}
	return nil, ErrUnavailable.From(err)
}

// extend adds the runs of a tail.
func (x *Index) extend(t *tail, added []*run) error {
	return x.replace(added, t.note, func(runs []*run) ([]*run, bool) {
		return append(slices.Clip(runs), added...), x.writing == t // else it was forgotten
	}, func() {
		x.writing = nil
		x.freed()
	})
}

// substitute puts one run in the place of those that it was made of.
func (x *Index) substitute(inputs []*run, output *run) error {
	return x.replace([]*run{output}, nil, func(runs []*run) ([]*run, bool) {
		i := slices.Index(runs, inputs[0])
		if i < 0 || i+len(inputs) > len(runs) || !slices.Equal(runs[i:i+len(inputs)], inputs) {
			return nil, false // the oldest has left the window meanwhile
		}
		return slices.Concat(runs[:i], []*run{output}, runs[i+len(inputs):]), true
	}, func() {})
}

// replace makes what change says the runs of the index, on disk first. Runs that
// are added and then not wanted are removed, and so are those that are replaced.
func (x *Index) replace(added []*run, note []byte, change func(runs []*run) ([]*run, bool), done func()) error {
	x.turn.Lock()
	defer x.turn.Unlock()
	discard := func(runs []*run) {
		for _, r := range runs {
			r.discard()
		}
	}
	x.mu.RLock()
	before, forgotten := x.runs, x.forgotten
	after, ok := change(before)
	x.mu.RUnlock()
	if !ok {
		discard(added)
		return nil
	}
	if after = x.opts.Window.keep(after); note == nil {
		note = x.stored
	}
	if err := x.writeState(after, note); err != nil {
		discard(added)
		return err
	}
	x.stored = note
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.forgotten != forgotten {
		x.lost = append(x.lost, added...) // the next state does not name them
		return nil
	}
	x.runs = after
	discard(x.lost)
	x.lost = nil
	for _, r := range before {
		if !slices.Contains(after, r) {
			r.discard()
		}
	}
	for _, r := range added {
		if !slices.Contains(after, r) {
			r.discard()
		}
	}
	done()
	return nil
}

// use gives some of the runs, each to be released.
func (x *Index) use(choose func(runs []*run) []*run) []*run {
	x.mu.RLock()
	defer x.mu.RUnlock()
	runs := choose(x.runs)
	for _, r := range runs {
		r.use()
	}
	return runs
}
