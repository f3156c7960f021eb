package builder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
)

// kind is a type: in the configuration, in the code, and in signatures.
type kind struct {
	name, solidity, canonical string
	bits                      int // of integers
	signed                    bool
	members                   []string // of enums
	element                   *kind    // of arrays
	length                    int      // -1: any
	fields                    []field  // of structs
}

type field struct {
	name string
	kind *kind
}

// draw makes random things; the same seed makes the same ones.
type draw struct{ *rand.Rand }

func (r draw) one(list ...string) string { return list[r.IntN(len(list))] }

func (r draw) chance(percent int) bool { return r.IntN(100) < percent }

// integer is an integer type, as wide as it likes.
func (r draw) integer(name string) *kind {
	k := &kind{name: name, bits: 8 << r.IntN(6), signed: r.chance(50)}
	k.solidity = fmt.Sprintf("uint%d", k.bits)
	if k.signed {
		k.solidity = k.solidity[1:]
	}
	k.canonical = k.solidity
	return k
}

// scalar is a type without parts; texts and enums are among them.
func (a *application) scalar() *kind {
	switch name := a.one("string", "int", "money", "time", "bool", "enum", "address", "contract", "user", "role"); name {
	case "string", "bool":
		return &kind{name: name, solidity: name, canonical: name}
	case "enum":
		return a.enums[a.IntN(len(a.enums))]
	case "address", "contract", "user":
		return &kind{name: name, solidity: "address", canonical: "address"}
	case "role":
		return &kind{name: a.one(a.roles...), solidity: "address", canonical: "address"}
	default:
		return a.integer(name)
	}
}

// kind is any type that the compiler's version can pass.
func (a *application) kind() *kind {
	switch n := a.IntN(10); {
	case n < 6:
		return a.scalar()
	case n < 8 || a.version < 5:
		e := a.scalar()
		for a.version < 5 && e.solidity == "string" {
			e = a.scalar()
		}
		return a.array(e)
	case n < 9 || a.version < 8:
		return a.structs[a.IntN(len(a.structs))]
	default:
		return a.array(a.structs[a.IntN(len(a.structs))])
	}
}

func (a *application) array(e *kind) *kind {
	k := &kind{name: "array", element: e, length: -1}
	suffix := "[]"
	if a.chance(30) && len(e.fields) == 0 {
		k.length = 1 + a.IntN(3)
		suffix = fmt.Sprintf("[%d]", k.length)
	}
	k.solidity, k.canonical = e.solidity+suffix, e.canonical+suffix
	return k
}

// inMemory is the type as a parameter writes it.
func (k *kind) inMemory() string {
	if k.solidity == "string" || k.element != nil || k.fields != nil {
		return k.solidity + " memory"
	}
	return k.solidity
}

// configured is the type as the configuration writes it.
func (k *kind) configured() map[string]any {
	t := map[string]any{"Name": k.name}
	switch {
	case k.element != nil:
		t["ElementType"] = k.element.configured()
	case k.fields != nil:
		var list []any
		for _, f := range k.fields {
			list = append(list, identifier(f.name, f.kind))
		}
		t["Fields"] = list
	case k.members != nil:
		t["EnumValues"] = k.members
	}
	return t
}

func identifier(name string, k *kind) map[string]any {
	return map[string]any{"Name": name, "DisplayName": "The " + name, "Type": k.configured()}
}

// zero is how a variable that was never written shows.
func (k *kind) zero() string {
	switch {
	case k.element != nil:
		var list []string
		for range max(k.length, 0) {
			list = append(list, k.element.inJSON(k.element.zero()))
		}
		return "[" + strings.Join(list, ",") + "]"
	case k.fields != nil:
		var values []string
		for _, f := range k.fields {
			values = append(values, f.kind.zero())
		}
		return k.object(values)
	case k.solidity == "string":
		return ""
	case k.solidity == "bool":
		return "false"
	case k.solidity == "address":
		return "0x" + strings.Repeat("0", 40)
	}
	return "0"
}

