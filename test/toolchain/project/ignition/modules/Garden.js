const { buildModule } = require("@nomicfoundation/hardhat-ignition/modules");

module.exports = buildModule("Garden", (m) => {
  const garden = m.contract("Garden", [m.getAccount(0), 1000n]);
  m.call(garden, "transfer", [m.getAccount(1), 10n]);
  return { garden };
});
