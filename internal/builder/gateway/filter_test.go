package gateway

import (
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	maria := map[string]string{"displayname": "Maria Rossi", "givenname": "Maria", "surname": "Rossi", "mail": "m.rossi@example.com", "userprincipalname": "m.rossi@example.com", "id": "7"}
	for text, want := range map[string]bool{
		`startswith(displayName,'mar')`:                        true,
		`startswith(displayName,'MARIA R')`:                    true,
		`startswith(displayName,'ross')`:                       false,
		`startswith(surname , 'ross') or startswith(mail,'x')`: true,
		`startswith(surname,'ross') and startswith(mail,'x')`:  false,
		`id eq '7'`: true,
		`( startswith(mail,'x') or surname eq 'ROSSI' ) and givenName eq 'maria'`: true,
		`startswith(displayName,'o''neil')`:                                       false,
		`startswith(displayName,'')`:                                              true,
	} {
		f, err := parseFilter(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if f.matches(maria) != want {
			t.Errorf("%s is %v", text, !want)
		}
	}
}

func TestFilterRefusals(t *testing.T) {
	for _, text := range []string{
		``, ` `, `x`, `startswith`, `startswith(`, `startswith(displayName)`, `startswith(displayName,'a`, `startswith(displayName,'a'`,
		`startswith(password,'a')`, `displayName eq`, `displayName eq 'a' or`, `displayName eq 'a' x`, `contains(displayName,'a')`,
		`displayName eq 'a';drop table`, strings.Repeat("(", 100) + `id eq '1'`, `id eq '` + strings.Repeat("x", maxFilter) + `'`,
		strings.TrimSuffix(strings.Repeat(`id eq '1' or `, 40), " or "),
	} {
		if _, err := parseFilter(text); err == nil {
			t.Errorf("%.60q was accepted", text)
		}
	}
}

func TestFilterNarrowsOnlyByWhatAllLookFor(t *testing.T) {
	for text, want := range map[string]string{
		`startswith(displayName,'Mar') or startswith(mail,'mar')`: "mar",
		`startswith(displayName,'mar') or startswith(mail,'ros')`: "",
		`id eq 'x'`: "x",
	} {
		f, err := parseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.only(); got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`startswith(displayName,'o''neil') or (id eq '1' and mail eq 'x')`)
	f.Add(`((((startswith(mail,'`)
	f.Fuzz(func(t *testing.T, text string) {
		if one, err := parseFilter(text); err == nil {
			one.matches(map[string]string{"id": "1"})
			one.only()
		}
	})
}
