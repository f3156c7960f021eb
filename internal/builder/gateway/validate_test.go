package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// strict is the OpenAPI document with one rule more: no object has members that
// it does not name. So an answer with a member too many is found too.
var strict = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document(table, models))
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	for _, s := range doc.Components.Schemas {
		s.Value.AdditionalProperties = openapi3.AdditionalProperties{Has: new(bool)}
	}
	return doc, nil
})

func TestDocumentIsOpenAPI(t *testing.T) {
	doc, err := strict()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(doc.Paths.Map()); n < 60 {
		t.Errorf("it has %d paths only", n)
	}
	v1, v2 := doc.Components.Schemas["ContractAction"].Value, doc.Components.Schemas["ContractActionV2"].Value
	if v1.Properties["revertReason"] != nil || v2.Properties["revertReason"] == nil {
		t.Error("reasons belong to version 2 alone")
	}
}

// answered checks an answer against the OpenAPI document: status, content type
// and body.
func answered(t testing.TB, method, path string, status int, h http.Header, body []byte) {
	t.Helper()
	doc, err := strict()
	if err != nil {
		t.Fatal(err)
	}
	if err := conforms(doc, method, path, status, h, body); err != nil {
		t.Errorf("%s %s: %v\n%s", method, path, err, body)
	}
	if status >= http.StatusBadRequest && method != http.MethodHead {
		if err := told(status, h, body); err != nil {
			t.Errorf("%s %s: %v\n%s", method, path, err, body)
		}
	}
}

// codes are those of the reference, which scripts and catalogues of texts go by.
var codes = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("../../../docs/reference/errors.md")
	return string(text), err
})

// told wants every refusal in one form, with a code that stands in the reference, so
// that whoever shows it in another language can.
func told(status int, h http.Header, body []byte) error {
	known, err := codes()
	if err != nil {
		return err
	}
	var p struct {
		Status             int
		Code, Detail, Next string
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	if kind := h.Get("Content-Type"); kind != problemKind || p.Status != status || p.Detail == "" || p.Next == "" {
		return fmt.Errorf("%d %s is not told as a problem", status, kind)
	}
	if !strings.Contains(known, "| `"+p.Code+"` |") {
		return fmt.Errorf("the code %q does not stand in the reference", p.Code)
	}
	return nil
}

func conforms(doc *openapi3.T, method, path string, status int, h http.Header, body []byte) error {
	path, _, _ = strings.Cut(path, "?")
	end, _ := tree(table).find(strings.FieldsFunc(path, func(r rune) bool { return r == '/' }), nil)
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	if end == nil || end.methods[method] == nil {
		if status != http.StatusNotFound && status != http.StatusMethodNotAllowed || kind != problemKind {
			return fmt.Errorf("no route, and answered with %d %s", status, kind)
		}
		return nil
	}
	r := end.methods[method]
	template := r.paths()[0]
	if len(r.paths()) > 1 && strings.Contains(strings.ToLower(path), "/v2/") {
		template = r.paths()[1]
	}
	responses := doc.Paths.Value(template).GetOperation(method).Responses
	response := responses.Status(status)
	if response == nil {
		if status < 400 {
			return fmt.Errorf("the document has no answer %d", status)
		}
		response = responses.Default()
	}
	if response.Value.Content == nil {
		if len(body) > 0 {
			return fmt.Errorf("%d has a body", status)
		}
		return nil
	}
	media := response.Value.Content[kind]
	if media == nil {
		return fmt.Errorf("%d is %q", status, kind)
	}
	if !strings.HasSuffix(kind, "json") {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return err
	}
	return media.Schema.Value.VisitJSON(value, openapi3.VisitAsResponse(), openapi3.MultiErrors())
}
