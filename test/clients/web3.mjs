import assert from "node:assert/strict";
import { Web3 } from "web3";
import { alice, amount, bob, chainId, keep, many, rpc, soon, step, supply, token, tooMuch, ws } from "./story.mjs";

const web3 = new Web3(rpc);
web3.eth.transactionPollingInterval = 50;
for (const { privateKey } of [alice, bob]) web3.eth.accounts.wallet.add(privateKey);
let contract, receipt;

await step("chain", async () => {
  assert.equal(await web3.eth.getChainId(), BigInt(chainId));
  assert.ok((await web3.eth.getBalance(alice.address)) > 0n);
});

await step("deploy", async () => {
  contract = await new web3.eth.Contract(token.abi).deploy({ data: token.bytecode, arguments: ["Garden", "GDN", supply] }).send({ from: alice.address });
  assert.equal(await contract.methods.symbol().call(), "GDN");
});

await step("transfer", async () => {
  receipt = await contract.methods.transfer(bob.address, amount).send({ from: alice.address });
  assert.equal(receipt.status, 1n);
  assert.equal(receipt.events.Transfer.returnValues.value, amount);
});

await step("read", async () => {
  assert.equal(await contract.methods.balanceOf(bob.address).call(), amount);
  assert.equal(await contract.methods.balanceOf(alice.address).call(), supply - amount);
  const block = await web3.eth.getBlock(receipt.blockNumber, true);
  assert.equal(block.hash, receipt.blockHash);
  assert.equal(block.transactions[0].hash, receipt.transactionHash);
  assert.equal((await web3.eth.getTransaction(receipt.transactionHash)).from, alice.address.toLowerCase());
});

await step("events", async () => {
  const found = await contract.getPastEvents("Transfer", { filter: { to: bob.address }, fromBlock: 0 });
  assert.equal(found.length, 1);
  assert.equal(found[0].returnValues.value, amount);
  assert.equal(found[0].transactionHash, receipt.transactionHash);
});

await step("revert reason", async () => {
  const reason = (e) => JSON.stringify([e.message, e.reason, e.cause?.message, e.innerError?.message]).includes(tooMuch);
  await assert.rejects(contract.methods.transfer(bob.address, supply).call({ from: alice.address }), reason);
  await assert.rejects(contract.methods.transfer(bob.address, supply).send({ from: alice.address }), reason);
  await assert.rejects(
    contract.methods.transferFrom(bob.address, alice.address, 1n).call({ from: alice.address }),
    (e) => e.cause?.errorName === "Allowance",
  );
});

await step("subscription", async () => {
  const socket = new Web3(ws);
  const heard = new socket.eth.Contract(token.abi, contract.options.address);
  const blocks = await socket.eth.subscribe("newBlockHeaders");
  const block = new Promise((resolve) => blocks.once("data", resolve));
  const events = heard.events.Transfer();
  await soon(new Promise((resolve) => events.once("connected", resolve)), "the subscription");
  const event = new Promise((resolve) => events.once("data", resolve));
  const sent = await contract.methods.transfer(bob.address, 7n).send({ from: alice.address });
  const log = await soon(event, "the event");
  assert.equal(log.transactionHash, sent.transactionHash);
  assert.equal(log.returnValues.value, 7n);
  assert.equal((await soon(block, "the block")).number, sent.blockNumber);
  socket.currentProvider.disconnect();
});

await step("forty in parallel", async () => {
  const before = await contract.methods.balanceOf(alice.address).call();
  const first = await web3.eth.getTransactionCount(bob.address);
  const receipts = await Promise.all(
    Array.from({ length: many }, (_, i) => contract.methods.transfer(alice.address, 1n).send({ from: bob.address, nonce: first + BigInt(i) })),
  );
  assert.ok(receipts.every((r) => r.status === 1n));
  assert.equal(new Set(receipts.map((r) => r.transactionHash)).size, many);
  assert.equal(await contract.methods.balanceOf(alice.address).call(), before + BigInt(many));
});

await step("send and wait in one call", async () => {
  const signed = await web3.eth.accounts.signTransaction(
    {
      to: contract.options.address,
      data: contract.methods.transfer(bob.address, 1n).encodeABI(),
      gas: 100_000,
      gasPrice: await web3.eth.getGasPrice(),
      nonce: await web3.eth.getTransactionCount(alice.address),
    },
    alice.privateKey,
  );
  const answer = await web3.requestManager.send({ method: "eth_sendRawTransactionSync", params: [signed.rawTransaction] });
  assert.equal(answer.status, "0x1");
  assert.ok((await web3.eth.getBlockNumber()) >= BigInt(answer.blockNumber));
});

await step("receipt", async () => {
  keep(await web3.requestManager.send({ method: "coco_getReceipt", params: [receipt.transactionHash] }));
});
