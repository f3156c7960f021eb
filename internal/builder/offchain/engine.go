package offchain

import (
	"context"
	"strings"
)

// engine is the SQL database under the store: SQLite or PostgreSQL. Statements
// are the same for both, with parameters $1, $2, ...; values are integers, texts
// and bytes only, so that both keep exactly the same.
type engine interface {
	querier                                // reads of what is committed, from any goroutine
	begin(ctx context.Context) (tx, error) // one at a time: the writer's
	script(ctx context.Context, sql string) error
	dialect() dialect
	close() error
}

// querier runs statements. Arguments are int, int64, uint64, bool, string,
// []byte or nil.
type querier interface {
	query(ctx context.Context, sql string, args []any, each func(r row) error) error
}

// tx is the writer's transaction. exec may keep statements until the next query
// or commit, which then return their error.
type tx interface {
	querier
	exec(ctx context.Context, sql string, args ...any) error
	commit(ctx context.Context) error
	rollback()
}

// row is one row of a result; columns count from 0. It is valid until each returns.
type row interface {
	int(column int) int64
	text(column int) string
	bytes(column int) []byte // the caller's to keep
	null(column int) bool
}

// dialect is what the two databases write differently.
type dialect struct {
	name    string
	types   *strings.Replacer // of the schema
	boolean func(expression string) string
	time    func(expression string) string // from microseconds
	number  func(expression string) string // from decimal text
}

var sqliteDialect = dialect{
	name:    "sqlite",
	types:   strings.NewReplacer("BYTES", "BLOB", "CLUSTERED", "WITHOUT ROWID", "SEARCHED", "TEXT"),
	boolean: func(e string) string { return e },
	time: func(e string) string {
		return "strftime('%Y-%m-%d %H:%M:%S', " + e + " / 1000000, 'unixepoch') || printf('.%06d', " + e + " % 1000000)"
	},
	number: func(e string) string { return "CAST(" + e + " AS NUMERIC)" },
}

var postgresDialect = dialect{
	name:    "postgres",
	types:   strings.NewReplacer("BYTES", "BYTEA", "CLUSTERED", "", "SEARCHED", `TEXT COLLATE "C"`),
	boolean: func(e string) string { return "(" + e + " <> 0)" },
	time: func(e string) string {
		return "(timestamp '1970-01-01 00:00:00' + " + e + " * interval '1 microsecond')"
	},
	number: func(e string) string { return "CAST(" + e + " AS numeric)" },
}

// clean makes a text that both databases and every reader can hold: valid UTF-8
// without NUL, which PostgreSQL refuses and which a ledger may well contain.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// one runs a query whose first row is wanted; found tells whether there is one.
func one(ctx context.Context, q querier, sql string, args []any, each func(r row) error) (found bool, err error) {
	err = q.query(ctx, sql, args, func(r row) error {
		if found {
			return nil
		}
		found = true
		return each(r)
	})
	return found, err
}
