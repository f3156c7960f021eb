package offchain

import (
	"context"
	"log/slog"
	"time"
)

// Options say where a store keeps what, and where blocks come from.
type Options struct {
	Dir    string   // holds the journal and, for SQLite, the database
	Key    [32]byte // master key: the keys of the journal and the database are derived from it
	DSN    string   // PostgreSQL; empty: SQLite in Dir
	Source Source   // computes the rows of blocks; nil: BlocksTaken is refused
	Clock  func() time.Time
	Log    *slog.Logger
}

// Open opens or makes the store and folds what is missing.
func Open(ctx context.Context, o Options) (*Store, error) { return open(ctx, o) }
