package offchain

import "context"

// Store is the journal and the database of one installation.
type Store struct {
	Reader
}

func open(context.Context, Options) (*Store, error) { return nil, ErrNotFound }

// Do assigns the entry's ids, journals it and applies it. It returns a problem,
// and journals nothing, when the entry contradicts what is known. e is a
// pointer to one of the entries.
func (s *Store) Do(ctx context.Context, e Entry) (Applied, error) { return Applied{}, ErrNotFound }

// Watch tells of every change from now on, until the function is called.
func (s *Store) Watch() (<-chan Change, func()) { return nil, func() {} }

// Close ends the store; what Do returned for is durable.
func (s *Store) Close() error { return nil }
