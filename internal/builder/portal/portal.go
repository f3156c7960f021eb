// Package portal is the pages of App Builder.
package portal

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// Options are what the pages stand on.
type Options struct {
	Workspace *workspace.Workspace
	Sessions  *identity.Sessions
	Clock     func() time.Time
	Logger    *slog.Logger
}

// New makes the pages.
func New(o Options) (http.Handler, error) { return http.NotFoundHandler(), nil }
