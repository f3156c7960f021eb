package workflow

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/coco-consortium/coco/internal/problem"
)

const (
	mostText  = 4000    // characters of a string that a person gives
	mostWhole = 1 << 16 // bytes of an array or struct as text, and of any value from the ledger
)

// value is what stands between text and bytes: n of integers, enums, booleans
// and addresses, s of strings, list of arrays and structs.
type value struct {
	n    *big.Int
	s    string
	list []value
}

var (
	decimal = regexp.MustCompile(`^-?[0-9]{1,80}$`)
	address = regexp.MustCompile(`^0[xX][0-9a-fA-F]{40}$`)

	least = new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 255)) // of int256
	above = new(big.Int).Lsh(big.NewInt(1), 256)                   // the first beyond uint256
)

// CheckValue reads the text of a value and writes it in its one canonical form.
// Problems have codes VALUE_*. Without a contract the range of an integer is
// that of the widest types; Binding checks the width that the contract has.
func CheckValue(t *Type, roles map[string]bool, text string) (string, error) {
	v, err := readValue(t, roles, text)
	if err != nil {
		return "", err
	}
	return writeValue(t, roles, v), nil
}

// readValue is text -> value.
func readValue(t *Type, roles map[string]bool, text string) (value, error) {
	form := formOf(t, roles)
	if form == formText {
		return readText(text)
	}
	if len(text) > mostWhole {
		return value{}, problem.Newf("VALUE_LONG", "give less at once", "the value has %d bytes, and at most %d fit", len(text), mostWhole)
	}
	text = strings.TrimSpace(text)
	switch form {
	case formInteger:
		return readInteger(text)
	case formBool:
		return readBool(text)
	case formEnum:
		return readEnum(text, len(t.EnumValues))
	case formState:
		return readEnum(text, mostValue+1)
	case formAddress:
		return readAddress(text)
	case formArray:
		return readArray(t, roles, text)
	case formStruct:
		n, err := readDocument([]byte(text))
		if err != nil {
			return value{}, problem.New("VALUE_STRUCT", "the value is not JSON: "+err.Error(), "write the fields as a JSON object, such as {\"Name\":\"value\"}")
		}
		return readStruct(t, roles, n)
	}
	return value{}, problem.Newf("VALUE_TYPE", "correct the configuration", "the type %s is not known", short(t.Name))
}

func readText(text string) (value, error) {
	switch count := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return value{}, problem.New("VALUE_TEXT", "the text is not UTF-8, or holds the character U+0000", "write plain text")
	case count > mostText:
		return value{}, problem.Newf("VALUE_LONG", "shorten it, or keep the text elsewhere and give its hash", "the text has %d characters, and at most %d fit", count, mostText)
	}
	return value{s: text}, nil
}

func readInteger(text string) (value, error) {
	if !decimal.MatchString(text) {
		return value{}, problem.Newf("VALUE_INTEGER", "write a whole number in decimal digits, such as 42 or -7", "%s is no whole number", short(text))
	}
	n, _ := new(big.Int).SetString(text, 10)
	if n.Cmp(least) < 0 || n.Cmp(above) >= 0 {
		return value{}, problem.New("VALUE_RANGE", short(text)+" is beyond what 256 bits hold", "write a smaller number")
	}
	return value{n: n}, nil
}

func readBool(text string) (value, error) {
	switch strings.ToLower(text) {
	case "true":
		return value{n: big.NewInt(1)}, nil
	case "false":
		return value{n: new(big.Int)}, nil
	}
	return value{}, problem.Newf("VALUE_BOOL", "write true or false", "%s is neither true nor false", short(text))
}

func readEnum(text string, count int) (value, error) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || !decimal.MatchString(text) || n.Sign() < 0 || !n.IsInt64() || n.Int64() >= int64(count) {
		return value{}, problem.Newf("VALUE_ENUM", fmt.Sprintf("give the index of a member, from 0 to %d", count-1), "%s is no index of a member", short(text))
	}
	return value{n: n}, nil
}

