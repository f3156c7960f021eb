// What the clients' stories share: where the node is, who they are, the token,
// and how a step is told. A story prints `ok STEP` for every step that held and
// ends with an error at the first that did not.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { dirname, join } from "node:path";

const here = dirname(fileURLToPath(import.meta.url));

export const rpc = process.env.COCO_RPC;
export const ws = process.env.COCO_WS;
export const chainId = Number(process.env.COCO_CHAIN_ID);
export const [alice, bob] = JSON.parse(process.env.COCO_ACCOUNTS);
export const token = JSON.parse(readFileSync(join(here, "..", "contracts", "Token.json"), "utf8"));

export const supply = 10n ** 24n;
export const amount = 1000n;
export const many = 40;
export const tooMuch = "transfer amount exceeds balance";

export async function step(name, tell) {
  try {
    await tell();
  } catch (e) {
    console.error(`${name}:`, e);
    process.exit(1);
  }
  console.log(`ok ${name}`);
}

export function keep(receipt) {
  writeFileSync(process.env.COCO_RECEIPT, JSON.stringify(receipt));
}

// soon resolves with the promise, or fails when it takes longer than a minute:
// an event that never comes must end the story, not hang it.
export function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within a minute`)), 60_000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
