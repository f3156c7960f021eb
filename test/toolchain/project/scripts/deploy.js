// Deploys as a team's script does, then uses what was deployed.
// npx hardhat run --network coco scripts/story.js
const hre = require("hardhat");

async function main() {
  const [owner, ann] = await hre.ethers.getSigners();
  const garden = await hre.ethers.deployContract("Garden", [owner.address, 1000n]);
  await garden.waitForDeployment();
  const receipt = await (await garden.transfer(ann.address, 10n)).wait();
  console.log(`block ${receipt.blockNumber}, ${garden.target}, ${await garden.balanceOf(ann.address)} GDN`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
