import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { alice, amount, bob, chainId, keep, many, rpc, soon, step, supply, token, tooMuch, ws } from "./story.mjs";

// The program itself lies in the package of its platform.
const arch = { x64: "amd64", arm64: "arm64" }[process.arch];
const program = join(dirname(createRequire(import.meta.url).resolve(`@foundry-rs/cast-${process.platform}-${arch}/package.json`)), "bin", "cast");
const run = promisify(execFile);

async function cast(...args) {
  const { stdout } = await run(program, args, { env: { ...process.env, ETH_RPC_URL: rpc, NO_COLOR: "1" }, maxBuffer: 1 << 26 });
  return stdout.trim();
}
const send = async (key, ...args) => JSON.parse(await cast("send", "--json", "--private-key", key, ...args));
const number = (text) => BigInt(text.split(" ")[0]);
const balance = async (who) => number(await cast("call", contract, "balanceOf(address)(uint256)", who));
let contract, receipt;

await step("chain", async () => {
  assert.equal(await cast("chain-id"), String(chainId));
  assert.ok(BigInt(await cast("balance", alice.address)) > 0n);
});

await step("deploy", async () => {
  const deployed = await send(alice.privateKey, "--create", token.bytecode, "constructor(string,string,uint256)", "Garden", "GDN", String(supply));
  assert.equal(deployed.status, "0x1");
  contract = deployed.contractAddress;
  assert.equal(await cast("call", contract, "symbol()(string)"), '"GDN"');
});

await step("transfer", async () => {
  receipt = await send(alice.privateKey, contract, "transfer(address,uint256)", bob.address, String(amount));
  assert.equal(receipt.status, "0x1");
  assert.equal(receipt.logs.length, 1);
});

await step("read", async () => {
  assert.equal(await balance(bob.address), amount);
  assert.equal(await balance(alice.address), supply - amount);
  const block = JSON.parse(await cast("block", "--json", receipt.blockHash));
  assert.equal(block.number, receipt.blockNumber);
  assert.equal(JSON.parse(await cast("tx", "--json", receipt.transactionHash)).from, alice.address.toLowerCase());
  assert.equal(JSON.parse(await cast("receipt", "--json", receipt.transactionHash)).blockHash, receipt.blockHash);
});

await step("events", async () => {
  const found = JSON.parse(
    await cast("logs", "--json", "--from-block", "0", "--address", contract, "Transfer(address indexed,address indexed,uint256)", alice.address, bob.address),
  );
  assert.equal(found.length, 1);
  assert.equal(BigInt(found[0].data), amount);
  assert.equal(found[0].transactionHash, receipt.transactionHash);
});

await step("revert reason", async () => {
  const says = (text) => (e) => e.stderr.includes(text);
  await assert.rejects(cast("call", "--from", alice.address, contract, "transfer(address,uint256)", bob.address, String(supply)), says(tooMuch));
  await assert.rejects(send(alice.privateKey, contract, "transfer(address,uint256)", bob.address, String(supply)), says(tooMuch));
  const selector = await cast("sig", "Allowance(address,uint256,uint256)");
  await assert.rejects(cast("call", contract, "transferFrom(address,address,uint256)", bob.address, alice.address, "1"), says(selector));
  // Without an estimate it is sent, and recorded with status 0.
  const failed = await send(alice.privateKey, "--gas-limit", "100000", contract, "transfer(address,uint256)", bob.address, String(supply));
  assert.equal(failed.status, "0x0");
});

await step("subscription", async () => {
  const listener = spawn(program, ["logs", "--subscribe", "--json", "--rpc-url", ws, "--address", contract], { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => listener.kill());
  const heard = new Promise((resolve) => {
    let text = "";
    listener.stdout.on("data", (part) => {
      const hash = (text += part).match(/"transactionHash":"(0x[0-9a-f]{64})"/);
      if (hash) resolve(hash[1]);
    });
  });
  // cast does not say when it listens, so a transfer is made until one is heard.
  let over = false;
  const sent = [];
  const sending = (async () => {
    while (!over) sent.push((await send(alice.privateKey, contract, "transfer(address,uint256)", bob.address, "7")).transactionHash);
  })();
  const hash = await soon(heard, "the event");
  over = true;
  await sending;
  listener.kill();
  assert.ok(sent.includes(hash), hash);
});

await step("forty in parallel", async () => {
  const before = await balance(alice.address);
  const first = Number(await cast("nonce", bob.address));
  const receipts = await Promise.all(
    Array.from({ length: many }, (_, i) =>
      send(bob.privateKey, "--nonce", String(first + i), "--gas-limit", "100000", contract, "transfer(address,uint256)", alice.address, "1"),
    ),
  );
  assert.ok(receipts.every((r) => r.status === "0x1"));
  assert.equal(new Set(receipts.map((r) => r.transactionHash)).size, many);
  assert.equal(await balance(alice.address), before + BigInt(many));
});

await step("send and wait in one call", async () => {
  const answer = await send(alice.privateKey, "--sync", contract, "transfer(address,uint256)", bob.address, "1");
  assert.equal(answer.status, "0x1");
  assert.ok(BigInt(await cast("block-number")) >= BigInt(answer.blockNumber));
});

await step("receipt", async () => {
  keep(JSON.parse(await cast("rpc", "coco_getReceipt", receipt.transactionHash)));
});
