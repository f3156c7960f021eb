package offchain

import (
	"encoding/json"
	"fmt"
	"time"
)

// record is an entry as the journal keeps it.
type record struct {
	Kind  string          `json:"kind"`
	Entry json.RawMessage `json:"entry"`
}

// kinds makes an empty entry of each kind.
var kinds = map[string]func() Entry{}

func init() {
	for _, make := range []func() Entry{
		func() Entry { return &ApplicationAdded{} }, func() Entry { return &CodeAdded{} }, func() Entry { return &ApplicationDeployed{} }, func() Entry { return &ApplicationEnabled{} },
		func() Entry { return &PersonAdded{} }, func() Entry { return &PersonChanged{} }, func() Entry { return &KeyAssociated{} },
		func() Entry { return &PersonProvisioned{} }, func() Entry { return &RoleAssigned{} }, func() Entry { return &RoleChanged{} },
		func() Entry { return &RoleRemoved{} }, func() Entry { return &ConnectionAdded{} }, func() Entry { return &ConnectionChanged{} },
		func() Entry { return &ContractRequested{} }, func() Entry { return &ActionRequested{} }, func() Entry { return &Signed{} },
		func() Entry { return &Failed{} }, func() Entry { return &BlocksTaken{} }, func() Entry { return &Rewound{} },
	} {
		kinds[make().kind()] = make
	}
}

func encode(e Entry) ([]byte, error) {
	inner, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode entry: %w", err)
	}
	out, err := json.Marshal(record{e.kind(), inner})
	if len(out) > entryLimit {
		return nil, errEntryTooLarge
	}
	return out, err
}

func decode(data []byte) (Entry, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, errJournalDamaged.From(err)
	}
	make := kinds[r.Kind]
	if make == nil {
		return nil, errJournalDamaged.From(fmt.Errorf("an entry of the kind %q, of a newer version", r.Kind))
	}
	e := make()
	if err := json.Unmarshal(r.Entry, e); err != nil {
		return nil, errJournalDamaged.From(err)
	}
	return e, nil
}

// administrative entries change the catalogue and are applied alone.
func administrative(e Entry) bool {
	switch e.(type) {
	case *ContractRequested, *ActionRequested, *Signed, *Failed, *BlocksTaken, *Rewound:
		return false
	}
	return true
}

// stamp gives an entry the present when its caller gave no time, and cuts times
// to what the database keeps.
func stamp(e Entry, now time.Time) {
	if t := timeOf(e); t != nil {
		if t.IsZero() {
			*t = now
		}
		*t = t.UTC().Truncate(time.Microsecond)
	}
}

func timeOf(e Entry) *time.Time {
	switch e := e.(type) {
	case *ApplicationAdded:
		return &e.At
	case *CodeAdded:
		return &e.At
	case *ApplicationDeployed:
		return &e.At
	case *ApplicationEnabled:
		return &e.At
	case *PersonAdded:
		return &e.At
	case *PersonChanged:
		return &e.At
	case *KeyAssociated:
		return &e.At
	case *PersonProvisioned:
		return &e.At
	case *RoleAssigned:
		return &e.At
	case *RoleChanged:
		return &e.At
	case *RoleRemoved:
		return &e.At
	case *ConnectionAdded:
		return &e.At
	case *ConnectionChanged:
		return &e.At
	case *ContractRequested:
		return &e.At
	case *ActionRequested:
		return &e.At
	case *Signed:
		return &e.At
	case *Failed:
		return &e.At
	case *BlocksTaken:
		return &e.At
	case *Rewound:
		return &e.At
	}
	return nil
}
