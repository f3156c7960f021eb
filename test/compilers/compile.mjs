// Gives standard JSON from standard input to a soljson.js and writes its answer:
// node compile.mjs PATH. Like coco it offers no callback for imports.
import { readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";

const module = createRequire(import.meta.url)(process.argv[2]);
const name = module._solidity_compile ? "solidity_compile" : "compileStandard";
const compile = module.cwrap(name, "string", ["string", "number", "number"]);
const answer = Buffer.from(compile(readFileSync(0, "utf8"), 0, 0), "utf8");
for (let at = 0; at < answer.length; ) {
  at += writeSync(1, answer, at);
}
