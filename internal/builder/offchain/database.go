package offchain

import (
	"context"
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/problem"
)

// Problems between the database and the journal.
var (
	errForeign = problem.New("DATABASE_FOREIGN", "the database belongs to another journal",
		"use the journal that it was made with; or use an empty database, which is then filled from the journal and the ledger")
	errAhead = problem.New("DATABASE_AHEAD", "the database holds more than the journal, or something else",
		"restore the newer journal; if it is lost, move the database away and accept that what only it held is gone")
	errNewer = problem.New("DATABASE_NEWER", "the database was written by a newer version",
		"use that version; or use an empty database, which is then filled from the journal and the ledger")
	errRebuild = problem.New("REBUILD_DIFFERS", "what the ledger gives for blocks taken in before is not what it gave then",
		"see that the connection leads to the same ledger; then report this with the log")
	errKept = problem.New("DATABASE_BEHIND", "what you asked for is kept, but the database cannot show it yet",
		"look again in a moment, and do not ask twice")
	errDatabase = problem.New("DATABASE_UNAVAILABLE", "the database cannot be used",
		"try again; an administrator finds the reason in the log")
)

// schemaVersion is the version of tables and views. A database of an older one
// is made anew.
const schemaVersion = 4

//go:embed schema.sql
var schemaSQL string

var tableName = regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)

// createSQL makes tables and views and notes whose they are.
func createSQL(d dialect, journal string, at mark) string {
	var b strings.Builder
	b.WriteString("BEGIN;\n")
	for _, v := range viewNames() {
		fmt.Fprintf(&b, "DROP VIEW IF EXISTS %q;\n", v)
	}
	for _, m := range tableName.FindAllStringSubmatch(schemaSQL, -1) {
		fmt.Fprintf(&b, "DROP TABLE IF EXISTS %s;\n", m[1])
	}
	b.WriteString(d.types.Replace(schemaSQL))
	for _, v := range views {
		b.WriteString(viewSQL(v, d, false))
		for _, t := range twins {
			if t == v.name {
				b.WriteString(viewSQL(v, d, true))
			}
		}
	}
	fmt.Fprintf(&b, "INSERT INTO meta (name, value) VALUES ('version', '%d'), ('journal', '%s'), ('mark', '%s');\nCOMMIT;\n", schemaVersion, journal, at.text())
	return b.String()
}

// meta is what a database says of itself; ok is false when it is empty.
type meta struct {
	version int
	journal string
	at      mark
	ok      bool
}

func readMeta(ctx context.Context, e engine) (m meta, err error) {
	exists := "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
	if e.dialect().name == "postgres" {
		exists = "SELECT 1 WHERE to_regclass('meta') IS NOT NULL"
	}
	if m.ok, err = one(ctx, e, exists, nil, func(row) error { return nil }); err != nil || !m.ok {
		return m, err
	}
	err = e.query(ctx, "SELECT name, value FROM meta", nil, func(r row) (err error) {
		switch r.text(0) {
		case "version":
			m.version, err = strconv.Atoi(r.text(1))
		case "journal":
			m.journal = r.text(1)
		case "mark":
			m.at, err = parseMark(r.text(1))
		}
		return err
	})
	return m, err
}

// openEngine opens the database and sees that it belongs to the journal. It
// gives the place up to which it was folded.
func openEngine(ctx context.Context, o Options, j *journal) (e engine, at mark, err error) {
	if o.DSN == "" {
		e, err = openSQLite(o.Dir, o.Key)
	} else {
		e, err = openPostgres(ctx, o.DSN)
	}
	if err != nil {
		return nil, at, err
	}
	at, err = j.fits(ctx, e)
	if err != nil {
		e.close()
		return nil, at, err
	}
	return e, at, nil
}

// fits compares what the database says of itself with the journal, and makes it
// when it is empty or of an older version.
func (j *journal) fits(ctx context.Context, e engine) (mark, error) {
	m, err := readMeta(ctx, e)
	if err != nil {
		return mark{}, err
	}
	start := mark{offset: journalHeader, tag: j.start}
	switch {
	case !m.ok:
		return start, e.script(ctx, createSQL(e.dialect(), j.name(), start))
	case m.version > schemaVersion:
		return mark{}, errNewer
	case m.journal != j.name():
		return mark{}, errForeign
	case m.version < schemaVersion:
		return start, e.script(ctx, createSQL(e.dialect(), j.name(), start))
	case m.at.sequence > j.end.sequence || m.at.offset > j.end.offset:
		return mark{}, errAhead
	case m.at == j.end:
		return m.at, nil
	}
	// The next frame opens only if the mark's tag is that of the frame before it.
	if _, _, whole, err := j.frame(m.at, j.end.offset); err != nil || !whole || m.at.offset < journalHeader {
		return mark{}, errAhead.From(fmt.Errorf("entry %d is not the journal's", m.at.sequence))
	}
	return m.at, nil
}
