package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/server/caller"
)

func (a *API) clientVersion(context.Context, *caller.Caller, *none) (any, error) {
	return a.Version, nil
}

func (a *API) sha3(_ context.Context, _ *caller.Caller, p *struct{ Data hexutil.Bytes }) (any, error) {
	return data(crypto.Keccak256(p.Data)), nil
}

func (a *API) netVersion(context.Context, *caller.Caller, *none) (any, error) {
	return strconv.FormatUint(a.ChainID, 10), nil
}

func (a *API) listening(context.Context, *caller.Caller, *none) (any, error) { return true, nil }

func (a *API) chainID(context.Context, *caller.Caller, *none) (any, error) {
	return quantity(a.ChainID), nil
}

// accounts is empty: nodes keep no keys.
func (a *API) accounts(context.Context, *caller.Caller, *none) (any, error) {
	return json.RawMessage("[]"), nil
}

func (a *API) blockNumber(context.Context, *caller.Caller, *none) (any, error) {
	return quantity(a.Chain.Number()), nil
}

// count is a number that clients write as a quantity, in decimal, or as a JSON
// number.
type count uint64

// UnmarshalJSON reads any of the three.
func (c *count) UnmarshalJSON(text []byte) error {
	s := string(text)
	if len(s) >= 2 && s[0] == '"' {
		s = s[1 : len(s)-1]
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		if n, err = parseQuantity(s); err != nil {
			return fmt.Errorf("invalid hex or decimal integer %.40q", s)
		}
	}
	*c = count(n)
	return nil
}
