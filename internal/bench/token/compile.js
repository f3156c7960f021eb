// Prints the creation bytecode of the contract Token in the file given.
const fs = require("fs");
const solc = require(require.resolve("solc", { paths: [process.cwd()] }));
const input = {
  language: "Solidity",
  sources: { "Token.sol": { content: fs.readFileSync(process.argv[2], "utf8") } },
  settings: {
    optimizer: { enabled: true, runs: 200 },
    evmVersion: "shanghai",
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["evm.bytecode.object"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
for (const e of output.errors || []) console.error(e.formattedMessage);
console.log(output.contracts["Token.sol"].Token.evm.bytecode.object);