// inJSON is a shown value as a part of a list or an object.
func (k *kind) inJSON(shown string) string {
	if k.solidity != "string" && k.solidity != "address" {
		return shown
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(shown); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

func (k *kind) object(values []string) string {
	var parts []string
	for i, f := range k.fields {
		parts = append(parts, fmt.Sprintf("%q:%s", f.name, f.kind.inJSON(values[i])))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// bounds are the first and the last number of an integer type.
func (k *kind) bounds() (first, last *big.Int) {
	one := big.NewInt(1)
	if k.signed {
		half := new(big.Int).Lsh(one, uint(k.bits-1))
		return new(big.Int).Neg(half), new(big.Int).Sub(half, one)
	}
	return new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(one, uint(k.bits)), one)
}

// value is one as everything shows it; texts have at most so many characters.
func (a *application) value(k *kind, most int) string {
	switch {
	case k.element != nil:
		n := k.length
		if n < 0 {
			n = a.IntN(4)
		}
		list := make([]string, n)
		for i := range list {
			list[i] = k.element.inJSON(a.value(k.element, 200))
		}
		return "[" + strings.Join(list, ",") + "]"
	case k.fields != nil:
		values := make([]string, len(k.fields))
		for i, f := range k.fields {
			values[i] = a.value(f.kind, 200)
		}
		return k.object(values)
	case k.members != nil:
		return fmt.Sprint(a.IntN(len(k.members)))
	case k.solidity == "string":
		return a.text(most)
	case k.solidity == "bool":
		return a.one("true", "false")
	case k.solidity == "address":
		if a.chance(80) {
			return a.one(a.addresses...)
		}
		return a.one("0x"+strings.Repeat("0", 40), fmt.Sprintf("0x%040x", a.Uint64()))
	}
	first, last := k.bounds()
	switch a.IntN(5) {
	case 0:
		return first.String()
	case 1:
		return last.String()
	case 2:
		return "0"
	}
	n := new(big.Int).SetUint64(a.Uint64())
	return new(big.Int).Add(first, n.Mod(n, new(big.Int).Sub(last, first))).String()
}

func (a *application) text(most int) string {
	switch a.IntN(8) {
	case 0:
		return ""
	case 1:
		return strings.Repeat("ä", most)
	case 2:
		return " spaces, [brackets] and \"quotes\" "
	case 3:
		return "<script>alert('1')</script> & \\ line\nnext\u2028 \U0001F69A"
	}
	return fmt.Sprintf("text %d", a.IntN(1000))
}

// given is a shown value as some client may write it: another spelling, or JSON
// of its own kind instead of a text.
func (a *application) given(k *kind, shown string) any {
	if a.chance(50) {
		return shown
	}
	switch {
	case k.element != nil && k.element.fields == nil && k.element.solidity != "string" && a.chance(50):
		return strings.ReplaceAll(strings.Trim(shown, "[]"), `"`, "") // as Workbench's clients write it
	case k.element != nil:
		return shown
	case k.bits > 0 || k.members != nil:
		return json.RawMessage(shown)
	case k.solidity == "bool":
		return a.one(strings.ToUpper(shown), strings.ToUpper(shown[:1])+shown[1:])
	case k.solidity == "address":
		return "0x" + strings.ToUpper(shown[2:])
	}
	return shown
}

// wrong is what is no value of a type, or "" where everything is one.
func (a *application) wrong(k *kind) string {
	switch {
	case k.element != nil && k.length >= 0:
		return "[" + strings.Repeat(k.element.inJSON(k.element.zero())+",", k.length) + k.element.inJSON(k.element.zero()) + "]"
	case k.element != nil:
		if e := a.wrong(k.element); e != "" {
			return "[" + k.element.inJSON(e) + "]"
		}
		return ""
	case k.fields != nil:
		return a.one("{}", `{"Other":1}`, "text", "[]")
	case k.members != nil:
		return a.one(fmt.Sprint(len(k.members)), "-1", k.members[0], "")
	case k.solidity == "string":
		return strings.Repeat("x", 4001)
	case k.solidity == "bool":
		return a.one("yes", "1", "")
	case k.solidity == "address":
		return a.one("0x12", "Bob", "", "0x"+strings.Repeat("g", 40))
	}
	first, last := k.bounds()
	return a.one(last.Add(last, big.NewInt(1)).String(), first.Sub(first, big.NewInt(1)).String(), "1.5", "0x10", "", "1e3")
}
