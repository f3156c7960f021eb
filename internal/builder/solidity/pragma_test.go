package solidity

import (
	"errors"
	"strings"
	"testing"
)

func TestPragmaAllows(t *testing.T) {
	for _, x := range []struct{ text, yes, no string }{
		{"^0.5.0", "0.5.0 0.5.17", "0.4.26 0.6.0 1.5.0"},
		{"^0.4.24", "0.4.24 0.4.26", "0.4.23 0.5.0"},
		{"^0.0.3", "0.0.3", "0.0.4 0.1.0"},
		{"^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0"},
		{"^0.5", "0.5.0 0.5.17", "0.6.0 0.4.26"},
		{"^0", "0.4.0 0.8.37", "1.0.0"},
		{"~0.5.3", "0.5.3 0.5.17", "0.5.2 0.6.0"},
		{"~0.5", "0.5.0 0.5.17", "0.6.0"},
		{">=0.4.25 <0.6.0", "0.4.25 0.4.26 0.5.17", "0.4.24 0.6.0"},
		{">= 0.4.25 < 0.6.0", "0.4.25 0.5.17", "0.4.24 0.6.0"},
		{">=0.4.22<0.9.0", "0.4.22 0.8.37", "0.4.21 0.9.0"},
		{">0.4.26", "0.5.0", "0.4.26"},
		{">0.5", "0.6.0", "0.5.17"},
		{"<=0.5", "0.5.17 0.4.26", "0.6.0"},
		{"0.5.10", "0.5.10", "0.5.9 0.5.11"},
		{"=0.5.10", "0.5.10", "0.5.11"},
		{"v0.5.10", "0.5.10", "0.5.11"},
		{"0.5.x", "0.5.0 0.5.17", "0.6.0"},
		{"0.5", "0.5.0 0.5.17", "0.6.0"},
		{"*", "0.4.26 0.8.37", ""},
		{"0.4.25 - 0.5.10", "0.4.25 0.5.10", "0.4.24 0.5.11"},
		{"^0.4.25 || ^0.5.0", "0.4.26 0.5.17", "0.4.24 0.6.0"},
		{"0.4.26||0.6.12", "0.4.26 0.6.12", "0.5.17"},
		{`"^0.5.0"`, "0.5.1", "0.6.0"},
	} {
		any, why := parseRange(x.text)
		if why != "" {
			t.Errorf("%s: %s", x.text, why)
			continue
		}
		for _, want := range []bool{true, false} {
			list := x.no
			if want {
				list = x.yes
			}
			for v := range strings.FieldsSeq(list) {
				version, ok := ParseVersion(v)
				if !ok || (Pragma{any: any}).Allows(version) != want {
					t.Errorf("%s allows %s: not %v", x.text, v, want)
				}
			}
		}
	}
	for _, text := range []string{"", "abc", "^", "^0.5.0 ||", "|| 0.5.0", "0.5.0.1", "^0.5.0abc", ">=", "^99999.0.0", strings.Repeat("0.5.0 ", 40), "0.5.0 - ^0.6.0"} {
		if any, why := parseRange(text); why == "" {
			t.Errorf("%q is %v", text, any)
		}
	}
}

func TestPragmasAreFound(t *testing.T) {
	s := Sources{
		"a.sol": []byte("// pragma solidity ^0.1.0;\n/* pragma solidity ^0.2.0; */\nstring constant x = \"pragma solidity ^0.3.0;\";\n\npragma   solidity\n  >=0.4.25 /* and */ <0.6.0;\npragma experimental ABIEncoderV2;\nmypragma solidity ^0.9.0;"),
		"b.sol": []byte("pragma solidity ^0.5.0;\npragma solidity >=0.5.2;"),
		"c.sol": []byte("contract C {}"),
	}
	list, err := s.Pragmas()
	if err != nil {
		t.Fatal(err)
	}
	want := []Pragma{{File: "a.sol", Line: 5, Text: ">=0.4.25 <0.6.0"}, {File: "b.sol", Line: 1, Text: "^0.5.0"}, {File: "b.sol", Line: 2, Text: ">=0.5.2"}}
	if len(list) != len(want) {
		t.Fatalf("%d pragmas: %v", len(list), list)
	}
	for i, w := range want {
		if p := list[i]; p.File != w.File || p.Line != w.Line || p.Text != w.Text {
			t.Errorf("%s:%d %q, not %s:%d %q", p.File, p.Line, p.Text, w.File, w.Line, w.Text)
		}
	}
	_, err = Sources{"a.sol": []byte("\n\npragma solidity latest;")}.Pragmas()
	if !errors.Is(err, ErrPragma) || !strings.Contains(err.Error(), "a.sol:3") {
		t.Errorf("%v", err)
	}
}

func TestImportsAreFound(t *testing.T) {
	text := `// import "no.sol";
import "./a.sol";
import {A, B as C} from '../b.sol';
import * as D from "d.sol"; string constant e = "import 'f.sol';";
important "g.sol";
import "h.sol"`
	if got := strings.Join(imports(text), " "); got != "./a.sol ../b.sol d.sol" {
		t.Error(got)
	}
}

func TestComplete(t *testing.T) {
	s := Sources{
		"contracts/A.sol":              []byte(`import "@oz/token/T.sol"; import "./B.sol"; import "../../../etc/passwd.sol"; import "/etc/x.sol"; import "two.sol"; import "./WorkbenchBase.sol";`),
		"contracts/B.sol":              []byte(`import "./A.sol";`),
		"node_modules/@oz/token/T.sol": []byte(`contract T {}`),
		"x/two.sol":                    []byte(`contract X {}`),
		"y/two.sol":                    []byte(`contract Y {}`),
	}
	i := Installed{Version: "0.4.26"}
	more, remappings := complete(s, i, Options{TolerateBase: true})
	if strings.Join(remappings, " ") != "@oz/token/T.sol=node_modules/@oz/token/T.sol" {
		t.Error(remappings)
	}
	base := string(more["contracts/WorkbenchBase.sol"])
	if len(more) != len(s)+1 || !strings.Contains(base, "contract WorkbenchBase") || strings.Contains(base, "memory") {
		t.Errorf("%v", more.Names())
	}
	if strict, _ := complete(s, i, Options{}); len(strict) != len(s) {
		t.Errorf("without tolerance: %v", strict.Names())
	}
}

func FuzzPragma(f *testing.F) {
	for _, seed := range []string{"^0.5.0", ">=0.4.25 <0.6.0", "0.4.25 - 0.5.10", "~0.5 || 0.6.x", "*", `"^0.5.0"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		any, why := parseRange(text)
		if (why == "") != (len(any) > 0) {
			t.Fatalf("%v and %q", any, why)
		}
		p := Pragma{any: any}
		for _, v := range series {
			p.Allows(v)
		}
		list := pragmas("pragma solidity " + text + ";")
		for _, p := range list {
			if p.Line < 1 {
				t.Fatal("a pragma on no line")
			}
		}
		imports("import " + text + ";")
		if len(blank(text)) != len(text) {
			t.Fatal("offsets have moved")
		}
	})
}
