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

	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/npm"
)

func TestMain(m *testing.M) { binary.Main(m) }

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

// Every kind of page in every condition, as /design shows them.
func TestDesign(t *testing.T) {
	set, err := page.New(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/assets/", set.Assets())
	mux.Handle("/design", set.Design())
	mux.Handle("/design/", set.Design())
	server := httptest.NewServer(mux)
	defer server.Close()
	args := []string{server.URL, folder(t), "/design"}
	for _, name := range page.Samples {
		for _, kind := range page.Kinds {
			args = append(args, "/design/"+name+"/"+kind)
		}
	}
	script(t, "design.mjs", args...)
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
