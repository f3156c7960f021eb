#!/usr/bin/env node
// The compiler of npm with the command line that Foundry expects of solc.
const solc = require("solc");

if (process.argv.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version().replace(/\.Emscripten.*/, ".Linux.g++")}`);
} else {
  process.stdout.write(solc.compile(require("node:fs").readFileSync(0, "utf8")));
}
