package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// vector is a file of requests and the answers that are expected.
type vector struct {
	name      string // method/file
	shapeOnly bool   // only the members and types of the answers count
	exchanges []exchange
}

type exchange struct{ request, response []byte }

func (v *vector) method() string { return strings.Split(v.name, "/")[0] }

// readVectors reads the vectors below a directory, in the order of their names.
func readVectors(dir string) ([]*vector, error) {
	var vectors []*vector
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".io" {
			return err
		}
		name, err := filepath.Rel(dir, strings.TrimSuffix(path, ".io"))
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		v, err := parseVector(filepath.ToSlash(name), data)
		vectors = append(vectors, v)
		return err
	})
	return vectors, err
}

func parseVector(name string, data []byte) (*vector, error) {
	v := &vector{name: name}
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		text, isResponse := bytes.CutPrefix(line, []byte("<<"))
		request, isRequest := bytes.CutPrefix(line, []byte(">>"))
		comment, isComment := bytes.CutPrefix(line, []byte("//"))
		last := len(v.exchanges) - 1
		switch {
		case isRequest:
			v.exchanges = append(v.exchanges, exchange{request: bytes.TrimSpace(request)})
		case isResponse && last >= 0 && v.exchanges[last].response == nil:
			v.exchanges[last].response = bytes.TrimSpace(text)
		case isComment:
			v.shapeOnly = v.shapeOnly || bytes.HasPrefix(bytes.TrimSpace(comment), []byte("speconly:"))
		case len(line) > 0:
			return nil, fmt.Errorf("%s: unexpected line %.80q", name, line)
		}
	}
	for _, e := range v.exchanges {
		if !json.Valid(e.request) || !json.Valid(e.response) {
			return nil, fmt.Errorf("%s: a request or response that is no JSON", name)
		}
	}
	if len(v.exchanges) == 0 {
		return nil, fmt.Errorf("%s: no request", name)
	}
	return v, nil
}

// run makes the requests and says how the answers differ.
func (v *vector) run(serve func(request []byte) []byte) error {
	for i, e := range v.exchanges {
		want, got := decode(e.response), decode(serve(e.request))
		redact(want, got)
		if v.method() == "eth_simulateV1" {
			adoptRoots(want, got)
		}
		err := differ("", want, got)
		if v.shapeOnly {
			err = differShape("", want, got, optional[v.method()])
		}
		if err != nil {
			return fmt.Errorf("request %d: %w", i+1, err)
		}
	}
	return nil
}

// decode decodes JSON with its numbers as they are written.
func decode(data []byte) (value any) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return fmt.Sprintf("no JSON: %.80q", data)
	}
	return value
}

// redact takes the messages out of errors that both have: their words are each
// client's own. Data that tells what to do next, which an error has here and
// nowhere else, goes with them.
func redact(want, got any) {
	switch w := want.(type) {
	case []any:
		if g, ok := got.([]any); ok {
			for i := range min(len(w), len(g)) {
				redact(w[i], g[i])
			}
		}
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return
		}
		for name := range w {
			we, ok1 := w[name].(map[string]any)
			ge, ok2 := g[name].(map[string]any)
			if name == "error" && ok1 && ok2 && we["message"] != nil && ge["message"] != nil {
				delete(we, "message")
				delete(ge, "message")
				if data, ok := ge["data"].(map[string]any); ok && we["data"] == nil && data["next"] != nil {
					delete(ge, "data")
				}
			}
			redact(w[name], g[name])
		}
	}
}

// differ says where two values differ first.
func differ(path string, want, got any) error {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		if err := members(path, w, g); err != nil {
			return err
		}
		for _, name := range sorted(w) {
			if err := differ(path+"."+name, w[name], g[name]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			if err := differ(fmt.Sprintf("%s[%d]", path, i), w[i], g[i]); err != nil {
				return err
			}
		}
		return nil
	default:
		if want == got {
			return nil
		}
	}
	return fmt.Errorf("%s is %s, want %s", path, brief(got), brief(want))
}

// optional are members that answers of a method may have or lack, as the documents
// of ethereum/execution-apis say, where only the shape counts.
var optional = map[string][]string{"eth_capabilities": {"oldestBlock", "deleteStrategy"}}

// differShape says where two values differ first in their members or types. Of a
// list, each element must have the shape of some element that was expected.
func differShape(path string, want, got any, optional []string) error {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		if err := members(path, w, g, optional...); err != nil {
			return err
		}
		for _, name := range sorted(w) {
			if _, ok := g[name]; !ok {
				continue
			}
			if err := differShape(path+"."+name, w[name], g[name], optional); err != nil {
				return err
			}
		}
		return nil
	case []any:
		g, ok := got.([]any)
		if !ok {
			break
		}
		for i := range g {
			var err error
			for j := range w {
				if err = differShape(fmt.Sprintf("%s[%d]", path, i), w[j], g[i], optional); err == nil {
					break
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	default:
		if fmt.Sprintf("%T", want) == fmt.Sprintf("%T", got) {
			return nil
		}
	}
	return fmt.Errorf("%s is %s, want something like %s", path, brief(got), brief(want))
}

func members(path string, want, got map[string]any, optional ...string) error {
	for _, name := range sorted(want) {
		if _, ok := got[name]; !ok && !slices.Contains(optional, name) {
			return fmt.Errorf("%s lacks %s, which is %s (it is %s)", path, name, brief(want[name]), brief(got))
		}
	}
	for _, name := range sorted(got) {
		if _, ok := want[name]; !ok && !slices.Contains(optional, name) {
			return fmt.Errorf("%s has %s, which is %s", path, name, brief(got[name]))
		}
	}
	return nil
}

func brief(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	const most = 300
	if len(text) > most {
		return string(text[:most]) + "..."
	}
	return string(text)
}
