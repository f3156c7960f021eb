package asmjs

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/grafana/sobek"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// sample has each form that Emscripten writes; every export takes two integers
// and gives one.
const sample = `(function(global,env,buffer) {
"almost asm";
var a=new global.Int8Array(buffer),b=new global.Int16Array(buffer),c=new global.Int32Array(buffer),d=new global.Uint8Array(buffer),e=new global.Uint16Array(buffer),f=new global.Float32Array(buffer),g=new global.Float64Array(buffer);
var h=env.start|0,i=0,j=5,k=0.0,l=global.NaN,m=global.Infinity;
var floor=global.Math.floor,abs=global.Math.abs,sqrt=global.Math.sqrt,ceil=global.Math.ceil,min=global.Math.min,imul=global.Math.imul,clz=global.Math.clz32,pow=global.Math.pow;
var add=env.add;
function grow(newBuffer){a=new Int8Array(newBuffer);buffer=newBuffer;return true}
function arithmetic(x,y){x=x|0;y=y|0;var z=0;z=x+y|0;z=(imul(z,y)|0)-(x>>>3)|0;z=z^y<<(x&7);z=z+((x>>>0)/((y&255)+1>>>0)>>>0)|0;return z+clz(x)|0}
function division(x,y){x=x|0;y=y|0;return ((x|0)/(y|0)|0)+((x|0)%(y|0)|0)+((x>>>0)/(y>>>0)|0)+((x>>>0)%(y>>>0)|0)|0}
function seven(x,y){x=x|0;y=y|0;return ((x|0)/7|0)+((x|0)/-1|0)+((x>>>0)%10|0)*3|0}
function compare(x,y){x=x|0;y=y|0;return ((x|0)<(y|0)|0)+((x>>>0<y>>>0)<<1)+((x|0)==(y|0)?4:0)+(x>>>0>10?8:0)+(!x?16:0)+(~x&32)|0}
function doubles(x,y){x=x|0;y=y|0;var p=0.0,q=0.0;p=+(x|0);q=+(y>>>0);k=p*1.5+q/3.0- -2.5;p=+floor(k)+ +abs(p)+ +sqrt(+abs(q))+ +ceil(p/7.0)+ +min(p,q);if(p!=p|p==m)return 1;return ~~(p%1000003.0)+(p<q?1:2)|0}
function powers(x,y){x=x|0;y=y|0;return ~~+pow(+(x&15),3.0)+(~~(+(x>>>0)*2.0)>>>1)|0}
function memory(x,y){x=x|0;y=y|0;var z=0;a[100]=x;b[51]=y;c[26]=x^y;f[27]=+(x|0);g[14]=+(y|0)/4.0;z=(x&31)<<3;c[z+4>>2]=(d[100]|0)+(b[102>>1]|0);e[z+8>>1]=y;return (a[100>>0]|0)+(e[z+8>>1]|0)+(c[z+4>>2]|0)+~~+f[108>>2]+~~+g[112>>3]|0}
function loops(x,y){x=x|0;y=y|0;var n=0,s=0;a:while(1){n=n+1|0;if((n|0)>(x&15|0))break;do{s=s+n|0;if(s&1)continue a;if((s|0)>1e3)break a}while((s|0)<(y&63|0))}b:do{if(x&1){s=s+7|0;break b}if(x&2)break;s=s+9|0}while(0);for(n=0;(n|0)<5;n=n+1|0){if((n|0)==3)continue;s=s+n|0}c:{if(y&1)break c;s=s*3|0}return s|0}
function choices(x,y){x=x|0;y=y|0;var s=0;switch(x&7|0){case 0:s=1;break;case 1:case 2:s=2;case 4:{s=s+10|0;break}case -3:s=99;break;default:s=50}switch(y|0){case 1:return s|0;case 100000:s=3;break;case -2147483648:s=4}return s+(x&1?y&2?5:6:7)|0}
function effects(x,y){x=x|0;y=y|0;var s=0,t=0;s=(i=x,t=y,i+t|0);j=s;c[40]=(c[36]=s+1|0)+1;t=(x|0)&&(y|0);s=(x|0)||(y|0);return (s^t)+(c[144>>2]|0)+(c[160>>2]|0)+j+h|0}
function calls(x,y){x=x|0;y=y|0;var s=0;s=table[x&3](y,x)|0;s=s+(add(x|0,y|0)|0)|0;s=s+~~+add(+(x|0),.5)|0;none(3);return s+(compare(y,x)|0)+i|0}
function none(x){x=x|0;i=x;if(!x)return;i=i+1|0}
function ignored(x,y){x=x|0;y=y|0;add(x|0,1)|0;x?none(1):none(2);return i|0}
var table=[arithmetic,division,compare,loops];
return{arithmetic:arithmetic,division:division,seven:seven,compare:compare,doubles:doubles,powers:powers,memory:memory,loops:loops,choices:choices,effects:effects,calls:calls,ignored:ignored,grow:grow}})`

var names = strings.Fields("arithmetic division seven compare doubles powers memory loops choices effects calls ignored")

