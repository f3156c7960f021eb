package offchain

import (
	"context"
	"time"
)

// ApplicationDeployed is a new version of an application with its code, both or
// none: Application and Code are as if each had been added by itself. At and By are
// both's.
type ApplicationDeployed struct {
	Application ApplicationAdded `json:"application"`
	Code        CodeAdded        `json:"code"` // ApplicationID is assigned
	By          int              `json:"by"`
	At          time.Time        `json:"at"`
}

func (*ApplicationDeployed) kind() string { return "application-deployed/1" }

// assignDeployed checks both parts and gives them their ids.
func (f *folder) assignDeployed(ctx context.Context, v view, e *ApplicationDeployed) (Applied, error) {
	e.Application.By, e.Application.At, e.Code.By, e.Code.At = e.By, e.At, e.By, e.At
	a, _, err := f.assign(ctx, &e.Application)
	if err != nil {
		return a, err
	}
	e.Code.ID, e.Code.ApplicationID = f.next("code"), e.Application.ID
	if e.Code.LedgerID != 1 {
		return a, ErrUnknown
	}
	return a, f.known(ctx, v, e.By)
}

// applicationDeployed adds both.
func (f *folder) applicationDeployed(ctx context.Context, e *ApplicationDeployed) error {
	if err := f.applicationAdded(ctx, &e.Application); err != nil {
		return err
	}
	return f.code(ctx, &e.Code, clean(e.Application.Name))
}
