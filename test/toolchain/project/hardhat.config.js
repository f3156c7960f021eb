require("@nomicfoundation/hardhat-ethers");
require("@nomicfoundation/hardhat-chai-matchers");
require("@nomicfoundation/hardhat-ignition-ethers");
require("@openzeppelin/hardhat-upgrades");
const { subtask } = require("hardhat/config");
const { TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD } = require("hardhat/builtin-tasks/task-names");

// The compiler comes from npm instead of being downloaded.
subtask(TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD, async () => {
  const longVersion = require("solc").version().replace(/\.Emscripten.*/, "");
  return { compilerPath: require.resolve("solc/soljson.js"), isSolcJs: true, version: longVersion.split("+")[0], longVersion };
});

module.exports = {
  solidity: { version: "0.8.37", settings: { evmVersion: "osaka", optimizer: { enabled: true, runs: 200 } } },
  // There are no blocks without transactions, and one confirmation is final.
  ignition: { requiredConfirmations: 1 },
  networks: {
    coco: {
      url: process.env.COCO_RPC ?? "http://127.0.0.1:8545",
      accounts: { mnemonic: "test test test test test test test test test test test junk" },
    },
  },
};
