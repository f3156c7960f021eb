const { expect } = require("chai");
const { ethers, upgrades } = require("hardhat");

describe("Box, behind an upgradeable proxy", function () {
  let owner, ann;

  before(async function () {
    [owner, ann] = await ethers.getSigners();
  });

  it("is upgraded by itself (UUPS)", async function () {
    const Box = await ethers.getContractFactory("Box");
    const box = await upgrades.deployProxy(Box, [owner.address, 42n], { kind: "uups" });
    await box.waitForDeployment();
    const first = await upgrades.erc1967.getImplementationAddress(box.target);
    expect(await box.value()).to.equal(42n);
    await expect(box.store(43n)).to.emit(box, "Stored").withArgs(owner.address, 43n);
    await expect(box.store(1n)).to.be.revertedWithCustomError(box, "TooSmall").withArgs(1n, 43n);
    await expect(box.initialize(ann.address, 0n)).to.be.revertedWithCustomError(box, "InvalidInitialization");

    const BoxV2 = await ethers.getContractFactory("BoxV2");
    const V2asAnn = BoxV2.connect(ann);
    await expect(upgrades.upgradeProxy(box, V2asAnn)).to.be.revertedWithCustomError(box, "OwnableUnauthorizedAccount");
    const second = await upgrades.upgradeProxy(box, BoxV2);
    await second.waitForDeployment();
    expect(second.target).to.equal(box.target);
    expect(await upgrades.erc1967.getImplementationAddress(box.target)).to.not.equal(first);
    expect(await second.version()).to.equal("2");
    await (await second.increment()).wait();
    expect(await second.value()).to.equal(44n);

    const Broken = await ethers.getContractFactory("BoxBroken");
    await expect(upgrades.upgradeProxy(second, Broken)).to.be.rejectedWith("New storage layout is incompatible");
  });

  it("is upgraded by an administrator (transparent)", async function () {
    const shed = await upgrades.deployProxy(await ethers.getContractFactory("Shed"), [7n]);
    await shed.waitForDeployment();
    expect(await upgrades.erc1967.getAdminAddress(shed.target)).to.not.equal(ethers.ZeroAddress);
    const second = await upgrades.upgradeProxy(shed, await ethers.getContractFactory("ShedV2"), { call: "double" });
    await second.waitForDeployment();
    expect(second.target).to.equal(shed.target);
    expect(await second.tools()).to.equal(14n);
  });
});
