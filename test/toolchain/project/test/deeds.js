const { expect } = require("chai");
const { ethers } = require("hardhat");

describe("Deeds, an ERC-721", function () {
  let owner, ann, ben, deeds;

  before(async function () {
    [owner, ann, ben] = await ethers.getSigners();
    const Deeds = await ethers.getContractFactory("Deeds");
    deeds = await Deeds.deploy();
    await deeds.waitForDeployment();
  });

  it("registers", async function () {
    await expect(deeds.register(ann.address, "ipfs://meadow"))
      .to.emit(deeds, "Transfer")
      .withArgs(ethers.ZeroAddress, ann.address, 1n);
    expect(await deeds.ownerOf(1n)).to.equal(ann.address);
    expect(await deeds.tokenURI(1n)).to.equal("ipfs://meadow");
    expect(await deeds.supportsInterface("0x80ac58cd")).to.equal(true);
  });

  it("passes only with consent", async function () {
    await expect(deeds.connect(ben).transferFrom(ann.address, ben.address, 1n))
      .to.be.revertedWithCustomError(deeds, "ERC721InsufficientApproval")
      .withArgs(ben.address, 1n);
    await (await deeds.connect(ann).approve(ben.address, 1n)).wait();
    await (await deeds.connect(ben).transferFrom(ann.address, ben.address, 1n)).wait();
    expect(await deeds.ownerOf(1n)).to.equal(ben.address);
  });

  it("is not given to a contract that cannot keep it", async function () {
    await expect(deeds.register(deeds.target, "ipfs://nowhere")).to.be.revertedWithCustomError(deeds, "ERC721InvalidReceiver");
  });

  it("names what it does not have", async function () {
    await expect(deeds.ownerOf(9n)).to.be.revertedWithCustomError(deeds, "ERC721NonexistentToken").withArgs(9n);
  });
});
