package page

import (
	"embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/choice"
)

//go:embed texts/*.json
var textFiles embed.FS

// Languages are those that the catalogue has, in the order of the switch; the
// first is used when none fits, and for texts that another one lacks.
var Languages = choice.Languages

// text is one text, with a form for exactly one where it counts.
type text struct{ One, Other string }

func (t *text) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &t.Other) == nil {
		t.One = t.Other
		return nil
	}
	var forms struct{ One, Other string }
	if err := json.Unmarshal(data, &forms); err != nil {
		return err
	}
	t.One, t.Other = forms.One, forms.Other
	return nil
}

// catalogue is a language's texts by key.
type catalogue map[string]text

func readTexts() (map[string]catalogue, error) {
	all := map[string]catalogue{}
	for _, l := range Languages {
		data, err := textFiles.ReadFile("texts/" + l.Tag + ".json")
		if err != nil {
			return nil, err
		}
		c := catalogue{}
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, fmt.Errorf("texts/%s.json: %w", l.Tag, err)
		}
		all[l.Tag] = c
	}
	return all, nil
}

// Printer says things in one language.
type Printer struct {
	Lang     string
	texts    catalogue
	base     catalogue
	problems map[string][2]string // by code: what happened, what to do next
}

// readProblems gives a language's words for problems by their codes. The first
// language has none: problems are written in it.
func readProblems(language string) (map[string][2]string, error) {
	data, err := textFiles.ReadFile("texts/problems." + language + ".json")
	if err != nil {
		return nil, nil //nolint:nilerr // it has none
	}
	all := map[string][2]string{}
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("texts/problems.%s.json: %w", language, err)
	}
	return all, nil
}

// Problem says a problem in this language, by its code. Where there are no words
// for it, it is said as it came, and lang marks that language for who reads aloud.
func (p *Printer) Problem(code, what, next string) (saidWhat, saidNext, lang string) {
	if said, ok := p.problems[code]; ok {
		return said[0], said[1], ""
	}
	if first := Languages[0].Tag; p.Lang != first {
		return what, next, first
	}
	return what, next, ""
}

// Has reports whether there is a text for the key in this language or the first.
func (p *Printer) Has(key string) bool {
	_, here := p.texts[key]
	_, there := p.base[key]
	return here || there
}

// T is the text of a key with its places {name} filled from pairs of name and
// value. The value of "n" chooses the form for one; it and "from" and "to" are counts, which
// are grouped. A key without a text is given
// as it is: visible, and a test forbids it.
func (p *Printer) T(key string, pairs ...any) string {
	t, ok := p.texts[key]
	if !ok {
		if t, ok = p.base[key]; !ok {
			return key
		}
	}
	s := t.Other
	replace := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		name, value := fmt.Sprint(pairs[i]), pairs[i+1]
		if n, ok := value.(int); ok {
			if name == "n" && n == 1 {
				s = t.One
			}
			if name == "n" || name == "from" || name == "to" {
				value = p.Count(n)
			}
		}
		replace = append(replace, "{"+name+"}", fmt.Sprint(value))
	}
	return strings.NewReplacer(replace...).Replace(s)
}

// Count is a number of things, in groups of three.
func (p *Printer) Count(n int) string { return p.Group(strconv.Itoa(n)) }

// Group puts a decimal number of any length, which stays text, into groups of
// three. What is no decimal number is given back as it is.
func (p *Printer) Group(s string) string {
	digits, sign := s, ""
	if strings.HasPrefix(s, "-") {
		digits, sign = s[1:], "−"
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return s
	}
	var out []byte
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out = append(out, p.T("format.group")...)
		}
		out = append(out, digits[i])
	}
	return sign + string(out)
}
