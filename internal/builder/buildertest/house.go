// Package buildertest assembles an App Builder for the tests of the rooms that stand
// before its workspace: store, vault, login, dispatcher, indexer and workspace as they
// are, in front of a ledger in memory. What is put before it (REST, pages) is the
// test's own. Only tests import it.
package buildertest

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/builder/dispatch"
	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/indexer"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/simulated"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/offchain/binding"
	"github.com/coco-consortium/coco/internal/builder/sample"
	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/builder/vault"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// Patience is how long something may take that is waited for.
const Patience = time.Minute

// House is an App Builder that runs until its test ends.
type House struct {
	Dir        string
	Login      *identity.Development
	OIDC       *identity.OIDC // verifies what Login issues
	Store      *offchain.Store
	Chain      *simulated.Ledger
	Connection int // the id of the connection to Chain
	Vault      *vault.File
	Workspace  *workspace.Workspace

	t testing.TB
}

// New assembles and starts one; of the login's options the directory is set here. A
// listener that the test closes in a cleanup of its own closes before the rooms stop.
func New(t testing.TB, login identity.DevelopmentOptions) *House {
	t.Helper()
	h := &House{Dir: t.TempDir(), t: t}
	login.Dir = h.Dir
	var err error
	h.Login, err = identity.NewDevelopment(login)
	h.Must(err)
	h.OIDC, err = identity.NewOIDC(h.Login.Options())
	h.Must(err)
	keyFile := filepath.Join(t.TempDir(), "key")
	h.Must(vault.NewKeyFile(keyFile))
	h.Vault, err = vault.Open(t.Context(), vault.Options{Dir: filepath.Join(h.Dir, "vault"), KeyFile: keyFile})
	h.Must(err)
	t.Cleanup(func() { h.Vault.Close() })

	h.Chain = simulated.New(simulated.Options{})
	drivers, book := map[int]ledger.Driver{}, binding.New()
	index := indexer.New(indexer.Options{Book: book, Drivers: drivers})
	h.Store, err = offchain.Open(t.Context(), offchain.Options{Dir: h.Dir, Source: index})
	h.Must(err)
	index.Store = h.Store
	connection, err := h.Store.Do(t.Context(), &offchain.ConnectionAdded{LedgerID: 1, Endpoint: "http://127.0.0.1:8545", Kind: "coco", ChainID: simulated.ChainID, Genesis: h.Chain.Genesis()})
	h.Must(err)
	h.Connection = connection.ID
	drivers[connection.ID] = h.Chain
	send := dispatch.New(dispatch.Options{Store: h.Store, Book: book, Drivers: drivers, Vault: h.Vault})
	h.Workspace = workspace.New(workspace.Options{Store: h.Store, Book: book, Compiler: made{}, Drivers: drivers, Default: connection.ID, Vault: h.Vault, Waits: send.Waits})
	send.Rights = h.Workspace

	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { h.Workspace.Follow(ctx) })
	group.Go(func() { index.Run(ctx) })
	group.Go(func() { send.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		group.Wait()
		h.Store.Close()
	})
	return h
}

// Must ends the test at an error.
func (h *House) Must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// Until waits until a condition holds, which is looked at when something changed.
func (h *House) Until(what string, holds func() bool) {
	h.t.Helper()
	changes, stop := h.Store.Watch()
	defer stop()
	late := time.After(Patience)
	for !holds() {
		select {
		case <-changes:
		case <-late:
			h.t.Fatalf("%s: not within %v", what, Patience)
		}
	}
}

// made gives what compiling the samples gave; no other code compiles.
type made struct{}

func (made) Output(_ context.Context, name string, code []byte) (*solidity.Output, error) {
	if out := sample.Output(code); out != nil {
		return out, nil
	}
	return &solidity.Output{Messages: []solidity.Message{{Severity: "error", File: name, Line: 1, Column: 1, Text: "it does not compile"}}}, nil
}
