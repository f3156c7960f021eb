// A build of a compiler that is none: it has the form of soljson.js and does what
// the code asks for, so that limits can be tried in an instant.
var Module = {};
Module.HEAPU8 = new Uint8Array(4 << 20);
var top = 16;
Module._malloc = function (n) { var p = top; top += n + 1; return p; };
function put(text) {
  var p = Module._malloc(text.length + 1);
  for (var i = 0; i < text.length; i++) Module.HEAPU8[p + i] = text.charCodeAt(i);
  Module.HEAPU8[p + text.length] = 0;
  return p;
}
function get(p) {
  var text = "";
  while (Module.HEAPU8[p]) text += String.fromCharCode(Module.HEAPU8[p++]);
  return text;
}
Module._solidity_version = function () { return put("VERSION+commit.00000000.Emscripten.clang"); };
Module._solidity_compile = function (p) {
  var input = get(p);
  if (input.indexOf("LOOP") >= 0) for (;;);
  if (input.indexOf("EAT") >= 0) for (var all = [];;) all.push(new Uint8Array(1 << 20));
  if (input.indexOf("THROW") >= 0) throw new Error("internal\nerror");
  if (input.indexOf("DEEP") >= 0) (function deep() { deep(); })();
  if (input.indexOf("WILD") >= 0) return 0x7ffffff0;
  if (input.indexOf("HOST") >= 0) return put(JSON.stringify({ errors: [{ severity: "error", type: "Error", message:
    [typeof require, typeof process, typeof fetch, typeof load, typeof read].join(" ") }] }));
  if (input.indexOf("TEXT") >= 0) return put("no JSON");
  return put('{"contracts":{"C.sol":{"C":{"abi":[],"evm":{"bytecode":{"object":"6001"},"deployedBytecode":{"object":"02"}}}}}}');
};
