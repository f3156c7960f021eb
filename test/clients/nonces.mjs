// What users of geth know of nonces, with ethers and viem: gaps, replacement,
// cancelling, and what is refused in which words.
import assert from "node:assert/strict";
import { JsonRpcProvider, NonceManager, Wallet, isError } from "ethers";
import { createPublicClient, createWalletClient, defineChain, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { alice, bob, chainId, many, rpc, soon, step } from "./story.mjs";

const provider = new JsonRpcProvider(rpc, undefined, { cacheTimeout: -1, pollingInterval: 50 });
const [a, b] = [alice, bob].map(({ privateKey }) => new Wallet(privateKey, provider));
const status = (hash) => provider.send("coco_getTransactionStatus", [hash]);
const nonce = (tag, who = a) => provider.getTransactionCount(who.address, tag);
const pay = (fields) => a.sendTransaction({ to: b.address, value: 1n, gasLimit: 21_000n, maxFeePerGas: 100n, maxPriorityFeePerGas: 100n, ...fields });
const says = (text) => (e) => JSON.stringify([e.info, e.error, e.message]).includes(text);

await step("a gap waits and is filled", async () => {
  const first = await nonce("pending");
  const later = [await pay({ nonce: first + 2 }), await pay({ nonce: first + 1 })];
  for (const tx of later) {
    assert.equal((await provider.getTransaction(tx.hash)).blockNumber, null);
    assert.equal(await provider.getTransactionReceipt(tx.hash), null);
    assert.equal((await status(tx.hash)).status, "pending");
  }
  assert.equal(await nonce("pending"), first); // as with geth, what waits for others does not count
  const receipts = await Promise.all([await pay({ nonce: first }), ...later].map((tx) => tx.wait()));
  assert.ok(receipts.every((r) => r.status === 1));
  assert.equal(await nonce("latest"), first + 3);
});

await step("a waiting transaction is replaced for a tenth more", async () => {
  const next = await nonce("pending");
  const slow = await pay({ nonce: next + 1 });
  await assert.rejects(provider.broadcastTransaction(await signed(slow)), says("already known"));
  await assert.rejects(pay({ nonce: next + 1, value: 2n }), (e) => isError(e, "REPLACEMENT_UNDERPRICED"));
  await assert.rejects(pay({ nonce: next + 1, value: 2n, maxFeePerGas: 109n, maxPriorityFeePerGas: 109n }), says("replacement transaction underpriced"));
  const quick = await pay({ nonce: next + 1, value: 2n, maxFeePerGas: 110n, maxPriorityFeePerGas: 110n });
  const waits = slow.wait();
  waits.catch(() => {});
  assert.equal(await provider.getTransaction(slow.hash), null);
  assert.match((await status(slow.hash)).status, /^refused: replaced by transaction 0x/);
  await (await pay({ nonce: next })).wait();
  assert.equal((await quick.wait()).status, 1);
  await assert.rejects(soon(waits, "the end of what was replaced"), (e) => isError(e, "TRANSACTION_REPLACED") && e.receipt.hash === quick.hash);
});

await step("a waiting transaction is cancelled", async () => {
  const chain = defineChain({ id: chainId, name: "coco", nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 }, rpcUrls: { default: { http: [rpc] } } });
  let looked; // viem knows what it waits for
  const known = new Promise((resolve) => (looked = resolve));
  const onFetchResponse = async (response) => (await response.clone().text()).includes('"blockHash":null') && looked();
  const reader = createPublicClient({ chain, transport: http(rpc, { onFetchResponse }), pollingInterval: 50 });
  const wallet = createWalletClient({ chain, transport: http(), account: privateKeyToAccount(bob.privateKey) });
  const next = await reader.getTransactionCount({ address: bob.address, blockTag: "pending" });
  const fees = (price) => ({ gas: 21_000n, maxFeePerGas: price, maxPriorityFeePerGas: price });
  const hash = await wallet.sendTransaction({ to: alice.address, value: 10n ** 18n, nonce: next + 1, ...fees(1n) });
  const seen = [];
  const wait = reader.waitForTransactionReceipt({ hash, onReplaced: (r) => seen.push(r.reason) });
  await soon(known, "viem's look at the transaction");
  await wallet.sendTransaction({ to: bob.address, value: 0n, nonce: next + 1, ...fees(2n) });
  await wallet.sendTransaction({ to: alice.address, value: 1n, nonce: next, ...fees(1n) });
  assert.equal((await soon(wait, "the receipt of what cancelled")).status, "success");
  assert.deepEqual(seen, ["cancelled"]);
});

await step("a used nonce is too low, a distant one too high", async () => {
  const next = await nonce("latest");
  await assert.rejects(pay({ nonce: next - 1, value: 3n }), (e) => isError(e, "NONCE_EXPIRED") && says(`nonce too low: next nonce ${next}, tx nonce ${next - 1}`)(e));
  await assert.rejects(pay({ nonce: next + 65 }), says("nonce too high"));
  const farthest = await pay({ nonce: next + 64 });
  assert.equal((await status(farthest.hash)).status, "pending");
});

await step("two senders of one account", async () => {
  // Neither knows of the other: of the two that take a nonce one is refused, and says so.
  const senders = [0, 1].map(() => new NonceManager(new Wallet(bob.privateKey, new JsonRpcProvider(rpc, undefined, { cacheTimeout: -1 }))));
  const before = await nonce("latest", b);
  const sends = await Promise.allSettled(
    Array.from({ length: many }, (_, i) => senders[i % 2].sendTransaction({ to: a.address, value: BigInt(1 + (i % 2)), gasLimit: 21_000n })),
  );
  const good = sends.filter((s) => s.status === "fulfilled").map((s) => s.value);
  const ends = await Promise.all(good.map(async (tx) => ((await provider.waitForTransaction(tx.hash, 1, 10_000).catch(() => null)) ? "Committed" : (await status(tx.hash)).status)));
  for (const s of sends.filter((s) => s.status === "rejected")) assert.ok(says("nonce too low")(s.reason) || says("replacement transaction underpriced")(s.reason), s.reason);
  const committed = ends.filter((s) => s === "Committed").length;
  assert.equal(committed, (await nonce("latest", b)) - before);
  assert.ok(ends.every((s) => s === "Committed" || s === "pending" || s.startsWith("refused: ")), String(ends));
  assert.ok(committed >= many / 2, `${committed} of ${many} are committed`);
  senders.forEach((s) => s.signer.provider.destroy());
});

async function signed(tx) {
  const { nonce, to, value, gasLimit, maxFeePerGas, maxPriorityFeePerGas, type } = tx;
  return a.signTransaction({ nonce, to, value, gasLimit, maxFeePerGas, maxPriorityFeePerGas, type, chainId });
}

provider.destroy();
