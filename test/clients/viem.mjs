import assert from "node:assert/strict";
import {
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  defineChain,
  getContract,
  http,
  webSocket,
} from "viem";
import { nonceManager, privateKeyToAccount } from "viem/accounts";
import { alice, amount, bob, chainId, keep, many, rpc, soon, step, supply, token, tooMuch, ws } from "./story.mjs";

const chain = defineChain({
  id: chainId,
  name: "coco",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [rpc], webSocket: [ws] } },
});
const client = createPublicClient({ chain, transport: http(), pollingInterval: 50 });
const wallet = createWalletClient({ chain, transport: http(), account: privateKeyToAccount(alice.privateKey) });
let contract, hash, receipt;

const revert = (e) => e instanceof BaseError && e.walk((c) => c instanceof ContractFunctionRevertedError);

await step("chain", async () => {
  assert.equal(await client.getChainId(), chainId);
  assert.ok((await client.getBalance({ address: alice.address })) > 0n);
});

await step("deploy", async () => {
  const deployed = await wallet.deployContract({ ...token, args: ["Garden", "GDN", supply] });
  const { contractAddress, status } = await client.waitForTransactionReceipt({ hash: deployed });
  assert.equal(status, "success");
  contract = getContract({ address: contractAddress, abi: token.abi, client: { public: client, wallet } });
  assert.equal(await contract.read.symbol(), "GDN");
});

await step("transfer", async () => {
  hash = await contract.write.transfer([bob.address, amount]);
  receipt = await client.waitForTransactionReceipt({ hash });
  assert.equal(receipt.status, "success");
  assert.equal(receipt.logs.length, 1);
});

await step("read", async () => {
  assert.equal(await contract.read.balanceOf([bob.address]), amount);
  assert.equal(await contract.read.balanceOf([alice.address]), supply - amount);
  const block = await client.getBlock({ blockNumber: receipt.blockNumber, includeTransactions: true });
  assert.equal(block.hash, receipt.blockHash);
  assert.equal(block.transactions[0].hash, hash);
  assert.equal((await client.getTransaction({ hash })).from, alice.address.toLowerCase());
});

await step("events", async () => {
  const found = await contract.getEvents.Transfer({ to: bob.address }, { fromBlock: 0n });
  assert.equal(found.length, 1);
  assert.equal(found[0].args.value, amount);
  assert.equal(found[0].transactionHash, hash);
});

await step("revert reason", async () => {
  await assert.rejects(contract.simulate.transfer([bob.address, supply], { account: wallet.account }), (e) => revert(e)?.reason === tooMuch);
  await assert.rejects(contract.simulate.transferFrom([bob.address, alice.address, 1n]), (e) => revert(e)?.data?.errorName === "Allowance");
  const failed = await contract.write.transfer([bob.address, supply], { gas: 100_000n });
  assert.equal((await client.waitForTransactionReceipt({ hash: failed })).status, "reverted");
});

await step("subscription", async () => {
  const socket = createPublicClient({ chain, transport: webSocket() });
  const [stopBlocks, stopLogs] = [[], []];
  const block = new Promise((resolve, reject) =>
    stopBlocks.push(socket.watchBlocks({ onBlock: resolve, onError: reject })),
  );
  const log = new Promise((resolve, reject) =>
    stopLogs.push(socket.watchContractEvent({ address: contract.address, abi: token.abi, eventName: "Transfer", onLogs: ([l]) => resolve(l), onError: reject })),
  );
  // Subscriptions are requests of their own; they are answered before these.
  for (let i = 0; i < 3; i++) await socket.request({ method: "eth_chainId" });
  const tx = await contract.write.transfer([bob.address, 7n]);
  const heard = await soon(log, "the event");
  assert.equal(heard.transactionHash, tx);
  assert.deepEqual(heard.args, { from: alice.address, to: bob.address, value: 7n });
  assert.equal((await soon(block, "the block")).number, heard.blockNumber);
  for (const stop of [...stopBlocks, ...stopLogs]) stop();
  (await socket.transport.getRpcClient()).close();
});

await step("forty in parallel", async () => {
  const account = privateKeyToAccount(bob.privateKey, { nonceManager });
  const sender = createWalletClient({ chain, transport: http(), account });
  const before = await contract.read.balanceOf([alice.address]);
  const hashes = await Promise.all(
    Array.from({ length: many }, () =>
      sender.writeContract({ address: contract.address, abi: token.abi, functionName: "transfer", args: [alice.address, 1n] }),
    ),
  );
  const receipts = await Promise.all(hashes.map((h) => client.waitForTransactionReceipt({ hash: h })));
  assert.ok(receipts.every((r) => r.status === "success"));
  assert.equal(new Set(hashes).size, many);
  assert.equal(await contract.read.balanceOf([alice.address]), before + BigInt(many));
});

await step("send and wait in one call", async () => {
  const answer = await wallet.writeContractSync({ address: contract.address, abi: token.abi, functionName: "transfer", args: [bob.address, 1n] });
  assert.equal(answer.status, "success");
  assert.ok((await client.getBlockNumber({ cacheTime: 0 })) >= answer.blockNumber);
});

await step("receipt", async () => {
  keep(await client.request({ method: "coco_getReceipt", params: [hash] }));
});