func TestSameAsJavaScript(t *testing.T) {
	m, err := Translate(sample)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	runtime := wazero.NewRuntime(ctx)
	defer runtime.Close(ctx)
	compiled, err := runtime.CompileModule(ctx, m.Binary)
	if err != nil {
		t.Fatal(err)
	}
	hosts := map[string]wazero.HostModuleBuilder{}
	for _, def := range compiled.ImportedFunctions() {
		module, name, _ := def.Import()
		if hosts[module] == nil {
			hosts[module] = runtime.NewHostModuleBuilder(module)
		}
		call := func(stack []uint64) {}
		switch name {
		case "add:iii":
			call = func(s []uint64) { s[0] = uint64(uint32(s[0]) + uint32(s[1])) }
		case "add:ddd":
			call = func(s []uint64) { s[0] = math.Float64bits(math.Float64frombits(s[0]) + math.Float64frombits(s[1])) }
		case "pow:ddd":
			call = func(s []uint64) {
				s[0] = math.Float64bits(math.Pow(math.Float64frombits(s[0]), math.Float64frombits(s[1])))
			}
		case "%:ddd":
			call = func(s []uint64) {
				s[0] = math.Float64bits(math.Mod(math.Float64frombits(s[0]), math.Float64frombits(s[1])))
			}
		default:
			t.Fatalf("an import %s.%s", module, name)
		}
		hosts[module] = hosts[module].NewFunctionBuilder().WithGoFunction(api.GoFunc(func(_ context.Context, s []uint64) { call(s) }), def.ParamTypes(), def.ResultTypes()).Export(name)
	}
	for _, h := range hosts {
		if _, err := h.Instantiate(ctx); err != nil {
			t.Fatal(err)
		}
	}
	module, err := runtime.Instantiate(ctx, m.Binary)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Globals) != 1 || m.Globals[0] != "start" {
		t.Fatalf("globals %v", m.Globals)
	}
	module.ExportedGlobal(GlobalPrefix + "start").(api.MutableGlobal).Set(77)

	js := sobek.New()
	v, err := js.RunString(sample + `(this, {start: 77, add: function(x, y) { return x + y }}, new ArrayBuffer(65536))`)
	if err != nil {
		t.Fatal(err)
	}
	numbers := []int32{0, 1, 2, 3, 4, 7, 8, 31, 64, 255, 100000, -1, -2, -7, -100, math.MaxInt32, math.MinInt32, 0x55555555, 1 << 30}
	for _, name := range names {
		theirs, _ := sobek.AssertFunction(v.ToObject(js).Get(name))
		ours := module.ExportedFunction(name)
		for _, x := range numbers {
			for _, y := range numbers {
				want, err := theirs(sobek.Undefined(), js.ToValue(x), js.ToValue(y))
				if err != nil {
					t.Fatal(err)
				}
				have, err := ours.Call(ctx, uint64(uint32(x)), uint64(uint32(y)))
				if err != nil {
					t.Fatalf("%s(%d, %d): %v", name, x, y, err)
				}
				if int32(uint32(want.ToInteger())) != int32(uint32(have[0])) {
					t.Errorf("%s(%d, %d) = %d, in JavaScript %d", name, x, y, int32(uint32(have[0])), want.ToInteger())
				}
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, body := range []string{
		`function f(x){return x|0}`,
		`function f(x){x=x|0;return g(x)|0}`,
		`function f(x){x=x|0;return unknown|0}`,
		`function f(x){x=x|0;return (x|0)<(x>>>0)|0}`,
		`function f(x){x=x|0;return add(x|0)}`,
		`function f(x){x=x|0;x+=1;return x|0}`,
		`function f(x){x=x|0;return "text"}`,
		`function f(x){x=x|0;break;return x|0}`,
		`function f(x){x=x|0;if(x)return;return x|0}`,
		`function f(x){x=x|0;return c[x]|0}`,
		`function f(x){x=x|0;return f(x,x)|0}`,
		`function f(x){x=x|0;try{x=1}catch(e){}return x|0}`,
		`var t=[];function f(x){x=x|0;return t[x&0](x)|0}`,
		`var z=env.a.b.c();function f(x){x=x|0;return x|0}`,
	} {
		text := `(function(global,env,buffer){var c=new global.Int32Array(buffer);var add=env.add;` + body + `return{f:f}})`
		if m, err := Translate(text); err == nil {
			t.Errorf("%s gave %d bytes", body, len(m.Binary))
		}
	}
	for _, text := range []string{"", "x", "function(){}", "(function(a,b,c){})", "(function(a,b,c){return 1})", "a;b", "(function(a,b,c){return{f:f}})"} {
		if _, err := Translate(text); err == nil {
			t.Errorf("%s was translated", text)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add(sample)
	for _, part := range strings.Split(sample, "\n") {
		if strings.HasPrefix(part, "function") {
			f.Add(fmt.Sprintf("(function(global,env,buffer){%s return{f:f}})", part))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Translate(text)
		if (m == nil) != (err != nil) {
			t.Fatal(m, err)
		}
	})
}
