import assert from "node:assert/strict";
import { Contract, ContractFactory, JsonRpcProvider, NonceManager, Wallet, WebSocketProvider, isError } from "ethers";
import { alice, amount, bob, chainId, keep, many, rpc, soon, step, supply, token, tooMuch, ws } from "./story.mjs";

// ethers answers a repeated request, the nonce among them, from its memory for a
// quarter of a second unless told otherwise; a block here takes less.
const provider = new JsonRpcProvider(rpc, undefined, { cacheTimeout: -1 });
const wallet = new Wallet(alice.privateKey, provider);
let contract, sent, receipt;

await step("chain", async () => {
  assert.equal((await provider.getNetwork()).chainId, BigInt(chainId));
  assert.ok((await provider.getBalance(wallet.address)) > 0n);
});

await step("deploy", async () => {
  contract = await new ContractFactory(token.abi, token.bytecode, wallet).deploy("Garden", "GDN", supply);
  await contract.waitForDeployment();
  assert.equal(await contract.symbol(), "GDN");
});

await step("transfer", async () => {
  sent = await contract.transfer(bob.address, amount);
  receipt = await sent.wait();
  assert.equal(receipt.status, 1);
  assert.equal(receipt.logs.length, 1);
});

await step("read", async () => {
  assert.equal(await contract.balanceOf(bob.address), amount);
  assert.equal(await contract.balanceOf(alice.address), supply - amount);
  const block = await provider.getBlock(receipt.blockNumber, true);
  assert.equal(block.hash, receipt.blockHash);
  assert.equal(block.prefetchedTransactions[0].hash, sent.hash);
  assert.equal((await provider.getTransaction(sent.hash)).from, wallet.address);
  assert.equal(await provider.getTransactionReceipt("0x" + "00".repeat(32)), null);
});

await step("events", async () => {
  const found = await contract.queryFilter(contract.filters.Transfer(null, bob.address));
  assert.equal(found.length, 1);
  assert.equal(found[0].args.value, amount);
  assert.equal(found[0].transactionHash, sent.hash);
  assert.equal((await contract.queryFilter(contract.filters.Transfer(bob.address))).length, 0);
});

await step("revert reason", async () => {
  await assert.rejects(contract.transfer.staticCall(bob.address, supply), (e) => isError(e, "CALL_EXCEPTION") && e.reason === tooMuch);
  await assert.rejects(contract.transfer(bob.address, supply), (e) => isError(e, "CALL_EXCEPTION") && e.reason === tooMuch);
  await assert.rejects(
    contract.transferFrom.staticCall(bob.address, alice.address, 1n),
    (e) => e.revert?.name === "Allowance" && e.revert.args[2] === 1n,
  );
  // Sent all the same it is recorded, with status 0.
  const failed = await contract.transfer(bob.address, supply, { gasLimit: 100_000n });
  await assert.rejects(failed.wait(), (e) => isError(e, "CALL_EXCEPTION") && e.receipt.status === 0);
});

await step("subscription", async () => {
  const socket = new WebSocketProvider(ws);
  const heard = new Contract(await contract.getAddress(), token.abi, socket);
  const block = new Promise((resolve) => socket.once("block", resolve));
  const event = new Promise((resolve) => heard.once("Transfer", (from, to, value, log) => resolve({ from, to, value, log })));
  await socket.getBlockNumber();
  await new Promise((resolve) => setImmediate(resolve));
  // Subscriptions are requests of their own; they are answered before this one.
  await socket.send("eth_chainId", []);
  const tx = await contract.transfer(bob.address, 7n);
  const { from, to, value, log } = await soon(event, "the event");
  assert.deepEqual([from, to, value], [alice.address, bob.address, 7n]);
  assert.equal(log.log.transactionHash, tx.hash);
  const { blockNumber } = await tx.wait();
  assert.ok((await soon(block, "the block")) <= blockNumber);
  await socket.send("eth_chainId", []); // behind the end of the subscriptions
  await socket.destroy();
});

await step("forty in parallel", async () => {
  const sender = new NonceManager(new Wallet(bob.privateKey, provider));
  const before = await contract.balanceOf(alice.address);
  const back = contract.connect(sender);
  const sends = await Promise.all(Array.from({ length: many }, () => back.transfer(alice.address, 1n)));
  const receipts = await Promise.all(sends.map((tx) => tx.wait()));
  assert.ok(receipts.every((r) => r.status === 1));
  assert.equal(new Set(receipts.map((r) => r.hash)).size, many);
  assert.equal(await contract.balanceOf(alice.address), before + BigInt(many));
});

await step("send and wait in one call", async () => {
  const tx = await wallet.populateTransaction(await contract.transfer.populateTransaction(bob.address, 1n));
  const answer = await provider.send("eth_sendRawTransactionSync", [await wallet.signTransaction(tx)]);
  assert.equal(answer.status, "0x1");
  // What is answered is committed: every reader sees it.
  assert.equal(Number(answer.blockNumber) <= (await provider.getBlockNumber()), true);
});

await step("receipt", async () => {
  keep(await provider.send("coco_getReceipt", [sent.hash]));
});

provider.destroy();
