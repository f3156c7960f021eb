const { expect } = require("chai");
const { ethers } = require("hardhat");

describe("Garden, an ERC-20", function () {
  const supply = 10n ** 24n;
  let owner, ann, ben, garden;

  before(async function () {
    [owner, ann, ben] = await ethers.getSigners();
    garden = await ethers.deployContract("Garden", [owner.address, supply]);
    await garden.waitForDeployment();
  });

  it("gives the supply to its owner", async function () {
    expect(await garden.name()).to.equal("Garden");
    expect(await garden.balanceOf(owner.address)).to.equal(supply);
    expect(await ethers.provider.getCode(garden.target)).to.match(/^0x[0-9a-f]{1000}/);
  });

  it("transfers, and says so", async function () {
    await expect(garden.transfer(ann.address, 1000n)).to.emit(garden, "Transfer").withArgs(owner.address, ann.address, 1000n);
    await expect(garden.connect(ann).transfer(ben.address, 400n)).to.changeTokenBalances(garden, [ann, ben], [-400n, 400n]);
  });

  it("moves ether for nothing but itself", async function () {
    await expect(owner.sendTransaction({ to: ben.address, value: 5n })).to.changeEtherBalances([owner, ben], [-5n, 5n]);
  });

  it("refuses with errors that are decoded", async function () {
    await expect(garden.connect(ben).transfer(ann.address, supply))
      .to.be.revertedWithCustomError(garden, "ERC20InsufficientBalance")
      .withArgs(ben.address, 400n, supply);
    await expect(garden.connect(ann).mint(ann.address, 1n))
      .to.be.revertedWithCustomError(garden, "OwnableUnauthorizedAccount")
      .withArgs(ann.address);
    await expect(garden.mint.staticCall(ethers.ZeroAddress, 1n)).to.be.revertedWithCustomError(garden, "ERC20InvalidReceiver");
  });

  it("records a transaction that fails", async function () {
    const tx = await garden.connect(ben).transfer(ann.address, supply, { gasLimit: 100_000n });
    await expect(tx.wait()).to.be.rejectedWith("transaction execution reverted");
    expect((await ethers.provider.getTransactionReceipt(tx.hash)).status).to.equal(0);
  });

  it("takes a signed permit (EIP-2612)", async function () {
    const { chainId } = await ethers.provider.getNetwork();
    const block = await ethers.provider.getBlock("latest");
    const deadline = block.timestamp + 3600;
    const signature = ethers.Signature.from(
      await ann.signTypedData(
        { name: "Garden", version: "1", chainId, verifyingContract: garden.target },
        {
          Permit: ["owner", "spender", "value", "nonce", "deadline"].map((name, i) => ({ name, type: i < 2 ? "address" : "uint256" })),
        },
        { owner: ann.address, spender: ben.address, value: 7n, nonce: 0n, deadline },
      ),
    );
    await garden.permit(ann.address, ben.address, 7n, deadline, signature.v, signature.r, signature.s);
    expect(await garden.allowance(ann.address, ben.address)).to.equal(7n);
  });

  it("finds its events", async function () {
    const found = await garden.queryFilter(garden.filters.Transfer(null, ann.address));
    expect(found.map((e) => e.args.value)).to.deep.equal([1000n]);
  });
});
