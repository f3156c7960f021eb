package gateway

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/problem"
)

// form is a multipart body with files: name of the part, of the file, content.
func form(t testing.TB, parts ...[3]string) (kind string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, p := range parts {
		w, err := m.CreateFormFile(p[0], p[1])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(p[2])); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return m.FormDataContentType(), b.Bytes()
}

// upload reads files as a route does that wants both.
func upload(g *Gateway, kind string, body []byte) (map[string]file, error) {
	r := httptest.NewRequest(post, "/api/v1/applications", bytes.NewReader(body))
	r.Header.Set("Content-Type", kind)
	c := &call{g: g, w: httptest.NewRecorder(), r: r}
	defer c.leave()
	return c.files("appFile", "contractFile")
}

func TestUploads(t *testing.T) {
	g := New(Options{FileBytes: 1000})
	kind, body := form(t, [3]string{"other", "x", "passed over"}, [3]string{"APPFILE", `C:\dir\App.json`, "{}"}, [3]string{"contractFile", "../../A.sol", "contract A {}"})
	found, err := upload(g, kind, body)
	if err != nil {
		t.Fatal(err)
	}
	if f := found["appFile"]; string(f.data) != "{}" || !strings.HasSuffix(f.name, "App.json") {
		t.Errorf("%q %q", f.name, f.data)
	}
	if f := found["contractFile"]; f.name != "A.sol" || string(f.data) != "contract A {}" {
		t.Errorf("%q %q", f.name, f.data)
	}
	kind, body = form(t, [3]string{"file", "App.json", "{}"}) // Workbench's clients in Java and Python
	if found, err = upload(g, kind, body); err != nil || found["appFile"].name != "App.json" || len(found) != 1 {
		t.Errorf("%v %v", found, err)
	}
	kind, body = form(t, [3]string{"file", "App.json", "{}"}, [3]string{"appFile", "App.json", "{}"})
	if _, err = upload(g, kind, body); err == nil {
		t.Error("the same file twice is taken")
	}
}

func TestUploadRefusals(t *testing.T) {
	g := New(Options{FileBytes: 1000})
	large, twice, many := [3]string{"appFile", "a", strings.Repeat("x", 1001)}, [3]string{"appFile", "a", "x"}, make([][3]string, maxFileParts+1)
	for i := range many {
		many[i] = [3]string{"x", "x", "x"}
	}
	for name, parts := range map[string][][3]string{"large": {large}, "twice": {twice, twice}, "many": many, "larger": {{"x", "x", strings.Repeat("x", 1<<20)}}} {
		kind, body := form(t, parts...)
		_, err := upload(g, kind, body)
		if err == nil {
			t.Errorf("%s was accepted", name)
		} else if strings.HasPrefix(name, "large") != errors.Is(err, errLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	kind, body := form(t, twice)
	for name, try := range map[string]func() (map[string]file, error){
		"another type": func() (map[string]file, error) { return upload(g, "application/json", body) },
		"no type":      func() (map[string]file, error) { return upload(g, "", body) },
		"no boundary":  func() (map[string]file, error) { return upload(g, "multipart/form-data", body) },
		"half of it":   func() (map[string]file, error) { return upload(g, kind, body[:len(body)/2]) },
	} {
		if _, err := try(); problem.CodeOf(err) != "REQUEST_MALFORMED" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(g.uploads) != 0 {
		t.Error("room was not given back")
	}
	for range mostUploads {
		g.uploads <- struct{}{}
	}
	if _, err := upload(g, kind, body); !errors.Is(err, errCrowded) {
		t.Errorf("with no room left: %v", err)
	}
}

// FuzzUpload wants an error or files within the limits for any body.
func FuzzUpload(f *testing.F) {
	kind, body := form(f, [3]string{"appFile", "a.json", "{}"}, [3]string{"contractFile", "a.sol", "x"})
	f.Add(kind, body)
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=appFile\r\n\r\n\r\n--x--"))
	g := New(Options{FileBytes: 1000})
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		found, err := upload(g, kind, body)
		if err != nil {
			return
		}
		for name, one := range found {
			if len(one.data) > 1000 || name != "appFile" && name != "contractFile" {
				t.Errorf("%s with %d bytes", name, len(one.data))
			}
		}
	})
}
