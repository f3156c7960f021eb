// Compiles every .sol file of this folder to NAME.json with abi and bytecode.
// `node compile.mjs --check` compares instead of writing.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const check = process.argv.includes("--check");
const sources = {};
for (const file of readdirSync(here).filter((f) => f.endsWith(".sol")).sort()) {
  sources[file] = { content: readFileSync(join(here, file), "utf8") };
}
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources,
      settings: {
        evmVersion: "osaka",
        optimizer: { enabled: true, runs: 200 },
        // Without the metadata hash the code depends on the source's meaning alone.
        metadata: { bytecodeHash: "none", appendCBOR: false },
        outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
      },
    }),
  ),
);
for (const e of output.errors ?? []) {
  console.error(e.formattedMessage);
  process.exitCode = 1;
}
for (const file of Object.keys(sources)) {
  const name = file.replace(/\.sol$/, "");
  const { abi, evm } = output.contracts[file][name];
  const text = JSON.stringify({ name, compiler: solc.version().split("+")[0], abi, bytecode: "0x" + evm.bytecode.object }, null, 1) + "\n";
  const path = join(here, name + ".json");
  if (!check) {
    writeFileSync(path, text);
  } else if (readFileSync(path, "utf8") !== text) {
    console.error(`${name}.json is not what ${file} compiles to: run make contracts`);
    process.exitCode = 1;
  } else {
    console.log(`ok ${name}`);
  }
}
