package workspace

import (
	"slices"

	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// waiting gives actions in which those that get no further say why, as an error
// code and message: their status stays what it is. It is asked for each time, as no
// entry tells when a ledger or the vault goes and comes back. The rows may be
// shared: what changes is copied.
func (w *Workspace) waiting(actions []offchain.Action) []offchain.Action {
	if w.Waits == nil {
		return actions
	}
	shared := true
	for i := range actions {
		if actions[i].Status >= offchain.StatusCommitted {
			continue
		}
		code, message := w.Waits(&actions[i])
		if code == "" {
			continue
		}
		if shared {
			actions, shared = slices.Clone(actions), false
		}
		actions[i].ErrorCode, actions[i].ErrorMessage = code, message
	}
	return actions
}
