package offchain

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/vfs/xts" // AES-256-XTS under every file of the database

	"github.com/coco-consortium/coco/internal/problem"
)

// errUnreadable is a database file that this master key does not open.
var errUnreadable = problem.New("DATABASE_UNREADABLE", "the database cannot be read with this master key, or is damaged",
	"move the files builder.db* away: the database is rebuilt from the journal and the ledger")

// sqlite is a database file in write-ahead mode, encrypted page by page: also
// its -wal file; the -shm file holds page numbers only, and temporary tables
// stay in memory. One connection writes, a few read.
type sqlite struct {
	writer  *sqliteConn
	readers chan *sqliteConn
	count   int
}

// openSQLite opens or makes DIR/builder.db.
func openSQLite(dir string, key [32]byte) (*sqlite, error) {
	secret, err := hkdf.Key(sha256.New, key[:], nil, "coco builder database", 64)
	if err != nil {
		return nil, err
	}
	if err := private(dir); err != nil {
		return nil, err
	}
	name := "file:" + (&url.URL{Path: filepath.Join(dir, "builder.db")}).EscapedPath() + "?vfs=xts"
	s := &sqlite{count: max(4, runtime.GOMAXPROCS(0)+2)}
	s.readers = make(chan *sqliteConn, s.count)
	if s.writer, err = openSQLiteConn(name, secret, false); err != nil {
		return nil, err
	}
	for range s.count {
		c, err := openSQLiteConn(name, secret, true)
		if err != nil {
			s.close()
			return nil, err
		}
		s.readers <- c
	}
	return s, private(dir)
}

// private makes the database's files readable by their owner alone, whatever the
// process's file mode mask is; its first file is made if need be.
func private(dir string) error {
	name := filepath.Join(dir, "builder.db")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	f.Close()
	for _, part := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(name+part, 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("open database: %w", err)
		}
	}
	return nil
}

func openSQLiteConn(name string, secret []byte, reader bool) (*sqliteConn, error) {
	db, err := sqlite3.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	c := &sqliteConn{db: db, statements: map[string]*sqlite3.Stmt{}}
	for _, pragma := range []string{
		"hexkey='" + hex.EncodeToString(secret) + "'",
		"busy_timeout=60000",
		"journal_mode=wal",
		"synchronous=normal", // the journal is what is durable; the database may lose its last moments, never its order
		"temp_store=memory",
		"cache_size=-16000",       // KiB
		"wal_autocheckpoint=4000", // pages
		"foreign_keys=off",
		"trusted_schema=off",
	} {
		if err := db.Exec("PRAGMA " + pragma); err != nil {
			db.Close()
			if errors.Is(err, sqlite3.NOTADB) || errors.Is(err, sqlite3.CORRUPT) {
				return nil, errUnreadable.From(err)
			}
			return nil, fmt.Errorf("open database: %w", err)
		}
	}
	last := "cache_size=-64000" // the writer's: indexes over values are written at random places
	if reader {
		last = "query_only=on"
	}
	if err := db.Exec("PRAGMA " + last); err != nil {
		db.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return c, nil
}

func (s *sqlite) dialect() dialect { return sqliteDialect }

func (s *sqlite) query(ctx context.Context, sql string, args []any, each func(row) error) error {
	select {
	case c := <-s.readers:
		defer func() { s.readers <- c }()
		return c.query(ctx, sql, args, each)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *sqlite) script(_ context.Context, sql string) error { return s.writer.db.Exec(sql) }

func (s *sqlite) begin(ctx context.Context) (tx, error) {
	if err := s.writer.db.Exec("BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	return sqliteTx{s.writer}, nil
}

func (s *sqlite) close() error {
	for range s.count {
		select {
		case c := <-s.readers:
			c.close()
		default: // never opened, or a reader that did not come back
		}
	}
	return s.writer.close()
}

// sqliteConn is one connection with its prepared statements.
type sqliteConn struct {
	db         *sqlite3.Conn
	statements map[string]*sqlite3.Stmt
}

func (c *sqliteConn) close() error {
	for _, s := range c.statements {
		s.Close()
	}
	return c.db.Close()
}

var parameter = regexp.MustCompile(`\$([0-9]+)`)

// statementLimit bounds the prepared statements of a connection.
const statementLimit = 500

func (c *sqliteConn) prepare(sql string, args []any) (*sqlite3.Stmt, error) {
	s := c.statements[sql]
	if s == nil {
		if len(c.statements) >= statementLimit {
			for text, old := range c.statements {
				old.Close()
				delete(c.statements, text)
			}
		}
		var err error
		if s, _, err = c.db.PrepareFlags(parameter.ReplaceAllString(sql, "?$1"), sqlite3.PREPARE_PERSISTENT); err != nil {
			return nil, fmt.Errorf("prepare %.60q: %w", sql, err)
		}
		c.statements[sql] = s
	}
	for i, a := range args {
		var err error
		switch v := a.(type) {
		case nil:
			err = s.BindNull(i + 1)
		case int:
			err = s.BindInt64(i+1, int64(v))
		case int64:
			err = s.BindInt64(i+1, v)
		case uint64:
			err = s.BindInt64(i+1, int64(v))
		case bool:
			err = s.BindBool(i+1, v)
		case string:
			err = s.BindText(i+1, v)
		case []byte:
			err = s.BindBlob(i+1, v)
		default:
			err = fmt.Errorf("argument of type %T", a)
		}
		if err != nil {
			return nil, fmt.Errorf("bind %.60q: %w", sql, err)
		}
	}
	return s, nil
}

func (c *sqliteConn) query(ctx context.Context, sql string, args []any, each func(row) error) (err error) {
	c.db.SetInterrupt(ctx)
	defer c.db.SetInterrupt(context.Background())
	s, err := c.prepare(sql, args)
	if err != nil {
		return err
	}
	defer func() {
		if reset := s.Reset(); err == nil && reset != nil {
			err = fmt.Errorf("query %.60q: %w", sql, reset)
		}
	}()
	for s.Step() {
		if err := each(sqliteRow{s}); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("query %.60q: %w", sql, err)
	}
	return nil
}

// sqliteTx is the writer's transaction. It is not interrupted: an entry is
// applied whole.
type sqliteTx struct{ *sqliteConn }

func (t sqliteTx) query(_ context.Context, sql string, args []any, each func(row) error) error {
	return t.sqliteConn.query(context.Background(), sql, args, each)
}

func (t sqliteTx) exec(_ context.Context, sql string, args ...any) error {
	s, err := t.prepare(sql, args)
	if err != nil {
		return err
	}
	if err := s.Exec(); err != nil {
		return fmt.Errorf("execute %.60q: %w", sql, err)
	}
	return nil
}

func (t sqliteTx) commit(context.Context) error { return t.db.Exec("COMMIT") }

func (t sqliteTx) rollback() {
	if !t.db.GetAutocommit() {
		t.db.Exec("ROLLBACK")
	}
}

// sqliteRow is the statement's present row.
type sqliteRow struct{ s *sqlite3.Stmt }

func (r sqliteRow) int(i int) int64    { return r.s.ColumnInt64(i) }
func (r sqliteRow) text(i int) string  { return r.s.ColumnText(i) }
func (r sqliteRow) bytes(i int) []byte { return r.s.ColumnBlob(i, nil) }
func (r sqliteRow) null(i int) bool    { return r.s.ColumnType(i) == sqlite3.NULL }
