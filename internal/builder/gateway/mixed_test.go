package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestAnswersAreNotMixed has everybody ask for the same straight after everybody
// else, so that an answer that is kept for one would reach the next.
func TestAnswersAreNotMixed(t *testing.T) {
	w := newWorld(t)
	const secret = "a machine that nobody else may know"
	id := w.purchase(secret)
	w.committed(id)
	sees := map[string]bool{"administrator": true, "member": true, "initiator": true, "client": true}
	for _, first := range cast {
		for _, second := range cast {
			for _, path := range []string{"/api/v2/contracts", "/api/v1/contracts?top=50", fmt.Sprintf("/api/v2/contracts/%d", id)} {
				w.ask(first.name, http.MethodGet, path, nil)
				status, text, _ := w.ask(second.name, http.MethodGet, path, nil)
				if told := strings.Contains(string(text), secret); told != sees[second.name] {
					t.Errorf("after %s %s is told of %s with %d: %t", first.name, second.name, path, status, told)
				}
			}
		}
	}
}
