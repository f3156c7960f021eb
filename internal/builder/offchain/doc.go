// Package offchain keeps what one installation of App Builder knows: an
// ordered, durable, encrypted journal of its own decisions, and a SQL database
// that is nothing but a fold over that journal and the ledger.
//
//	database = fold(journal, ledger)
//
// The database remembers, in the transaction that changes its rows, up to which
// entry it was folded. Therefore a process killed anywhere, a database restored
// from last week and a deleted database all end the same way: Open folds what
// is missing, and every row and every id is as before.
//
// One goroutine writes (Store.Do): it assigns ids, appends to the journal, waits
// until the entry is on stable storage, applies it in one SQL transaction and
// tells the watchers. Readers never wait for it.
//
// The database is SQLite, encrypted, by default, and PostgreSQL by
// configuration. Both carry the documented views of Azure Blockchain Workbench
// under their documented names (docs/reference/database.md).
package offchain
