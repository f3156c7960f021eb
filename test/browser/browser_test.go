// Package browser looks at the portal's pages with a real browser: Debian's
// Chromium, driven by playwright-core, with axe-core for accessibility. The stories
// are the .mjs files beside this one; their versions are pinned in
// package-lock.json. With -screenshots FOLDER the pictures stay for a person to look
// at.
package browser

import (
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/builder/buildertest"
	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/portal"
	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/npm"
)

func TestMain(m *testing.M) { binary.Main(m) }

var update = flag.Bool("update", false, "writes heard/*.yml anew; read the difference")

var screenshots = flag.String("screenshots", "", "where pictures of the pages go; none are kept without it")

// script runs one of the .mjs files and fails with what it says.
func script(t *testing.T, file string, args ...string) {
	t.Helper()
	npm.Install(t, ".")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "node", append([]string{file}, args...)...)
	out, err := c.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func folder(t *testing.T) string {
	t.Helper()
	if *screenshots != "" {
		if err := os.MkdirAll(*screenshots, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return *screenshots
}

// design serves /design as it is at a moment.
func design(t *testing.T, clock func() time.Time) string {
	t.Helper()
	set, err := page.New(clock)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/assets/", set.Assets())
	mux.Handle("/design", set.Design())
	mux.Handle("/design/", set.Design())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// Every kind of page in every condition, as /design shows them.
func TestDesign(t *testing.T) {
	args := []string{design(t, time.Now), folder(t), "/design"}
	for _, name := range page.Samples {
		for _, kind := range page.Kinds {
			args = append(args, "/design/"+name+"/"+kind)
		}
	}
	script(t, "design.mjs", args...)
}

// What a screen reader is told of each kind of page stays as somebody read it last.
func TestHeard(t *testing.T) {
	mode := "compare"
	if *update {
		mode = "update"
	}
	at := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)
	script(t, "heard.mjs", append([]string{design(t, func() time.Time { return at }), mode}, page.Samples...)...)
}

// What goes wrong, on a portal whose people have hostile names, and on one whose
// issuer is down and that has nothing behind it.
func TestFailures(t *testing.T) {
	listener, portals := httptest.NewUnstartedServer(nil), http.NewServeMux()
	base := "http://" + listener.Listener.Addr().String()
	house := buildertest.New(t, identity.DevelopmentOptions{Issuer: base + identity.PathIssuer, People: []identity.Named{
		{Name: "Alice Adler", Administrator: true}, {Name: `"><script>alert(1)</script><img src=x onerror=alert(2)> ` + strings.Repeat("W", 40)}}})
	sessions, err := identity.NewSessions(house.OIDC, identity.SessionOptions{Dir: house.Dir})
	house.Must(err)
	pages, err := portal.New(portal.Options{Workspace: house.Workspace, Sessions: sessions})
	house.Must(err)
	portals.Handle(identity.PathIssuer+"/", house.Login.Handler())
	portals.Handle("/", pages)
	listener.Config.Handler = portals
	listener.Start()
	t.Cleanup(func() {
		listener.CloseClientConnections()
		listener.Close()
	})

	down, err := identity.NewOIDC(identity.Options{Issuer: "http://127.0.0.1:1/issuer", Audiences: []string{"coco"}})
	house.Must(err)
	nobody, err := identity.NewSessions(down, identity.SessionOptions{Dir: t.TempDir(), BaseURL: "http://127.0.0.1:1"})
	house.Must(err)
	broken, err := portal.New(portal.Options{Sessions: nobody})
	house.Must(err)
	other := httptest.NewServer(broken)
	t.Cleanup(other.Close)
	script(t, "failures.mjs", base, other.URL, folder(t))
}

// Three people, an administrator and a stranger on the real coco.
func TestStory(t *testing.T) {
	node := binary.Start(t, "--portal", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"))
	var place struct{ Portal string }
	if err := json.Unmarshal([]byte(node.Line), &place); err != nil || place.Portal == "" {
		t.Fatalf("no portal in %s: %v", node.Line, err)
	}
	script(t, "story.mjs", strings.TrimSuffix(place.Portal, "/"), folder(t))
}