func readAddress(text string) (value, error) {
	if !address.MatchString(text) {
		return value{}, problem.Newf("VALUE_ADDRESS", "write 0x and 40 hexadecimal digits", "%s is no address", short(text))
	}
	n, _ := new(big.Int).SetString(text[2:], 16)
	return value{n: n}, nil
}

// readArray takes a JSON list and, as old clients write, items with commas between them.
func readArray(t *Type, roles map[string]bool, text string) (value, error) {
	plain := formOf(t.ElementType, roles)
	if n, err := readDocument([]byte(text)); err == nil && n.kind == '[' {
		return readItems(t, roles, n)
	} else if strings.HasPrefix(text, "[") && (plain == formText || plain == formStruct || !strings.HasSuffix(text, "]")) || plain == formStruct {
		return value{}, problem.New("VALUE_ARRAY", short(text)+" is no list", "write a JSON list, such as [\"a\",\"b\"]")
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	parts := strings.Split(text, ",")
	if strings.TrimSpace(parts[len(parts)-1]) == "" { // "" is the empty list, and a last comma is harmless
		parts = parts[:len(parts)-1]
	}
	v := value{list: make([]value, len(parts))}
	for i, p := range parts {
		var err error
		if v.list[i], err = readValue(t.ElementType, roles, strings.TrimSpace(p)); err != nil {
			return value{}, within(err, "element %d", i+1)
		}
	}
	return v, nil
}

func readItems(t *Type, roles map[string]bool, n *node) (value, error) {
	if n.kind != '[' {
		return value{}, problem.New("VALUE_ARRAY", "the value is no list", "write a JSON list, such as [1,2]")
	}
	v := value{list: make([]value, len(n.items))}
	for i, item := range n.items {
		var err error
		if v.list[i], err = readNode(t.ElementType, roles, item); err != nil {
			return value{}, within(err, "element %d", i+1)
		}
	}
	return v, nil
}

func readStruct(t *Type, roles map[string]bool, n *node) (value, error) {
	const next = "write every field of the struct once, and no other"
	if n.kind != '{' {
		return value{}, problem.New("VALUE_STRUCT", "the value is no object", "write the fields as a JSON object, such as {\"Name\":\"value\"}")
	}
	v := value{list: make([]value, len(t.Fields))}
	for i := range t.Fields {
		f := n.member(t.Fields[i].Name)
		if f == nil {
			return value{}, problem.New("VALUE_STRUCT", "the field "+short(t.Fields[i].Name)+" is missing", next)
		}
		var err error
		if v.list[i], err = readNode(&t.Fields[i].Type, roles, f); err != nil {
			return value{}, within(err, "field %s", short(t.Fields[i].Name))
		}
	}
	if len(n.members) != len(t.Fields) {
		return value{}, problem.New("VALUE_STRUCT", "a field stands twice or is not of the struct", next)
	}
	return v, nil
}

// readNode is JSON -> value: text in quotes; numbers and booleans with or without.
func readNode(t *Type, roles map[string]bool, n *node) (value, error) {
	form := formOf(t, roles)
	fits := n.kind == '"'
	switch form {
	case formArray:
		return readItems(t, roles, n)
	case formStruct:
		return readStruct(t, roles, n)
	case formInteger, formEnum:
		fits = fits || n.kind == '0'
	case formBool:
		fits = fits || n.kind == 't'
	}
	if !fits {
		return value{}, problem.New("VALUE_JSON", "there is another kind of JSON than a "+t.Name, "write texts and addresses in double quotes, numbers, true and false without")
	}
	return readValue(t, roles, n.text)
}

// within says where in a list or struct an error is.
func within(err error, format string, args ...any) error {
	if p, ok := err.(*problem.Error); ok {
		q := *p
		q.What = fmt.Sprintf(format, args...) + ": " + p.What
		return &q
	}
	return err
}
