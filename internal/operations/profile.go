package operations

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Profiles are what POST /profile?kind=K gives: where processor time went while it
// was watched, what was allocated since the process began, what is held now, where
// goroutines wait for each other. They name functions of the program, with counts,
// and hold nothing that those work on.
var Profiles = []string{"cpu", "allocs", "heap", "goroutine"}

// maxProfile is the longest time that the processor is watched.
const maxProfile = 5 * time.Minute

// takeProfile takes the command that answers with a profile in the format of pprof
// (gzipped protocol buffer). It costs the node about a hundredth of its time while
// it watches the processor.
func takeProfile(mux *http.ServeMux) {
	mux.HandleFunc("POST /profile", func(w http.ResponseWriter, r *http.Request) {
		kind := r.FormValue("kind")
		seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64)
		watch := time.Duration(seconds * float64(time.Second))
		switch {
		case !slices.Contains(Profiles, kind):
			Answer(w, ErrCommand.From(errors.New("profile wants kind="+strings.Join(Profiles, "|"))))
			return
		case kind == "cpu" && (err != nil || !(watch > 0 && watch <= maxProfile)):
			Answer(w, ErrCommand.From(errors.New("profile wants seconds=N, up to "+maxProfile.String())))
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		if kind != "cpu" {
			if kind != "goroutine" {
				runtime.GC() // figures are those of the last collection
			}
			pprof.Lookup(kind).WriteTo(w, 0)
			return
		}
		if err := pprof.StartCPUProfile(w); err != nil {
			Answer(w, ErrCommand.From(err)) // another one is under way
			return
		}
		select {
		case <-time.After(watch):
		case <-r.Context().Done():
		}
		pprof.StopCPUProfile()
	})
}

// Profile writes the node's profile to w; watch is how long the processor is watched.
func (c *Client) Profile(ctx context.Context, kind string, watch time.Duration, w io.Writer) error {
	body, err := c.exchange(ctx, http.MethodPost, "/profile", url.Values{"kind": {kind}, "seconds": {strconv.FormatFloat(watch.Seconds(), 'f', -1, 64)}})
	if err != nil {
		return err
	}
	_, err = w.Write(body)
	return err
}
